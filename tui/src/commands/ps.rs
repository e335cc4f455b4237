//! Owns `nightshift ps`: the jobs that this node bought, and its bids.
//!
//! Never changes a job.

use market::Timestamp;
use market_node::api::{BidState, BidView, JobView, RunId, RunView};

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
    let client = context.client().await?;
    let (jobs, bids) = (client.get("/v1/jobs").await?, client.get("/v1/bids").await?);
    let view = match args.all {
        true => merged(jobs, bids),
        false => merged(recent(jobs), recent_bids(bids)),
    };
    if !args.id_only {
        return context.print(&view, |view| text(view));
    }
    let ids: Vec<String> = view.iter().map(|run| id(run).to_string()).collect();
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

/// Keeps the bids that go on, and the last ones that ended.
fn recent_bids(bids: Vec<BidView>) -> Vec<BidView> {
    let mut ended = 0;
    let is_kept = |bid: &BidView| {
        if goes_on(bid) {
            return true;
        }
        ended += 1;
        ended <= RECENT
    };
    bids.into_iter().filter(is_kept).collect()
}

/// Lists jobs and bids together, the newest first.
pub(super) fn merged(jobs: Vec<JobView>, bids: Vec<BidView>) -> Vec<RunView> {
    let jobs = jobs.into_iter().map(|job| RunView::Job(Box::new(job)));
    let bids = bids.into_iter().map(|bid| RunView::Bid(Box::new(bid)));
    let mut runs: Vec<RunView> = jobs.chain(bids).collect();
    runs.sort_by_key(|run| std::cmp::Reverse(began(run)));
    runs
}

fn goes_on(bid: &BidView) -> bool {
    matches!(bid.state, BidState::Waiting | BidState::Filling)
}

fn began(run: &RunView) -> Timestamp {
    match run {
        RunView::Job(job) => job.started_at,
        RunView::Bid(bid) => bid.since,
    }
}

fn id(run: &RunView) -> RunId {
    match run {
        RunView::Job(job) => job.run,
        RunView::Bid(bid) => bid.run,
    }
}

/// Writes the table.
pub(super) fn text(runs: &[RunView]) -> String {
    if runs.is_empty() {
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
    for run in runs {
        table.row(match run {
            RunView::Job(job) => row(job),
            RunView::Bid(bid) => bid_row(bid),
        });
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

fn bid_row(bid: &BidView) -> [String; 8] {
    let dash = || "-".to_owned();
    let why = bid.note.as_ref().or(bid.misfits.as_ref());
    let why = why.map(|why| words::printable(why));
    let note = match why {
        Some(why) if goes_on(bid) => format!("{}; {why}", words::bid(bid)),
        Some(why) => why,
        None => words::bid(bid),
    };
    [
        bid.run.to_string(),
        words::printable(&bid.kind),
        "bid".to_owned(),
        dash(),
        dash(),
        market::Amount::ZERO.to_string(),
        dash(),
        note,
    ]
}
