//! What the buyer reads while the operator is away.

use std::collections::BTreeSet;
use std::time::Duration;

use market::agreement::Meter;
use market::lease::Phase;
use market::{Amount, Timestamp};
use market_node::lease::Snapshot;

use super::operator_away;

fn note(proved_until: Option<u64>) -> String {
    let snapshot = Snapshot {
        phase: Phase::Running,
        meter: Meter::default(),
        promised: Amount::ZERO,
        artefacts: Vec::new(),
        delivered: BTreeSet::new(),
        outcome: None,
        waits_for: None,
        proved_until: proved_until.map(Timestamp::from_millis),
        silent_since: None,
    };
    let now = Timestamp::from_millis(100_000);
    operator_away(Duration::from_secs(40), &snapshot, now)
}

#[test]
fn it_says_how_long_the_work_goes_on_and_when_it_stands_still() {
    let goes_on = note(Some(160_000));
    assert!(
        goes_on.contains("40 s") && goes_on.contains("goes on for another 60 s"),
        "{goes_on}"
    );
    let stands = note(Some(100_000));
    assert!(stands.contains("stands still until it is back"), "{stands}");
    let waits = note(None);
    assert!(waits.contains("before the work begins"), "{waits}");
}
