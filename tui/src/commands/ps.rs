//! Owns `nightshift ps`: the jobs that this node bought.
//!
//! Never changes a job.

use market_node::api::JobView;

use crate::cli::Context;
use crate::output::{self, Form};
use crate::table::{Side, Table};
use crate::words;

/// Ended jobs that are listed without `--all`, the newest.
const RECENT: usize = 10;

/// Arguments of `ps`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also list the jobs that ended before the last ten that did
    #[arg(short, long)]
    all: bool,
    /// Print the ids of the runs alone, one a line
    #[arg(long)]
    id_only: bool,
}

/// Lists the jobs, the newest first.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let mut view: Vec<JobView> = context.client().await?.get("/v1/jobs").await?;
    if !args.all {
        view = recent(view);
    }
    if !args.id_only {
        return context.print(&view, |view| text(view));
    }
    let ids: Vec<String> = view.iter().map(|job| job.run.to_string()).collect();
    match context.form {
        Form::Json => context.print(&ids, |ids| ids.join("\n")),
        Form::Text if ids.is_empty() => Ok(()),
        Form::Text => output::data(&ids.join("\n")),
    }
}

/// Keeps what goes on, what still gets money back, and the last ones that ended.
pub(super) fn recent(jobs: Vec<JobView>) -> Vec<JobView> {
    let mut ended = 0;
    let is_kept = |job: &JobView| {
        if job.outcome.is_none() || job.pending_refund.is_some() {
            return true;
        }
        ended += 1;
        ended <= RECENT
    };
    jobs.into_iter().filter(is_kept).collect()
}

/// Writes the table.
pub(super) fn text(jobs: &[JobView]) -> String {
    if jobs.is_empty() {
        return "No jobs yet; buy one with `nightshift run JOB.toml`.\n".to_owned();
    }
    let mut table = Table::new([
        ("RUN", Side::Left),
        ("KIND", Side::Left),
        ("PHASE", Side::Left),
        ("PROGRESS", Side::Right),
        ("PROVIDER", Side::Left),
        ("PAID", Side::Right),
        ("REFUND PENDING", Side::Left),
        ("NOTE", Side::Left),
    ]);
    for job in jobs {
        table.row(row(job));
    }
    table.to_string()
}

fn row(job: &JobView) -> [String; 8] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    [
        job.run.to_string(),
        words::printable(&job.kind),
        words::state(job),
        or_dash(job.progress.map(words::steps)),
        job.provider.short(),
        job.paid.to_string(),
        or_dash(job.pending_refund.as_ref().map(words::pending_refund)),
        or_dash(job.note.as_deref().map(words::printable)),
    ]
}
