//! Owns the sentences in which selling is explained to the owner of the machine.
//!
//! Never decides anything: what is so is handed in.

use std::time::Duration;

use market::Timestamp;
use market::lease::{Phase, WaitsFor};

/// Without a block for so long the operator counts as away.
const OPERATOR_QUIET: Duration = Duration::from_secs(30);

/// Why nothing is offered after the owner has cancelled the ask.
pub(super) const WITHHELD: &str = "the ask was cancelled, and none is posted until `nightshift ask` changes one of its figures, \
     p on the screen, or the next start of this node: only this run of the node remembers it";

/// What a running lease is waiting for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) phase: Phase,
    pub(super) waits_for: Option<WaitsFor>,
    /// Since when the buyer is out of reach.
    pub(super) silent_since: Option<Timestamp>,
    pub(super) now: Timestamp,
    /// How long a silent buyer is waited for.
    pub(super) patience: Duration,
    /// For how long no block has been heard of.
    pub(super) operator_quiet: Duration,
    /// Until when the work goes on without another proof of the ledger.
    pub(super) proved_until: Option<Timestamp>,
}

/// Says why a lease stands still, or what it does without its buyer; `None` where all is as it should be.
pub(super) fn lease_note(standing: Standing) -> Option<String> {
    let limit_s = standing.patience.as_secs();
    let silent = standing.silent_since.map(|since| {
        let silent_s = standing.now.saturating_since(since).as_secs();
        format!("the buyer is out of reach for {silent_s} s")
    });
    match (standing.waits_for, silent) {
        (Some(WaitsFor::Proof), _) => Some(
            "the operator does not answer, and the last proof that the buyer's deposit is locked is too old: \
             the job stands still and goes on when the operator is back"
                .to_owned(),
        ),
        (_, Some(silent)) if standing.phase == Phase::Running => {
            Some(format!("{silent}; what it has paid for is worked off"))
        }
        (_, Some(silent)) if standing.phase < Phase::Closing => Some(format!(
            "{silent}; the job stands still and is settled if that lasts {limit_s} s"
        )),
        (Some(WaitsFor::Voucher | WaitsFor::OtherSide), _) => Some(format!(
            "the buyer has not paid for more time yet; the job stands still and is settled if that lasts \
             {limit_s} s"
        )),
        (None, _) => operator_note(standing),
    }
}

/// Says how long the work goes on while the operator is away.
fn operator_note(standing: Standing) -> Option<String> {
    let works = matches!(standing.phase, Phase::Running | Phase::Delivering);
    let until = standing.proved_until.filter(|_| works)?;
    (standing.operator_quiet >= OPERATOR_QUIET).then(|| {
        format!(
            "the operator cannot be reached; work goes on until its last proof of the buyer's deposit is too old, \
             for another {} s",
            until.saturating_since(standing.now).as_secs()
        )
    })
}

#[cfg(test)]
mod tests;
