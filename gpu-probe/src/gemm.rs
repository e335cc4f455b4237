//! Owns the benchmark of fp32 matrix multiplication: its plan, its slices and the check.
//!
//! Never reports a rate of a product whose entries were not checked.

pub(crate) mod rates;
pub(crate) mod survey;
pub(crate) mod workload;

use std::time::{Duration, Instant};

use throughput_proof::{Operands, Shape};

use crate::error::ProbeError;
use crate::telemetry::{Recorder, Recording};
use crate::tuning::Tuning;
use crate::tuning::candidates::{candidates, named};
use crate::tuning::tournament::{Entrant, fastest};
use crate::{Bench, Effort, Stage, fresh_seed};

use rates::{Rates, Slice};
use workload::Workload;

/// Entries of the timed product that are recomputed on the CPU.
const CHECKED_ENTRIES: u32 = 64;

/// Clocks count as settled when two slices differ by less than this part.
const SETTLED_PART: u32 = 33;

/// The time between two readings of the card's power and heat.
const READING: Duration = Duration::from_millis(100);

/// How long the parts of a measurement take.
struct Plan {
    /// For trying kernels; see [`fastest`].
    choosing: Duration,
    warm_up_min: Duration,
    warm_up_max: Duration,
    timed: Duration,
}

impl Plan {
    const fn of(effort: Effort) -> Self {
        match effort {
            Effort::Quick => Self {
                choosing: Duration::from_millis(700),
                warm_up_min: Duration::from_millis(300),
                warm_up_max: Duration::from_millis(1_500),
                timed: Duration::from_secs(2),
            },
            Effort::Full => Self {
                choosing: Duration::from_secs(5),
                warm_up_min: Duration::from_secs(1),
                warm_up_max: Duration::from_secs(5),
                timed: Duration::from_secs(20),
            },
            Effort::Soak(timed) => Self {
                timed,
                ..Self::of(Effort::Full)
            },
        }
    }
}

/// Measures fp32 matrix multiplication with the kernel that `tuning` remembers, or that a tournament finds and `tuning`
/// remembers from then on; checks entries of what was timed. Also returns what the card told while it was timed.
pub(crate) fn measure(
    bench: Bench<'_>,
    tuning: &mut Tuning,
) -> Result<(Rates, Recording), ProbeError> {
    let plan = Plan::of(bench.effort);
    let report = bench.report;
    report(Stage::Preparing, 0);
    let operands = Operands::new(&fresh_seed("operands"));
    let offered = bench.session.offered();
    let known = tuning
        .take(bench.adapter)
        .and_then(|name| named(&offered, &name));
    let entrant = match known {
        Some(kernel) => Entrant::fitting(bench.session, operands, kernel)?,
        None => fastest(
            bench.session,
            operands,
            &candidates(&offered),
            plan.choosing,
        )?,
    };
    let (workload, repeats) = (&entrant.workload, entrant.repeats());
    report(Stage::WarmingUp, 0);
    warm_up(workload, repeats, &plan)?;
    workload.forget()?;
    let recorder = Recorder::start(bench.adapter, READING);
    let slices = timed(workload, repeats, plan.timed, &mut |permille| {
        report(Stage::Timing, permille);
    });
    let recording = recorder.map(Recorder::stop).unwrap_or_default();
    let slices = slices?;
    report(Stage::Checking, 0);
    // Drawn only now that the product exists.
    workload.check(&fresh_seed("positions"), CHECKED_ENTRIES)?;
    tuning.remember(bench.adapter, &workload.kernel());
    let rates = Rates::of(&slices).expect("a timed run has at least one slice");
    Ok((rates, recording))
}

/// Runs slices until two in a row take the same time, within the plan's bounds.
fn warm_up(workload: &Workload, repeats: u32, plan: &Plan) -> Result<(), ProbeError> {
    let start = Instant::now();
    let mut before = workload.run(repeats)?;
    loop {
        let now = workload.run(repeats)?;
        let settled = now.abs_diff(before) * SETTLED_PART < before;
        let elapsed = start.elapsed();
        if elapsed >= plan.warm_up_max || (settled && elapsed >= plan.warm_up_min) {
            return Ok(());
        }
        before = now;
    }
}

/// Runs slices for `length` and returns them, at least one.
fn timed(
    workload: &Workload,
    repeats: u32,
    length: Duration,
    report_permille: &mut dyn FnMut(u16),
) -> Result<Vec<Slice>, ProbeError> {
    let start = Instant::now();
    let mut slices = Vec::new();
    loop {
        let took = workload.run(repeats)?;
        let ended = start.elapsed();
        let mflops = mflops(workload.shape(), repeats, took);
        slices.push(Slice { ended, mflops });
        let permille = ended.as_millis() * 1_000 / length.as_millis().max(1);
        report_permille(u16::try_from(permille.min(1_000)).unwrap_or(1_000));
        if permille >= 1_000 {
            return Ok(slices);
        }
    }
}

/// Returns the rate of `repeats` products in `took`, in MFLOP/s.
pub(crate) fn mflops(shape: Shape, repeats: u32, took: Duration) -> u64 {
    // One operation a nanosecond is 1,000 MFLOP/s.
    let operations = u128::from(shape.operations()) * u128::from(repeats);
    let rate = operations * 1_000 / took.as_nanos().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
