//! Tests of the list of device calls as data.

use std::collections::BTreeSet;

use super::*;

#[test]
fn every_device_call_has_a_reason_and_stands_once() {
    let mut numbers = BTreeSet::new();
    for ioctl in ioctls() {
        let (Ioctl::Type { reason, .. } | Ioctl::Number { reason, .. }) = &ioctl;
        assert!(!reason.is_empty(), "{ioctl:?}");
        if let Ioctl::Number { number, .. } = ioctl {
            assert!(numbers.insert(number), "{number} stands twice");
            assert_eq!(number >> 8 & 0xff, 0, "{number} has a type");
        }
    }
    // Reading and writing the memory of other processes, and the tools around them.
    assert!((56..=64).all(|tool| !numbers.contains(&tool)));
}
