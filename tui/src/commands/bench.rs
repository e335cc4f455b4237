//! Owns `nightshift bench`: the measurements of docs/measurements, reproducible by one command each.
//!
//! Never asserts a figure; it prints them.

mod ledger;
mod order;
mod soak;
mod worker;
mod yielding;

use std::time::Duration;

use clap::Subcommand;
use gpu_probe::Adapter;
use provider::Workplace;
use serde::Serialize;

use crate::cli::Context;

/// What can be measured.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Time from an accepted run request to the first step's metric, over real processes on loopback
    Order(order::Args),
    /// Time from submitting a transfer to its proof of finality, on an operator of this process
    Ledger(ledger::Args),
    /// What confinement costs: starts, work, memory and ends of workers with and without it, and behind bubblewrap
    Worker(worker::Args),
    /// Time from the owner's wish to the end of a worker at work, and until the card answers others as if it were idle
    Yield(yielding::Args),
    /// Hundreds of jobs, good and hostile ones in turn, and what is left of them on this machine
    Soak(soak::Args),
}

/// Measures one thing.
pub(crate) async fn execute(command: BenchCommand, context: &Context) -> anyhow::Result<()> {
    match command {
        BenchCommand::Order(args) => Box::pin(order::execute(args, context)).await,
        BenchCommand::Ledger(args) => ledger::execute(args, context).await,
        BenchCommand::Worker(args) => worker::execute(args, context).await,
        BenchCommand::Yield(args) => yielding::execute(args, context).await,
        BenchCommand::Soak(args) => soak::execute(args, context).await,
    }
}

/// Finds what this machine would sell and where the bench's own jobs are computed on it: the processor where there is no
/// card, or no adapter at all.
fn workplace() -> anyhow::Result<(Workplace, Option<Adapter>)> {
    let adapter = gpu_probe::best_adapter().ok();
    let workplace = match &adapter {
        Some(adapter) => Workplace::of_own_jobs(adapter.info())?,
        None => Workplace::processor(),
    };
    Ok((workplace, adapter))
}

/// Milliseconds over some tries.
#[derive(Debug, Serialize)]
struct Times {
    p50_ms: f64,
    max_ms: f64,
}

impl Times {
    fn of(mut taken: Vec<Duration>) -> Self {
        taken.sort_unstable();
        let millis = |percent| percentile(&taken, percent).as_secs_f64() * 1_000.0;
        Self {
            p50_ms: millis(50),
            max_ms: millis(100),
        }
    }

    /// Writes them behind `what` they are of.
    fn line(&self, what: &str) -> String {
        let Self { p50_ms, max_ms } = self;
        format!("{what:<50} p50 {p50_ms:>9.3} ms, max {max_ms:>9.3} ms\n")
    }
}

/// Returns the nearest-rank percentile of sorted samples; zero where there is none.
fn percentile<T: Copy + Default>(sorted: &[T], percent: usize) -> T {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}
