//! Tests of what a run waits for.

use super::*;

fn amount(nanocredits: u64) -> Amount {
    Amount::from_nanocredits(nanocredits)
}

fn refund(nanocredits: u64, due_ms: u64) -> PendingRefund {
    PendingRefund {
        amount: amount(nanocredits),
        due_at: Timestamp::from_millis(due_ms),
    }
}

const NOW: Timestamp = Timestamp::from_millis(10_000);

#[test]
fn the_first_refunds_that_are_enough_together_are_waited_for() {
    let pending = vec![refund(50, 90_000), refund(20, 30_000), refund(15, 20_000)];
    let wait = |missing| wait_for(amount(missing), pending.clone(), NOW);
    let refund = |sum, seconds| Wait::Refund {
        amount: amount(sum),
        left: Duration::from_secs(seconds),
    };
    assert_eq!(wait(15), refund(15, 10));
    assert_eq!(wait(16), refund(35, 20));
    assert_eq!(wait(36), refund(85, 80));
    assert_eq!(wait(86), Wait::Provider, "no refund pays for that");
    assert_eq!(wait_for(amount(1), Vec::new(), NOW), Wait::Provider);
}

#[test]
fn a_refund_that_is_overdue_is_waited_for_no_longer_than_the_patience() {
    let wait = wait_for(amount(5), vec![refund(5, 1_000)], NOW);
    assert_eq!((wait.kind(), wait.left()), (Kind::Refund, None));
    let coming = wait_for(amount(5), vec![refund(5, 11_000)], NOW);
    assert_eq!(coming.left(), Some(Duration::from_secs(1)));
}

#[test]
fn what_is_waited_for_is_said_with_its_time() {
    let error = RunError::Money {
        missing: amount(5),
        needed: amount(9),
        available: amount(4),
    };
    let patience = Duration::from_secs(300);
    let wait = wait_for(amount(5), vec![refund(7, 25_000)], NOW);
    let words = wait.words(&error, patience);
    assert!(words.contains("due in 15 s"), "{words}");
    let words = Wait::Provider.words(&error, patience);
    assert!(
        words.contains("up to 300 s for another provider"),
        "{words}"
    );
}
