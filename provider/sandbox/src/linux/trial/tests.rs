//! Tests of how an attack is tried on a slow machine.

use std::cell::RefCell;

use super::*;

/// Tries on a machine where a worker needs `needed` until LOCKED; returns the result and the limits that were tried.
fn tried(needed: Duration, timeout: Duration) -> (Result<(), SelfTestError>, Vec<u64>) {
    let limits = RefCell::new(Vec::new());
    let result = with_enough_time(timeout, |limit| {
        limits.borrow_mut().push(limit.as_secs());
        if limit < needed {
            let stderr = String::new();
            return Err(LaunchError::EndedEarly { stderr }.into());
        }
        Ok(())
    });
    (result, limits.into_inner())
}

#[test]
fn a_limit_of_time_doubles_until_the_worker_is_locked_within_it() {
    let patience = Duration::from_secs(60);
    let (result, limits) = tried(Duration::ZERO, patience);
    assert_eq!((result.is_ok(), limits), (true, vec![1]));
    let (result, limits) = tried(Duration::from_secs(5), patience);
    assert_eq!((result.is_ok(), limits), (true, vec![1, 2, 4, 8]));
}

#[test]
fn a_machine_that_is_too_slow_is_given_up() {
    let (result, limits) = tried(Duration::MAX, Duration::from_secs(6));
    assert!(result.is_err());
    assert_eq!(limits, [1, 2, 4, 8]);
}

#[test]
fn what_fails_for_another_reason_is_not_tried_again() {
    let count = RefCell::new(0);
    let result = with_enough_time(Duration::from_secs(60), |_| {
        *count.borrow_mut() += 1;
        Err::<(), _>(SelfTestError::Disturbed)
    });
    assert!(matches!(result, Err(SelfTestError::Disturbed)));
    assert_eq!(count.into_inner(), 1);
}
