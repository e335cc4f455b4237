//! Tests of reading the system's figures.

use super::*;

#[test]
fn available_memory_is_read_in_bytes() {
    let meminfo = "MemTotal:       24611144 kB\nMemFree: 1 kB\nMemAvailable:   22020096 kB\n";
    assert_eq!(available_in(meminfo), Some(22_020_096 * 1_024));
    assert_eq!(available_in("MemTotal: 5 kB\n"), None);
}

#[test]
fn a_group_without_a_limit_sets_none() {
    assert_eq!(left_in_group("max\n", "5\n"), None);
    assert_eq!(left_in_group("100\n", "30\n"), Some(70));
    assert_eq!(left_in_group("100\n", "130\n"), Some(0));
}
