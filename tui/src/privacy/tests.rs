//! Tests of the words: as they are printed, and that they stay short.

use insta::assert_snapshot;

use super::*;

/// The most characters of a line that is said every time.
const WIDTH: usize = 140;

#[test]
fn who_buys_is_told_in_one_line() {
    assert_snapshot!(BUYING);
    assert!(!BUYING.contains('\n') && BUYING.len() <= WIDTH);
}

#[test]
fn who_sells_is_told_in_two_lines() {
    assert_snapshot!(SELLING);
    assert_eq!(SELLING.lines().count(), 2);
    assert!(SELLING.lines().all(|line| line.len() <= WIDTH));
}

#[test]
fn the_screen_has_room_for_its_words() {
    assert!(
        SELLING_SHORT.len() <= 2 * 66,
        "two rows of the least window"
    );
    assert!(SELLING_HELP.iter().all(|line| line.len() <= 66));
}
