//! Owns the benchmark of fp32 matrix multiplication: its plan, its slices and the check.
//!
//! Never reports a rate of a product whose entries were not checked.

pub(crate) mod rates;
pub(crate) mod survey;
pub(crate) mod workload;

use std::time::Duration;

use throughput_proof::Operands;

use crate::device::Took;
use crate::error::ProbeError;
use crate::slices::{Pace, Plan, Quantity};
use crate::telemetry::{Recorder, Recording};
use crate::tuning::Tuning;
use crate::tuning::candidates::{candidates, named};
use crate::tuning::tournament::{Entrant, fastest};
use crate::{Bench, Effort, Stage, fresh_seed};

use rates::Rates;

/// Entries of the timed product that are recomputed on the CPU.
const CHECKED_ENTRIES: u32 = 64;

/// The time between two readings of the card's power and heat.
const READING: Duration = Duration::from_millis(100);

/// How long kernels are tried; see [`fastest`].
const fn choosing(effort: Effort) -> Duration {
    match effort {
        Effort::Quick => Duration::from_millis(700),
        Effort::Full | Effort::Soak(_) => Duration::from_secs(5),
    }
}

/// How long the parts of the measurement take: longer than those of other figures, since the class rests on it.
const fn plan(effort: Effort) -> Plan {
    match effort {
        Effort::Quick => Plan {
            warm_up_min: Duration::from_millis(300),
            warm_up_max: Duration::from_millis(1_500),
            timed: Duration::from_secs(2),
        },
        Effort::Full => Plan {
            warm_up_min: Duration::from_secs(1),
            warm_up_max: Duration::from_secs(5),
            timed: Duration::from_secs(20),
        },
        Effort::Soak(timed) => Plan {
            timed,
            ..plan(Effort::Full)
        },
    }
}

/// Measures fp32 matrix multiplication with the kernel that `tuning` remembers, or that a tournament finds and `tuning`
/// remembers from then on; checks entries of what was timed. Also returns what the card told while it was timed.
pub(crate) fn measure(
    mut bench: Bench<'_>,
    tuning: &mut Tuning,
) -> Result<(Rates, Recording), ProbeError> {
    let plan = plan(bench.effort);
    (bench.report)(Stage::Preparing, 0);
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
            choosing(bench.effort),
        )?,
    };
    let workload = &entrant.workload;
    let run = &mut |repeats| workload.run(repeats).map(Took::by_wall);
    let pace = Pace::settle(&mut bench, run, &plan)?;
    workload.forget()?;
    let recorder = Recorder::start(bench.adapter, READING);
    let product = Quantity::Operations(workload.shape().operations());
    let slices = pace.slices(&mut bench, product, (run, &plan));
    let recording = recorder.map(Recorder::stop).unwrap_or_default();
    let slices = slices?;
    (bench.report)(Stage::Checking, 0);
    // Drawn only now that the product exists.
    workload.check(&fresh_seed("positions"), CHECKED_ENTRIES)?;
    tuning.remember(bench.adapter, &workload.kernel());
    let rates = Rates::of(&slices).expect("a timed run has at least one slice");
    Ok((rates, recording))
}

#[cfg(test)]
mod tests;
