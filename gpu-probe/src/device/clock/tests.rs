//! Tests of the device's clock.

use super::*;
use crate::tests::session;

#[test]
fn a_clock_that_stands_or_runs_backwards_says_nothing() {
    assert_eq!(elapsed([7, 7], 1.0), None);
    assert_eq!(elapsed([8, 7], 1.0), None);
    assert_eq!(elapsed([0, u64::MAX], 1e30), None);
    assert_eq!(elapsed([1, 1_001], 2.5), Some(Duration::from_nanos(2_500)));
}

#[test]
fn the_device_never_takes_longer_than_the_wait_for_it() {
    let Some(session) = session() else { return };
    let took = session.pass(|_| ()).unwrap();
    let Some(device) = took.device else {
        eprintln!("skipped: the device has no clock");
        return;
    };
    assert!(device <= took.wall, "{took:?}");
}
