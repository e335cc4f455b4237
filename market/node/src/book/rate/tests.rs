//! Tests of the allowance a maker has.

use market::{NodeId, Timestamp};

use super::Allowances;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_000_000 + millis)
}

#[test]
fn twenty_messages_pass_at_once_and_one_more_each_second() {
    let node = NodeId::from_bytes([1; 32]);
    let mut allowances = Allowances::default();
    let passed = (0..30).filter(|_| allowances.take(node, at(0))).count();
    assert_eq!(passed, 20);
    assert!(!allowances.take(node, at(999)));
    assert!(allowances.take(node, at(1_000)));
    assert!(!allowances.take(node, at(1_000)));
}

#[test]
fn one_maker_does_not_spend_the_allowance_of_another() {
    let (busy, quiet) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
    let mut allowances = Allowances::default();
    while allowances.take(busy, at(0)) {}
    assert!(allowances.take(quiet, at(0)));
}

#[test]
fn a_full_allowance_is_forgotten_and_a_spent_one_is_not() {
    let node = NodeId::from_bytes([1; 32]);
    let mut allowances = Allowances::default();
    while allowances.take(node, at(0)) {}
    allowances.forget_full(at(19_999));
    assert_eq!(allowances.0.len(), 1);
    allowances.forget_full(at(20_000));
    assert!(allowances.0.is_empty());
}
