//! Owns the time of one empty submission, from the call to its fence.
//!
//! Never averages: the host's own hiccups are in the spread.

use std::time::{Duration, Instant};

use market::gpu::Spread;

use crate::error::ProbeError;
use crate::{Bench, Effort, Stage};

/// Submissions before the first that counts.
const WARM_UP: u32 = 20;

/// Measures the latency, in nanoseconds.
pub(crate) fn measure(bench: Bench<'_>) -> Result<Spread, ProbeError> {
    let samples: u32 = match bench.effort {
        Effort::Quick => 200,
        Effort::Full | Effort::Soak(_) => 2_000,
    };
    (bench.report)(Stage::WarmingUp, 0);
    for _ in 0..WARM_UP {
        bench.session.run(|_| ())?;
    }
    (bench.report)(Stage::Timing, 0);
    let mut latencies = Vec::new();
    let mut shown = Instant::now();
    for sample in 0..samples {
        latencies.push(nanos(bench.session.run(|_| ())?)?);
        if shown.elapsed() >= Duration::from_millis(100) {
            shown = Instant::now();
            let permille = sample * 1_000 / samples;
            (bench.report)(Stage::Timing, u16::try_from(permille).expect("below 1,000"));
        }
    }
    Ok(Spread::of(&latencies).expect("at least 200 samples were taken"))
}

/// Returns a latency in nanoseconds.
///
/// # Errors
/// It is zero: nothing is submitted and waited for in no time.
fn nanos(latency: Duration) -> Result<u64, ProbeError> {
    match u64::try_from(latency.as_nanos()) {
        Ok(nanos) if nanos > 0 => Ok(nanos),
        _ => Err(ProbeError::Absurd {
            amount: 1,
            unit: "submissions",
            nanos: latency.as_nanos(),
        }),
    }
}

#[cfg(test)]
mod tests;
