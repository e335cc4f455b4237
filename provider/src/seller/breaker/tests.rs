//! Tests of the breaker, with times of their own.

use super::*;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

#[test]
fn one_loss_ends_its_job_and_nothing_else() {
    let mut breaker = Breaker::default();
    assert_eq!(breaker.lost(at(100), "reset"), Verdict::JobEnded);
    assert!(!breaker.is_stopped());
    assert_eq!(breaker.why(), None);
}

#[test]
fn two_losses_within_ten_minutes_stop_selling_and_say_why() {
    for (second, expected) in [
        (100, Verdict::Stopped),
        (700, Verdict::Stopped),
        (701, Verdict::JobEnded),
        (10_000, Verdict::JobEnded),
    ] {
        let mut breaker = Breaker::default();
        breaker.lost(at(100), "first");
        assert_eq!(breaker.lost(at(second), "second"), expected, "{second}");
        assert_eq!(breaker.is_stopped(), expected == Verdict::Stopped);
    }
    let mut breaker = Breaker::default();
    breaker.lost(at(100), "first");
    breaker.lost(at(130), "VK_ERROR_DEVICE_LOST");
    let why = breaker.why().unwrap();
    assert!(why.contains("within 30 s"), "{why}");
    assert!(why.contains("VK_ERROR_DEVICE_LOST"), "{why}");
    assert!(why.contains("press p"), "{why}");
}

#[test]
fn losses_far_apart_never_add_up() {
    let mut breaker = Breaker::default();
    for hour in 1..50 {
        assert_eq!(breaker.lost(at(hour * 3_600), "reset"), Verdict::JobEnded);
    }
    assert_eq!(breaker.lost(at(49 * 3_600 + 5), "reset"), Verdict::Stopped);
}

#[test]
fn time_alone_does_not_start_selling_again_but_the_owner_does() {
    let mut breaker = Breaker::default();
    breaker.lost(at(1), "reset");
    breaker.lost(at(2), "reset");
    assert_eq!(breaker.lost(at(1_000_000), "later"), Verdict::Stopped);
    let why = breaker.why().unwrap();
    assert!(why.contains("within 1 s"), "the first reason stays: {why}");
    breaker.reset();
    assert!(!breaker.is_stopped());
    assert_eq!(breaker.lost(at(1_000_001), "reset"), Verdict::JobEnded);
}

#[test]
fn a_clock_that_goes_back_does_not_hide_a_loss() {
    let mut breaker = Breaker::default();
    breaker.lost(at(5_000), "reset");
    assert_eq!(breaker.lost(at(10), "reset"), Verdict::Stopped);
}

#[test]
fn what_a_worker_says_is_cut() {
    let mut breaker = Breaker::default();
    breaker.lost(at(1), "");
    breaker.lost(at(2), &"x".repeat(100_000));
    assert!(breaker.why().unwrap().len() < 1_000);
}
