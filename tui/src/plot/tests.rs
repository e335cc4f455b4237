//! Tests of curves and bars.

use super::{MAX_POINTS, Series, bar};

fn series(values: impl IntoIterator<Item = f32>) -> Series {
    let mut series = Series::default();
    for value in values {
        series.push(value);
    }
    series
}

#[test]
fn a_falling_loss_falls_from_the_highest_bar_to_the_lowest() {
    let falling = series([8.0, 7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0]);
    assert_eq!(falling.sparkline(8), "█▇▆▅▄▃▂▁");
}

#[test]
fn more_figures_than_cells_are_averaged_and_keep_their_shape() {
    let falling = series((0..800).map(|step| 800.0 - step as f32));
    assert_eq!(falling.sparkline(8), "█▇▆▅▄▃▂▁");
    assert_eq!(falling.sparkline(0), "");
}

#[test]
fn a_plot_names_its_highest_and_lowest_value() {
    let rows = series([4.0, 3.0, 2.0, 1.0]).plot(20, 4);
    let expected = [
        "   4.000 ┤█",
        "         │██",
        "         │██▅",
        "   1.000 ┤███▁",
    ];
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[0], expected[0]);
    assert_eq!(rows[3], expected[3]);
}

#[test]
fn a_flat_or_empty_series_draws_without_dividing_by_nothing() {
    assert_eq!(series([2.0, 2.0]).sparkline(10), "▄▄");
    assert_eq!(series([]).sparkline(10), "");
    assert!(series([]).plot(40, 5).is_empty());
}

#[test]
fn figures_that_are_not_finite_are_left_out() {
    let mixed = series([f32::NAN, 2.0, f32::INFINITY, 1.0, f32::NEG_INFINITY]);
    assert_eq!(mixed.sparkline(10), "█▁");
    let ends = mixed.ends().unwrap();
    assert!((ends.first - 2.0).abs() < f32::EPSILON);
    assert!((ends.last - 1.0).abs() < f32::EPSILON);
}

#[test]
fn memory_stays_bounded_however_many_figures_come() {
    let long = series((0..100_000).map(|step| 100_000.0 - step as f32));
    assert!(long.means.len() <= MAX_POINTS);
    assert!(long.open.len() <= 1 << 16);
    assert_eq!(long.sparkline(8), "█▇▆▅▄▃▂▁");
}

#[test]
fn extreme_figures_do_not_overflow() {
    let extreme = series([f32::MAX, f32::MIN, f32::MAX]);
    assert_eq!(extreme.sparkline(3), "█▁█");
}

#[test]
fn a_bar_is_as_full_as_the_work_is_done() {
    assert_eq!(bar((0, 4), 4), "░░░░");
    assert_eq!(bar((2, 4), 4), "██░░");
    assert_eq!(bar((9, 4), 4), "████");
    assert_eq!(bar((0, 0), 2), "░░");
    assert_eq!(bar((u64::MAX, u64::MAX), 3), "███");
}
