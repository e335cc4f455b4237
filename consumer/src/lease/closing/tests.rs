//! Checks when money is said to come back.

use super::*;

#[test]
fn a_refund_is_due_when_the_ledgers_window_ends_whenever_it_is_asked() {
    let (opened, deadline) = (1_000_000, 300_000);
    let due = Timestamp::from_millis(opened + 100_000);
    for passed in [0, 1, 99_999, 100_000] {
        let block = (Timestamp::from_millis(opened + passed), 200_000 + passed);
        assert_eq!(due_at(block, deadline), due);
    }
    let late = (Timestamp::from_millis(opened + 100_500), 300_500);
    assert_eq!(due_at(late, deadline), late.0, "the next block pays it");
}
