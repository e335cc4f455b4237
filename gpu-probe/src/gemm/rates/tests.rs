//! Tests of what series of slices say.

use super::*;

/// Slices of 50 ms over so many seconds, each with the rate that its time and number give.
fn series(seconds: u64, rate: impl Fn(f64, u64) -> u64) -> Rates {
    let slices: Vec<Slice> = (1..=seconds * 20)
        .map(|number| {
            let ended = Duration::from_millis(50 * number);
            let rate = rate(ended.as_secs_f64(), number);
            Slice { ended, rate }
        })
        .collect();
    Rates::of(&slices).unwrap()
}

#[test]
fn a_steady_rate_holds() {
    let rates = series(20, |_, _| 1_000);
    assert_eq!((rates.burst, rates.sustained), (1_000, 1_000));
    assert_eq!(rates.throttling, Some(Throttling::None));
}

#[test]
fn a_slow_fall_is_seen_before_it_is_large() {
    // 3 % a minute, over two minutes: the last rate is still above 92 %.
    let rates = series(120, |time, number| {
        (1_000_000.0 * (1.0 - 0.0005 * time)) as u64 + number % 7 * 1_000
    });
    assert!(rates.sustained * 100 > rates.burst * HELD_PERCENT);
    assert_eq!(rates.throttling, Some(Throttling::Slowed));
}

#[test]
fn a_rise_and_a_fall_within_the_bound_are_no_throttling() {
    for change in [0.002, -0.0002] {
        let rates = series(60, |time, _| (1_000_000.0 * (1.0 + change * time)) as u64);
        assert_eq!(rates.throttling, Some(Throttling::None), "{change}");
    }
}

#[test]
fn a_sudden_drop_is_throttling_even_near_the_end() {
    for at in [4.0, 12.0, 17.0] {
        let rates = series(20, |time, _| if time < at { 1_000 } else { 850 });
        assert_eq!(rates.throttling, Some(Throttling::Slowed), "{at}");
        assert_eq!(rates.burst, 1_000);
        assert_eq!(rates.sustained, 850);
    }
}

#[test]
fn slow_slices_here_and_there_are_noise() {
    let rates = series(20, |_, number| if number % 3 == 0 { 500 } else { 1_000 });
    assert_eq!(rates.throttling, Some(Throttling::None));
    assert_eq!(
        rates.sustained, 500,
        "the low end of the slices stays visible"
    );
}

#[test]
fn noise_without_a_trend_is_no_trend() {
    // A multiplicative hash spreads rates over 6 %.
    let rates = series(20, |_, number| 970 + ((number * 2_654_435_761) >> 8) % 60);
    assert_eq!(rates.throttling, Some(Throttling::None));
}

#[test]
fn a_short_series_has_a_burst_and_does_not_say_whether_it_holds() {
    let rates = series(2, |time, _| if time < 1.5 { 1_000 } else { 500 });
    assert_eq!((rates.burst, rates.throttling), (1_000, None));
}

#[test]
fn one_slice_is_everything_and_none_is_nothing() {
    let slice = Slice {
        ended: Duration::from_secs(60),
        rate: 7,
    };
    let rates = Rates::of(&[slice]).unwrap();
    assert_eq!((rates.burst, rates.sustained, rates.spread.p50), (7, 7, 7));
    assert_eq!(rates.throttling, None);
    assert_eq!(Rates::of(&[]), None);
}

#[test]
fn the_sustained_rate_is_the_low_end_of_the_second_half() {
    let rates = series(20, |_, number| 401 - number);
    assert_eq!((rates.sustained, rates.spread.p50), (20, 200));
}

#[test]
fn in_a_short_series_it_is_the_middle_of_the_second_half() {
    let rates = series(2, |_, number| 41 - number);
    assert_eq!((rates.sustained, rates.spread.p50), (10, 20));
}
