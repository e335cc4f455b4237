//! Owns what it means that a card was lost: once ends the job that ran on it, twice within ten minutes stops selling.
//!
//! A card is lost when its driver resets it, most often because a kernel did not end. That may be a fault of the card,
//! or a job that wants it: either way another stranger's job would meet the same, and on some systems a few more
//! resets take the whole machine down. Never reads a clock and never starts selling again by itself.

use std::time::Duration;

use market::Timestamp;

/// How close together two losses stop selling.
const WINDOW: Duration = Duration::from_secs(600);

/// What a loss led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The job that ran is over; selling goes on.
    JobEnded,
    /// Nothing is sold until the owner says so, or this node starts anew.
    Stopped,
}

/// Counts losses of the card.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    last: Option<Timestamp>,
    stopped: Option<Stop>,
}

/// Two losses that stopped selling.
#[derive(Debug)]
struct Stop {
    apart: Duration,
    words: String,
}

impl Breaker {
    /// Notes a loss at `now`, with what the worker said of it.
    ///
    /// A clock that went back makes two losses look closer than they were, never further apart.
    pub(super) fn lost(&mut self, now: Timestamp, words: &str) -> Verdict {
        let apart = self.last.map(|last| now.saturating_since(last));
        self.last = Some(self.last.map_or(now, |last| last.max(now)));
        match apart {
            Some(apart) if apart <= WINDOW && self.stopped.is_none() => {
                let words = words.chars().take(200).collect();
                self.stopped = Some(Stop { apart, words });
            }
            _ => {}
        }
        match self.stopped {
            Some(_) => Verdict::Stopped,
            None => Verdict::JobEnded,
        }
    }

    /// Returns why nothing is sold, in words, while that is so.
    pub(super) fn why(&self) -> Option<String> {
        let stop = self.stopped.as_ref()?;
        Some(format!(
            "the card was lost twice within {} s, most lately: {}. Nothing is sold until you press p on the screen or \
             start this node anew; look at the card and its driver first",
            stop.apart.as_secs(),
            stop.words
        ))
    }

    /// Tells whether selling is stopped.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// Forgets all losses: the owner looked at the card.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests;
