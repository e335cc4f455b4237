//! Tests of the statistics.

use super::*;

#[test]
fn the_interval_is_that_of_the_sign_test() {
    // Ranks from tables of the sign test: of 15 values 3 lie below the interval, of 6 none, of 20 five.
    assert_eq!(rank_outside(15), 3);
    assert_eq!(rank_outside(6), 0);
    assert_eq!(rank_outside(20), 5);
    assert_eq!(rank_outside(1), 0);
}

#[test]
fn the_interval_says_what_it_covers() {
    // One less twice the tail of the binomial distribution with 1/2: of 15, (1 + 15 + 105 + 455) / 2^15. Five are short
    // of 95 %.
    let of_15 = 1.0 - 2.0 * 576.0 / 32_768.0;
    let of_6 = 1.0 - 2.0 / 64.0;
    let of_5 = 1.0 - 2.0 / 32.0;
    for (count, expected) in [(15, of_15), (6, of_6), (5, of_5), (1, 0.0)] {
        let difference: f64 = confidence(count) - expected;
        assert!(difference.abs() < 1e-12, "{count}: {difference}");
    }
}

#[test]
fn a_ratio_is_taken_pair_by_pair() {
    let pairs = [[1.0, 1.5], [2.0, 2.0], [4.0, 2.0]];
    let ratio = ratio(&pairs);
    assert_eq!((ratio.unconfined_p50, ratio.confined_p50), (2.0, 2.0));
    assert_eq!(
        (ratio.ratio_low, ratio.ratio_p50, ratio.ratio_high),
        (0.5, 1.0, 1.5)
    );
}
