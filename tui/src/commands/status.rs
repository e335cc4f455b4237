//! Owns `nightshift status`: the node at a glance, in one box.
//!
//! Never asks anyone but the node of this home.

use std::io::IsTerminal as _;

use market_node::api::{BidView, JobView, ProviderView, StatusView};

use crate::cli::Context;
use crate::table::boxed;
use crate::words;

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Shows the node at a glance.
pub(crate) async fn execute(_args: Args, context: &Context) -> anyhow::Result<()> {
    let view: StatusView = context.client().await?.get("/v1/status").await?;
    let draw = match std::io::stdout().is_terminal() {
        true => text,
        false => plain,
    };
    context.print(&view, draw)
}

/// Writes the box, for a terminal.
pub(super) fn text(view: &StatusView) -> String {
    let title = format!("nightshift {}", words::printable(&view.version));
    boxed(&title, &rows(view))
}

/// Writes a line a row, for a file or a pipe.
pub(super) fn plain(view: &StatusView) -> String {
    let rows = rows(view);
    let line = |(name, value): &(&str, String)| format!("{name:<10} {value}\n");
    rows.iter().map(line).collect()
}

fn rows(view: &StatusView) -> Vec<(&'static str, String)> {
    let mut rows = service(view);
    rows.extend(wallet(view));
    match &view.provider {
        Some(provider) => rows.extend(selling(provider)),
        None => rows.push(("selling", "no; this node buys".to_owned())),
    }
    rows.extend(jobs(view));
    let notes = view
        .notes
        .iter()
        .map(|note| ("note", words::printable(note)));
    rows.extend(notes);
    rows
}

fn service(view: &StatusView) -> Vec<(&'static str, String)> {
    let market = words::printable(&view.market);
    let height = match view.height {
        Some(height) => format!("block {height}"),
        None => "no verified block yet".to_owned(),
    };
    let operator = match view.operator_reachable {
        true => "operator answers",
        false => "operator does not answer",
    };
    let peers = words::plural(view.peers, "peer");
    let offers = words::plural(view.offers, "offer");
    vec![
        ("market", format!("{market}, chain {}", view.chain.short())),
        ("node", view.node.short()),
        ("service", format!("{peers}, {height}, {operator}")),
        ("book", offers),
    ]
}

fn wallet(view: &StatusView) -> Vec<(&'static str, String)> {
    let money = match &view.balance {
        Some(balance) => {
            let age = words::age(balance.stale_s);
            let age = age.map_or_else(String::new, |age| format!(", as of {age} ago"));
            format!(
                "{}, {} locked in channels{age}",
                balance.available, balance.in_channels
            )
        }
        None => "not yet verified".to_owned(),
    };
    let mut rows = vec![("account", view.account.to_string()), ("wallet", money)];
    let refund = |job: &JobView| {
        let pending = words::pending_refund(job.pending_refund.as_ref()?);
        Some(("refund due", format!("{pending}, of run {}", job.run)))
    };
    rows.extend(view.jobs.iter().filter_map(refund));
    rows
}

fn selling(view: &ProviderView) -> Vec<(&'static str, String)> {
    let state = words::selling(view.state);
    let why = match view.why.is_empty() {
        true => String::new(),
        false => format!(": {}", words::printable(&view.why)),
    };
    let mut rows = vec![
        ("selling", format!("{state} at {}{why}", view.price)),
        ("price", words::printable(&view.ask.why)),
        (
            "earned",
            format!("{} today, {} in all", view.earned_today, view.earned),
        ),
    ];
    if let Some(lease) = &view.lease {
        let phase = words::phase(lease.phase);
        let steps = lease.progress.map(words::steps).unwrap_or_default();
        let line = format!("{} {phase} {steps}", lease.agreement.short());
        rows.push(("lease", line.trim_end().to_owned()));
    }
    rows.extend(view.gpus.iter().map(|gpu| ("gpu", words::gpu(gpu))));
    let layers = words::layers(&view.sandbox.layers);
    let problem = view.sandbox.problem.as_deref().unwrap_or("not ready");
    let sandbox = match view.sandbox.ready {
        true => format!("ready: {layers}"),
        false => words::printable(problem),
    };
    rows.push(("sandbox", sandbox));
    rows
}

fn jobs(view: &StatusView) -> Vec<(&'static str, String)> {
    let running = view.jobs.iter().filter(|job| job.outcome.is_none());
    let mut rows: Vec<(&'static str, String)> = running.flat_map(job).collect();
    rows.extend(view.bids.iter().flat_map(bid));
    if rows.is_empty() {
        rows.push(("jobs", "none running".to_owned()));
    }
    rows
}

fn bid(bid: &BidView) -> Vec<(&'static str, String)> {
    let kind = words::printable(&bid.kind);
    let mut rows = vec![("bid", format!("{} {kind} {}", bid.run, words::bid(bid)))];
    let why = [&bid.misfits, &bid.note].into_iter().flatten();
    rows.extend(why.map(|why| ("", words::printable(why))));
    rows
}

fn job(job: &JobView) -> Vec<(&'static str, String)> {
    let steps = job.progress.map(words::steps).unwrap_or_default();
    let (kind, state) = (words::printable(&job.kind), words::state(job));
    let line = format!("{} {kind} {state} {steps}", job.run);
    let note = job.note.as_deref().map(words::printable);
    let mut rows = vec![("job", line.trim_end().to_owned())];
    rows.extend(note.map(|note| ("", note)));
    rows
}
