//! Tests of who is left alone for a while.

use super::*;

#[test]
fn a_provider_that_refuses_is_left_alone_longer_each_time_and_never_for_good() {
    let (busy, other) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
    let mut now = Instant::now();
    let mut refusers = Refusers::default();
    assert!(!refusers.rests(busy, now));
    for rest in [4, 8, 16, 32, 64, 64, 64] {
        refusers.note(busy, format!("busy, {rest}"), now);
        let rest = Duration::from_secs(rest);
        assert!(refusers.rests(busy, now + rest - Duration::from_millis(1)));
        now += rest;
        assert!(!refusers.rests(busy, now), "tried again after {rest:?}");
    }
    assert!(!refusers.rests(other, now));
    assert_eq!(refusers.summary(), (7, "busy, 64".to_owned()));
}
