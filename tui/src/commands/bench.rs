//! Owns `nightshift bench`: the measurements of docs/measurements, reproducible by one command each.
//!
//! Never asserts a figure; it prints them.

mod ledger;
mod order;
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
    /// Time from starting a worker to LOCKED, and the same warm-up without confinement
    Worker(worker::Args),
}

/// Measures one thing.
pub(crate) async fn execute(command: BenchCommand, context: &Context) -> anyhow::Result<()> {
    match command {
        BenchCommand::Order(args) => Box::pin(order::execute(args, context)).await,
        BenchCommand::Ledger(args) => ledger::execute(args, context).await,
        BenchCommand::Worker(args) => worker::execute(args, context).await,
    }
}

/// Returns the nearest-rank percentile of sorted samples; zero where there is none.
fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}
