//! Owns why nothing is sold though it could be: the owner's pause, a cancelled ask, a machine that is needed for something
//! else, a card that was lost twice, a sandbox that does not hold.
//!
//! Never mixes them up: each ends only in its own way, and selling goes on when none is left.

use market::Timestamp;

use super::breaker::{Breaker, Verdict};
use super::words;

/// How much of a worker's words is shown, in characters.
const SHOWN_WORDS: usize = 400;

/// The reasons that hold now.
#[derive(Debug, Default)]
pub(super) struct Rest {
    /// The owner paused selling.
    paused: bool,
    /// The owner cancelled the ask.
    withheld: bool,
    /// What the machine is needed for, in words.
    yielded_to: Option<String>,
    /// What losses of the card led to.
    breaker: Breaker,
    /// Why it is not known that jobs can be confined, or known that they cannot.
    unconfined: Option<String>,
}

impl Rest {
    /// Tells whether there is any.
    pub(super) fn rests(&self) -> bool {
        self.withheld || self.wants_the_machine()
    }

    /// Tells whether a lease may not run either.
    pub(super) fn wants_the_machine(&self) -> bool {
        self.paused
            || self.breaker.is_stopped()
            || self.unconfined.is_some()
            || self.yielded_to.is_some()
    }

    /// Returns why no lease may run, in words; the owner's word first.
    pub(super) fn why(&self) -> Option<String> {
        match self.paused {
            true => Some("paused by its owner".to_owned()),
            false => {
                let lies_with_the_machine = self.breaker.why().or_else(|| self.unconfined.clone());
                lies_with_the_machine.or_else(|| self.yielded_to.clone())
            }
        }
    }

    /// Returns why nothing is offered while a lease may run.
    pub(super) fn why_withheld(&self) -> Option<String> {
        self.withheld.then(|| words::WITHHELD.to_owned())
    }

    pub(super) fn pause(&mut self) {
        self.paused = true;
    }

    pub(super) fn withhold(&mut self) {
        self.withheld = true;
    }

    /// Ends what the owner asked for; what the machine is needed for goes on.
    pub(super) fn resume(&mut self) {
        (self.paused, self.withheld) = (false, false);
        self.breaker.reset();
        self.unconfined = None;
    }

    /// Notes that a worker did not come up, and what it said.
    pub(super) fn doubt_the_sandbox(&mut self, words: &str) {
        let words: String = words.chars().take(SHOWN_WORDS).collect();
        let why = format!("a worker did not come up, so the sandbox is tested once more: {words}");
        self.unconfined = Some(why);
    }

    /// Notes what a test of the sandbox came to.
    pub(super) fn sandbox_tested(&mut self, tested: Result<(), String>) {
        self.unconfined = tested.err().map(|why| {
            let why: String = why.chars().take(SHOWN_WORDS).collect();
            format!(
                "{why}. Nothing is sold until you press p on the screen or start this node anew"
            )
        });
    }

    /// Notes that the card was lost while a job ran on it.
    pub(super) fn card_lost(&mut self, now: Timestamp, words: &str) -> Verdict {
        self.breaker.lost(now, words)
    }

    /// Ends the withholding of the ask.
    pub(super) fn offer_again(&mut self) {
        self.withheld = false;
    }

    pub(super) fn yield_to(&mut self, reason: String) {
        self.yielded_to = Some(reason);
    }

    /// Says otherwise what the machine is needed for, if it is.
    pub(super) fn explain(&mut self, reason: &str) {
        if let Some(before) = &mut self.yielded_to {
            reason.clone_into(before);
        }
    }

    pub(super) fn regain(&mut self) {
        self.yielded_to = None;
    }
}
