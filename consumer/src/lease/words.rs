//! Owns the sentences about an operator that is away while a bought lease runs.
//!
//! Never decides anything: what is so is handed in.

use std::time::Duration;

use market::Timestamp;
use market_node::lease::Snapshot;

/// Says what an operator that has been silent for `quiet` means for the work, as far as the provider has said
/// how long its proof of the deposit holds.
pub(super) fn operator_away(quiet: Duration, snapshot: &Snapshot, now: Timestamp) -> String {
    let left = snapshot
        .proved_until
        .map(|until| until.saturating_since(now));
    let work = match left {
        Some(Duration::ZERO) => "the job stands still until it is back".to_owned(),
        Some(left) => format!("work goes on for another {} s without it", left.as_secs()),
        None => "the provider waits for it before the work begins".to_owned(),
    };
    format!(
        "the operator cannot be reached since {} s; {work}, and money is settled when it is back",
        quiet.as_secs()
    )
}

#[cfg(test)]
mod tests;
