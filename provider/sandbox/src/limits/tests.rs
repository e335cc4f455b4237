//! Tests of the limits' ranges.

use super::*;

#[test]
fn the_default_limits_are_accepted() {
    assert_eq!(Limits::default().check(), Ok(()));
}

#[test]
fn a_wall_clock_under_a_second_is_refused() {
    let limits = Limits {
        wall_clock: Duration::from_millis(999),
        ..Limits::default()
    };
    assert!(matches!(
        limits.check(),
        Err(LimitsError::TooShort {
            name: "wall_clock",
            ..
        })
    ));
}

#[test]
fn scratch_larger_than_memory_is_refused() {
    let limits = Limits {
        memory_bytes: 64 << 20,
        scratch_bytes: (64 << 20) + 1,
        ..Limits::default()
    };
    assert!(matches!(
        limits.check(),
        Err(LimitsError::OutOfRange {
            name: "scratch_bytes",
            ..
        })
    ));
}

#[test]
fn too_few_processes_for_a_worker_are_refused() {
    let limits = Limits {
        processes: 3,
        ..Limits::default()
    };
    assert!(limits.check().is_err());
}
