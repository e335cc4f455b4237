//! Protocol time: unknown without a header, moved by headers and elapsed time, never back.

use super::*;

fn millis(value: u64) -> Timestamp {
    Timestamp::from_millis(value)
}

#[test]
fn a_clock_without_a_header_knows_no_time() {
    let clock = ProtocolClock::new();
    assert_eq!((clock.now(), clock.height()), (None, None));
    assert!(clock.silence().is_none());
}

#[test]
fn time_is_the_header_plus_what_elapsed_since() {
    let clock = ProtocolClock::new();
    let start = Instant::now();
    clock.observe_at(5, millis(1_000), start);
    let later = start + Duration::from_millis(250);
    assert_eq!(clock.at(later), Some(millis(1_250)));
    clock.observe_at(6, millis(9_000), later);
    assert_eq!(clock.at(later), Some(millis(9_000)));
    assert_eq!(clock.height(), Some(6));
}

#[test]
fn a_late_header_does_not_turn_time_back() {
    let clock = ProtocolClock::new();
    let start = Instant::now();
    clock.observe_at(1, millis(1_000), start);
    let later = start + Duration::from_secs(10);
    clock.observe_at(2, millis(8_000), later);
    assert_eq!(clock.at(later), Some(millis(11_000)));
    assert_eq!(clock.height(), Some(2));
}

#[test]
fn an_older_or_equal_height_is_ignored() {
    let clock = ProtocolClock::new();
    let start = Instant::now();
    clock.observe_at(7, millis(1_000), start);
    clock.observe_at(7, millis(90_000), start);
    clock.observe_at(6, millis(90_000), start);
    assert_eq!(clock.at(start), Some(millis(1_000)));
}

#[test]
fn clones_share_one_time() {
    let clock = ProtocolClock::new();
    clock.clone().observe(3, millis(42));
    assert_eq!(clock.height(), Some(3));
    assert!(clock.now().is_some_and(|now| now >= millis(42)));
}
