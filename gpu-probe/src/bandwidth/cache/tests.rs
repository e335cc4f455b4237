//! Tests of reading the caches' sizes.

use super::*;

fn cache(level: u32, kib: u64, shared_by: &str) -> Cache {
    Cache {
        level,
        bytes: 1_024 * kib,
        shared_by: shared_by.into(),
    }
}

#[test]
fn each_cache_of_the_last_level_counts_once() {
    let caches = vec![
        cache(1, 32, "0"),
        cache(3, 100, "0-1"),
        cache(3, 100, "0-1"),
        cache(3, 100, "2-3"),
    ];
    assert_eq!(largest_level(caches), Some(200 * 1_024));
    assert_eq!(largest_level(Vec::new()), None);
}

#[test]
fn sizes_are_in_kib() {
    assert_eq!(bytes("32768K\n"), Some(32 << 20));
    assert_eq!(bytes("unknown\n"), None);
}
