//! Owns what a series of timed slices says: the rate at the beginning, the rate that stays, and whether it fell.
//!
//! Never says why a rate fell: the temperature is known elsewhere, and turns [`Throttling::Slowed`] into
//! [`Throttling::Thermal`] there.

use std::time::Duration;

use market::gpu::{Spread, Throttling};

use crate::slices::Slice;

/// How long the beginning is.
const BURST: Duration = Duration::from_secs(2);

/// The shortest series that shows whether a rate holds: cards take seconds to reach their temperature.
const SHOWS_THROTTLING: Duration = Duration::from_secs(10);

/// Windows whose medians stand for the series; one slow slice, or a few, never decides.
const WINDOWS: usize = 16;

/// Below this part of the beginning, in percent, a rate counts as fallen.
const HELD_PERCENT: u64 = 92;

/// Below this change a minute, as a part of the beginning, a rate counts as falling.
const FALLING_PER_MINUTE: f64 = -0.02;

/// A slope counts only where it is so many standard errors from zero.
const CERTAIN_ERRORS: f64 = 3.0;

/// What a series of slices says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rates {
    /// Over all slices, in MFLOP/s.
    pub(crate) spread: Spread,
    /// p50 of the first two seconds, or of all where there are fewer, in MFLOP/s.
    pub(crate) burst: u64,
    /// p10 of the second half, in MFLOP/s; p50 of it where the series is too short to tell a rate that falls from a machine
    /// that did something else for a moment.
    pub(crate) sustained: u64,
    /// Whether the rate held; `None` where the series is too short to tell.
    pub(crate) throttling: Option<Throttling>,
}

impl Rates {
    /// Reads a series in the order in which it was timed; `None` where it is empty.
    pub(crate) fn of(slices: &[Slice]) -> Option<Self> {
        let early = slices.partition_point(|slice| slice.ended <= BURST).max(1);
        let spread = |slices: &[Slice]| {
            let rates: Vec<u64> = slices.iter().map(|slice| slice.rate).collect();
            Spread::of(&rates)
        };
        let burst = spread(slices.get(..early)?)?.p50;
        let late = spread(&slices[slices.len() / 2..])?;
        let throttling = throttling(slices, burst);
        Some(Self {
            spread: spread(slices)?,
            burst,
            sustained: throttling.map_or(late.p50, |_| late.p10),
            throttling,
        })
    }
}

/// Compares the medians of windows with the beginning, and looks at the line through them.
fn throttling(slices: &[Slice], burst: u64) -> Option<Throttling> {
    if slices.last()?.ended < SHOWS_THROTTLING || slices.len() < WINDOWS {
        return None;
    }
    let windows = medians(slices);
    let late: Vec<u64> = windows[windows.len() / 2..]
        .iter()
        .map(|(_, mflops)| *mflops)
        .collect();
    let fallen = Spread::of(&late)?.p10 * 100 < burst * HELD_PERCENT;
    let falling = falls_per_minute(&windows, burst) < FALLING_PER_MINUTE;
    Some(if fallen || falling {
        Throttling::Slowed
    } else {
        Throttling::None
    })
}

/// Returns the middle of each window in minutes, and the median of its slices.
fn medians(slices: &[Slice]) -> Vec<(f64, u64)> {
    (0..WINDOWS)
        .filter_map(|window| {
            let bound = |window| slices.len() * window / WINDOWS;
            let slices = &slices[bound(window)..bound(window + 1)];
            let rates: Vec<u64> = slices.iter().map(|slice| slice.rate).collect();
            let minutes = slices.get(slices.len() / 2)?.ended.as_secs_f64() / 60.0;
            Some((minutes, Spread::of(&rates)?.p50))
        })
        .collect()
}

/// Returns the slope of the least-squares line as a part of `burst` a minute; 0 where it is not certain.
fn falls_per_minute(windows: &[(f64, u64)], burst: u64) -> f64 {
    let count = windows.len() as f64;
    let part = |mflops: u64| mflops as f64 / burst.max(1) as f64;
    let mean_time = windows.iter().map(|(time, _)| time).sum::<f64>() / count;
    let mean_part = windows.iter().map(|(_, rate)| part(*rate)).sum::<f64>() / count;
    let (mut of_times, mut of_both) = (0.0, 0.0);
    for (time, rate) in windows {
        of_times += (time - mean_time).powi(2);
        of_both += (time - mean_time) * (part(*rate) - mean_part);
    }
    let slope = of_both / of_times;
    let residual =
        |(time, rate): &(f64, u64)| (part(*rate) - mean_part - slope * (time - mean_time)).powi(2);
    let residuals: f64 = windows.iter().map(residual).sum();
    let error = (residuals / (count - 2.0) / of_times).sqrt();
    if slope.abs() > CERTAIN_ERRORS * error {
        slope
    } else {
        0.0
    }
}

#[cfg(test)]
mod tests;
