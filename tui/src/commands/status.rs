//! Owns `nightshift status`: the node at a glance, in one box.
//!
//! Never asks anyone but the node of this home.

use market_node::api::{JobView, ProviderView, StatusView};

use crate::cli::Context;
use crate::table::boxed;
use crate::words;

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Shows the node at a glance.
pub(crate) async fn execute(_args: Args, context: &Context) -> anyhow::Result<()> {
    let view: StatusView = context.client().await?.get("/v1/status").await?;
    context.print(&view, text)
}

/// Writes the box.
pub(super) fn text(view: &StatusView) -> String {
    let mut rows = service(view);
    rows.extend(wallet(view));
    match &view.provider {
        Some(provider) => rows.extend(selling(provider)),
        None => rows.push(("selling", "no; this node buys".to_owned())),
    }
    rows.extend(jobs(&view.jobs));
    boxed(
        &format!("nightshift {}", words::printable(&view.version)),
        &rows,
    )
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
        Some(balance) => format!(
            "{}, {} locked in channels",
            balance.available, balance.in_channels
        ),
        None => "not yet verified".to_owned(),
    };
    vec![("account", view.account.to_string()), ("wallet", money)]
}

fn selling(view: &ProviderView) -> Vec<(&'static str, String)> {
    let state = words::selling(view.state);
    let why = match view.why.is_empty() {
        true => String::new(),
        false => format!(": {}", words::printable(&view.why)),
    };
    let mut rows = vec![
        ("selling", format!("{state} at {}{why}", view.price)),
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

fn jobs(jobs: &[JobView]) -> Vec<(&'static str, String)> {
    if jobs.is_empty() {
        return vec![("jobs", "none running".to_owned())];
    }
    let row = |job: &JobView| {
        let steps = job.progress.map(words::steps).unwrap_or_default();
        let (kind, phase) = (words::printable(&job.kind), words::phase(job.phase));
        let line = format!("{} {kind} {phase} {steps}", job.job.short());
        ("job", line.trim_end().to_owned())
    };
    jobs.iter().map(row).collect()
}
