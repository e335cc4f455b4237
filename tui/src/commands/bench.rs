//! Owns `nightshift bench`: the measurements of docs/measurements, reproducible by one command each.
//!
//! Never asserts a figure; it prints them.

mod ledger;
mod order;
mod soak;
mod worker;

use clap::Subcommand;

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
    /// Hundreds of jobs, good and hostile ones in turn, and what is left of them on this machine
    Soak(soak::Args),
}

/// Measures one thing.
pub(crate) async fn execute(command: BenchCommand, context: &Context) -> anyhow::Result<()> {
    match command {
        BenchCommand::Order(args) => Box::pin(order::execute(args, context)).await,
        BenchCommand::Ledger(args) => ledger::execute(args, context).await,
        BenchCommand::Worker(args) => worker::execute(args, context).await,
        BenchCommand::Soak(args) => soak::execute(args, context).await,
    }
}

/// Returns the nearest-rank percentile of sorted samples; zero where there is none.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}
