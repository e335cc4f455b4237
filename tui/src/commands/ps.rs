//! Owns `nightshift ps`: the jobs that this node bought.
//!
//! Never changes a job.

use market_node::api::JobView;

use crate::cli::Context;
use crate::table::{Side, Table};
use crate::words;

/// Arguments of `ps`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Lists the jobs.
pub(crate) async fn execute(_args: Args, context: &Context) -> anyhow::Result<()> {
    let view: Vec<JobView> = context.client().await?.get("/v1/jobs").await?;
    context.print(&view, |view| text(view))
}

/// Writes the table.
pub(super) fn text(jobs: &[JobView]) -> String {
    if jobs.is_empty() {
        return "No jobs yet; buy one with `nightshift run JOB.toml`.\n".to_owned();
    }
    let mut table = Table::new([
        ("JOB", Side::Left),
        ("AGREEMENT", Side::Left),
        ("KIND", Side::Left),
        ("STATE", Side::Left),
        ("STEP", Side::Right),
        ("CLASS", Side::Left),
        ("PRICE", Side::Right),
        ("PAID", Side::Right),
        ("REFUNDED", Side::Right),
        ("STARTED (UTC)", Side::Left),
    ]);
    for job in jobs {
        table.row(row(job));
    }
    table.to_string()
}

fn row(job: &JobView) -> [String; 10] {
    let state = match job.outcome {
        Some(outcome) => words::outcome(outcome),
        None => words::phase(job.phase),
    };
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        job.job.short(),
        job.agreement.short(),
        words::printable(&job.kind),
        state.to_owned(),
        or_dash(job.progress.map(words::steps)),
        job.class.to_string(),
        job.price_per_hour.to_string(),
        job.paid.to_string(),
        or_dash(job.refunded.map(|refunded| refunded.to_string())),
        words::utc(job.started_at),
    ]
}
