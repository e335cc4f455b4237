//! What the owner of a machine reads while a lease runs.

use std::time::Duration;

use market::Timestamp;
use market::lease::{Phase, WaitsFor};

use super::{Standing, lease_note};

fn standing(phase: Phase, waits_for: Option<WaitsFor>, silent_s: Option<u64>) -> Standing {
    let now = Timestamp::from_millis(1_000_000);
    let silent_since = silent_s.map(|s| Timestamp::from_millis(1_000_000 - s * 1_000));
    Standing {
        phase,
        waits_for,
        silent_since,
        now,
        patience: Duration::from_secs(300),
        operator_quiet: Duration::from_secs(1),
        proved_until: Some(Timestamp::from_millis(1_090_000)),
    }
}

#[test]
fn nothing_is_said_while_all_is_well() {
    assert_eq!(lease_note(standing(Phase::Running, None, None)), None);
    assert_eq!(lease_note(standing(Phase::Closing, None, Some(9))), None);
}

#[test]
fn a_buyer_out_of_reach_is_named_with_what_happens_meanwhile() {
    let prepaid = lease_note(standing(Phase::Running, None, Some(4))).unwrap();
    assert!(
        prepaid.contains("4 s") && prepaid.contains("paid for"),
        "{prepaid}"
    );
    let waits_for = Some(WaitsFor::OtherSide);
    let paused = lease_note(standing(Phase::Paused, waits_for, Some(42))).unwrap();
    assert!(
        paused.contains("42 s") && paused.contains("300 s"),
        "{paused}"
    );
}

#[test]
fn an_operator_that_is_away_is_named_before_the_buyer() {
    let waits_for = Some(WaitsFor::Proof);
    let note = lease_note(standing(Phase::Paused, waits_for, Some(42))).unwrap();
    assert!(
        note.contains("operator") && note.contains("goes on"),
        "{note}"
    );
}

#[test]
fn while_the_operator_is_away_and_its_proof_holds_the_owner_reads_until_when_work_goes_on() {
    let mut away = standing(Phase::Running, None, None);
    away.operator_quiet = Duration::from_secs(31);
    let note = lease_note(away).unwrap();
    assert!(
        note.contains("operator cannot be reached") && note.contains("another 90 s"),
        "{note}"
    );
    away.phase = Phase::Preparing;
    assert_eq!(lease_note(away), None, "nothing works on a proof yet");
}

#[test]
fn a_buyer_that_does_not_pay_is_told_apart_from_one_that_is_gone() {
    let waits_for = Some(WaitsFor::Voucher);
    let note = lease_note(standing(Phase::Paused, waits_for, None)).unwrap();
    assert!(note.contains("has not paid"), "{note}");
}
