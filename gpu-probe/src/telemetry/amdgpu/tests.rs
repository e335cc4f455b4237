//! Tests of the clock tables and of the table of metrics.

use proptest::prelude::*;

use super::*;

fn table(format: u8, content: u8, size: u16, offset: usize, status: u64) -> Vec<u8> {
    let mut bytes = vec![0; usize::from(size)];
    bytes[..2].copy_from_slice(&size.to_le_bytes());
    (bytes[2], bytes[3]) = (format, content);
    bytes[offset..offset + 8].copy_from_slice(&status.to_le_bytes());
    bytes
}

#[test]
fn cards_and_processors_keep_the_bits_in_different_places() {
    assert_eq!(throttle_status(&table(1, 3, 120, 112, 5)), Some(5));
    for content in 2..=4 {
        assert_eq!(throttle_status(&table(2, content, 152, 120, 6)), Some(6));
    }
}

#[test]
fn an_unknown_revision_tells_nothing() {
    for (format, content) in [(1, 0), (1, 2), (1, 4), (2, 1), (3, 0), (255, 255)] {
        assert_eq!(throttle_status(&table(format, content, 160, 112, 5)), None);
    }
}

#[test]
fn a_table_that_is_cut_off_tells_nothing() {
    let whole = table(1, 3, 120, 112, 5);
    assert_eq!(throttle_status(&whole[..119]), None);
    assert_eq!(throttle_status(&[]), None);
    // One that says that it ends before the bits.
    let mut short = whole;
    short[0] = 119;
    assert_eq!(throttle_status(&short), None);
}

#[test]
fn what_the_firmware_does_not_tell_is_unknown() {
    assert_eq!(throttle_status(&table(1, 3, 120, 112, u64::MAX)), None);
}

#[test]
fn bits_are_sorted_into_reasons() {
    let of = |bits: &[u32]| {
        let status = bits.iter().fold(0, |status, bit| status | 1_u64 << bit);
        reasons(status).into_iter().collect::<Vec<_>>()
    };
    assert_eq!(of(&[]), []);
    assert_eq!(of(&[0, 16, 22]), [ThrottleReason::PowerCap]);
    assert_eq!(of(&[36]), [ThrottleReason::Thermal]);
    assert_eq!(of(&[44]), [ThrottleReason::Thermal]);
    assert_eq!(of(&[47]), [ThrottleReason::HardwareSlowdown]);
    assert_eq!(of(&[57, 63]), [ThrottleReason::Other]);
}

#[test]
fn the_marked_level_is_the_clock() {
    assert_eq!(marked_level("0: 500Mhz\n1: 2575Mhz *\n"), Some(2_575));
    assert_eq!(marked_level("S: 19Mhz *"), Some(19));
    assert_eq!(marked_level("0: 500Mhz\n1: 2575Mhz\n"), None);
    assert_eq!(marked_level("*"), None);
    assert_eq!(marked_level("1: Mhz *"), None);
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = throttle_status(&bytes);
        let _ = marked_level(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_header_panics(
        size in any::<u16>(), revision in (1..3_u8, 0..6_u8), rest in prop::collection::vec(any::<u8>(), 0..200)
    ) {
        let [low, high] = size.to_le_bytes();
        let bytes: Vec<u8> = [low, high, revision.0, revision.1].into_iter().chain(rest).collect();
        let _ = throttle_status(&bytes);
    }
}
