//! Tests of the draw.

use super::*;

fn stream(seed: &[u8]) -> blake3::OutputReader {
    blake3::Hasher::new().update(seed).finalize_xof()
}

#[test]
fn as_many_as_wanted_come_and_all_where_there_are_fewer() {
    assert_eq!(distinct(&mut stream(b"a"), 1 << 34, 64).len(), 64);
    let all: Vec<u64> = distinct(&mut stream(b"a"), 5, 64).into_iter().collect();
    assert_eq!(all, [0, 1, 2, 3, 4]);
}

#[test]
fn numbers_are_in_range_spread_and_follow_the_stream() {
    let drawn = distinct(&mut stream(b"a"), 1_000, 64);
    assert!(drawn.iter().all(|number| *number < 1_000));
    assert!(drawn.first().is_some_and(|least| *least < 100));
    assert!(drawn.last().is_some_and(|most| *most > 900));
    assert_eq!(drawn, distinct(&mut stream(b"a"), 1_000, 64));
    assert_ne!(drawn, distinct(&mut stream(b"b"), 1_000, 64));
}
