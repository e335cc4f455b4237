//! Tests of how figures and states read.

use std::time::Duration;

use market::Timestamp;

use super::{bytes, count, duration, hours, layers, plural, printable, rate, utc};

#[test]
fn durations_read_in_the_unit_that_matters() {
    let cases = [
        (0, "0.0s"),
        (199, "0.1s"),
        (59_999, "59.9s"),
        (60_000, "1m 00s"),
        (192_000, "3m 12s"),
        (7_500_000, "2h 05m"),
    ];
    for (millis, expected) in cases {
        assert_eq!(duration(Duration::from_millis(millis)), expected);
    }
}

#[test]
fn sizes_and_rates_change_unit_at_their_borders() {
    assert_eq!(bytes(1023), "1023 B");
    assert_eq!(bytes(1024), "1.0 KiB");
    assert_eq!(bytes(1_572_864), "1.5 MiB");
    assert_eq!(bytes(u64::MAX), "17179869183.9 GiB");
    assert_eq!(rate(999_999), "999.99 GFLOP/s");
    assert_eq!(rate(8_130_000), "8.13 TFLOP/s");
}

#[test]
fn gpu_time_is_in_hours_and_never_nothing_where_there_was_some() {
    assert_eq!(hours(0), "0.00");
    assert_eq!(hours(35_999), "<0.01");
    assert_eq!(hours(36_000), "0.01");
    assert_eq!(hours(63_000_000), "17.50");
}

#[test]
fn numbers_have_commas_between_thousands() {
    assert_eq!(count(0), "0");
    assert_eq!(count(999), "999");
    assert_eq!(count(1_000), "1,000");
    assert_eq!(count(1_234_567), "1,234,567");
    assert_eq!(plural(1, "peer"), "1 peer");
    assert_eq!(plural(0, "peer"), "0 peers");
}

#[test]
fn dates_are_right_around_leap_days_and_year_ends() {
    let cases = [
        (0, "1970-01-01 00:00:00"),
        (951_782_399_999, "2000-02-28 23:59:59"),
        (951_782_400_000, "2000-02-29 00:00:00"),
        (951_868_800_000, "2000-03-01 00:00:00"),
        (1_735_689_599_000, "2024-12-31 23:59:59"),
        (1_735_689_600_000, "2025-01-01 00:00:00"),
        (4_107_542_400_000, "2100-03-01 00:00:00"),
    ];
    for (millis, expected) in cases {
        assert_eq!(utc(Timestamp::from_millis(millis)), expected);
    }
}

#[test]
fn the_end_of_time_still_has_a_date() {
    assert!(!utc(Timestamp::from_millis(u64::MAX)).is_empty());
}

#[test]
fn text_of_others_cannot_command_the_terminal() {
    let hostile = "a\x1b[2Jb\rc\u{9b}31md\u{202e}e\tf\ng";
    let shown = printable(hostile);
    assert!(!shown.chars().any(char::is_control));
    assert!(!shown.contains('\u{202e}'));
    assert!(shown.contains("[2Jb"));
    assert_eq!(printable("höhe 12 µs"), "höhe 12 µs");
}

#[test]
fn layers_are_named_without_their_evidence() {
    let seen = ["seccomp: socket: EPERM".to_owned(), "landlock".to_owned()];
    assert_eq!(layers(&seen), "seccomp, landlock");
    assert_eq!(layers(&[]), "");
}
