//! Owns the decision what follows an attempt's end: the run is over, or it goes on elsewhere.
//!
//! Pure: never asks a clock, the book or the ledger.

use market::Amount;
use market::lease::Phase;
use market::receipt::Outcome;
use market_node::api::AttemptView;

/// How an attempt ended, as this side saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AttemptEnd {
    /// How the lease says that it ended.
    pub(crate) outcome: Outcome,
    /// Why this side gave the provider up, where it did.
    pub(crate) given_up: Option<String>,
    /// Whether the job's own work began: the worker was confined and had its inputs.
    pub(crate) work_began: bool,
    /// What the job said when it failed.
    pub(crate) failure: Option<String>,
}

impl AttemptEnd {
    /// Returns how an attempt ended that is settled and not given up, as it is kept: what a node finds that was
    /// stopped before it had decided what follows.
    pub(crate) fn kept(attempt: &AttemptView) -> Option<Self> {
        let is_decided = attempt.phase == Phase::Ended && attempt.lost.is_none();
        let outcome = attempt.outcome.filter(|_| is_decided)?;
        Some(Self {
            outcome,
            given_up: None,
            work_began: attempt.meter.running_ms > 0,
            failure: None,
        })
    }
}

/// What the run may still do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Means {
    /// Whether the person wants the job stopped.
    pub(crate) is_cancelled: bool,
    /// What is left of the budget once every attempt has paid the most that it can.
    pub(crate) remaining: Amount,
    /// What is left of what the attempt that ended had locked.
    pub(crate) locked: Amount,
    /// What one tick cost with the provider that ended; less than that buys nothing.
    pub(crate) tick: Amount,
    /// Attempts so far.
    pub(crate) attempts: u32,
}

/// The most agreements of one run.
pub(crate) const MAX_ATTEMPTS: u32 = 16;

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The run is over, with a line for the person where the outcome alone does not say why.
    Over(Outcome, Option<String>),
    /// The job goes on with another provider, for this reason.
    Elsewhere(String),
}

/// Decides what follows.
pub(crate) fn decide(end: &AttemptEnd, means: Means) -> Verdict {
    if means.is_cancelled {
        // A job that was done all the same is done.
        let outcome = match end.outcome {
            Outcome::Completed if end.given_up.is_none() => Outcome::Completed,
            _ => Outcome::Cancelled,
        };
        return Verdict::Over(outcome, None);
    }
    let reason = match providers_fault(end, means) {
        None => return Verdict::Over(end.outcome, end.failure.clone()),
        Some(reason) => reason,
    };
    if means.remaining <= means.tick {
        let line = format!("{reason}; what is left of the budget buys no further tick");
        return Verdict::Over(Outcome::OutOfBudget, Some(line));
    }
    if means.attempts >= MAX_ATTEMPTS {
        let line = format!("{reason}; {MAX_ATTEMPTS} providers were tried");
        return Verdict::Over(Outcome::Lost, Some(line));
    }
    Verdict::Elsewhere(reason)
}

/// Returns why an attempt that did not complete was the provider's matter; `None` where it completed or the
/// job itself is at fault.
fn providers_fault(end: &AttemptEnd, means: Means) -> Option<String> {
    if let Some(reason) = &end.given_up {
        return Some(reason.clone());
    }
    let said = |words: &str| Some(words.to_owned());
    match end.outcome {
        Outcome::Completed => None,
        Outcome::Failed if end.work_began => None,
        Outcome::Failed => Some(match &end.failure {
            Some(failure) => format!("the provider could not start the job: {failure}"),
            None => "the provider could not start the job".to_owned(),
        }),
        Outcome::Yielded => said("the provider's owner took the machine back"),
        Outcome::Lost => said("the provider was lost"),
        // Nobody on this side cancelled.
        Outcome::Cancelled => said("the provider stopped the job"),
        // Less was locked than the budget has left.
        Outcome::OutOfBudget if means.remaining > means.tick && means.locked <= means.tick => {
            said("what the account could lock for this provider is spent")
        }
        // It says that the money is spent; it is not.
        Outcome::OutOfBudget if means.remaining > means.tick => {
            said("the provider stopped before the budget was spent")
        }
        Outcome::OutOfBudget => None,
    }
}

#[cfg(test)]
mod tests;
