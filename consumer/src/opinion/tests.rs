//! What ended attempts say of those who ran them.

use market::lease::Phase;
use market::receipt::Outcome;

use super::*;
use crate::record::tests::{attempt, record};

#[test]
fn a_seller_that_was_lost_is_thought_less_of_than_one_that_delivered_and_one_at_work_is_not_judged()
{
    let payer = AccountId::from_bytes([9; 32]);
    let mut run = record();
    let mut delivered = attempt(1, 100, 40);
    (delivered.phase, delivered.outcome) = (Phase::Ended, Some(Outcome::Completed));
    let mut lost = attempt(2, 100, 10);
    lost.lost = Some("silent".to_owned());
    run.attempts = vec![delivered, lost, attempt(3, 100, 10)];
    let opinions = of(&[run], payer);
    let [(first, good), (second, bad)] = opinions[..] else {
        panic!("{opinions:?}");
    };
    assert_eq!(
        (first, second),
        (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]))
    );
    assert!(good > Reputation::default() && bad < Reputation::default());
}
