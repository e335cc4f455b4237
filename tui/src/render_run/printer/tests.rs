//! Tests of what is written to the terminal.

use super::frame;

fn lines(text: &[&str]) -> Vec<String> {
    text.iter().map(|line| (*line).to_owned()).collect()
}

#[test]
fn live_lines_are_replaced_and_others_stay_above_them() {
    let first = frame(0, &lines(&["accepted"]), &lines(&["curve", "bar"]));
    assert_eq!(first, "accepted\ncurve\nbar\n");
    let second = frame(2, &lines(&["held out"]), &lines(&["curve", "bar"]));
    assert_eq!(second, "\x1b[2A\r\x1b[Jheld out\ncurve\nbar\n");
}

#[test]
fn a_plain_surface_gets_no_control_sequence() {
    assert_eq!(frame(0, &lines(&["a", "b"]), &[]), "a\nb\n");
    assert_eq!(frame(0, &[], &[]), "");
}
