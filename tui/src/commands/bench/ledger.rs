//! Owns `nightshift bench ledger`.
//!
//! Never leaves out the disk: every transfer is in a block that was flushed.

use market_node::ledger::bench::{Plan, submit_to_final};

use crate::cli::Context;

/// Arguments of `bench ledger`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Transfers in all
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    transfers: u32,
    /// Accounts that submit at the same time
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    submitters: u32,
}

/// Submits transfers to an operator in a temporary folder.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let plan = Plan {
        transfers: args.transfers,
        submitters: args.submitters,
    };
    let report = submit_to_final(folder.path(), plan).await?;
    context.print(&report, |report| {
        format!(
            "submit to final over {} transfers, {} at a time: p50 {:.1} ms, p99 {:.1} ms, {:.0} a second",
            report.transfers,
            report.submitters,
            report.p50_us as f64 / 1_000.0,
            report.p99_us as f64 / 1_000.0,
            report.per_second
        )
    })
}
