//! Owns the rows of each panel as text.
//!
//! Never knows where a panel stands.

use std::time::Duration;

use market_node::api::{BestPrice, BidView, JobView, LeaseView, StatusView};
use ratatui::text::Line;

use super::model::Model;
use crate::plot;
use crate::privacy;
use crate::render_run::loss_line;
use crate::table::{Side, Table};
use crate::words;

/// The most GPUs listed.
const MAX_GPUS: usize = 4;

/// The list of keys, and what a job can do to who sells.
pub(super) const HELP: &[&str] = &[
    "1       home: this node",
    "2       market: classes, depth and candles",
    "Tab     the next screen; Shift-Tab: the one before",
    "",
    "↑↓ j k  market: choose a class",
    "i       market: candles of a minute, an hour, a day",
    "",
    "p       pause selling at once, or resume",
    "q       quit; a node in another process goes on",
    "?       this list",
    "",
    privacy::SELLING_HELP[0],
    privacy::SELLING_HELP[1],
    privacy::SELLING_HELP[2],
    privacy::SELLING_HELP[3],
    "",
    "Any key closes this.",
];

/// The question before running work is stopped.
pub(super) const CONFIRM_QUIT: &[&str] = &[
    "The node lives in this terminal. Keep earning without the screen?",
    "",
    "k   keep: the screen closes, the node goes on here until Ctrl-C",
    "q   stop: a lease ends early and is paid; jobs go on at the next start",
    "",
    "Any other key stays. `nightshift up --install` runs a node for good.",
];

/// Lists earnings and balance.
pub(super) fn money(model: &Model) -> Vec<Line<'static>> {
    let mut rows = Vec::new();
    if let Some(provider) = model.provider() {
        rows.push(format!("earned today  {}", provider.earned_today));
        rows.push(format!("earned in all {}", provider.earned));
    }
    if let Some(status) = model.status() {
        match &status.balance {
            Some(balance) => {
                rows.push(format!("balance       {}", balance.available));
                if model.provider().is_none() {
                    rows.push(format!("locked        {}", balance.in_channels));
                }
                rows.extend(
                    words::age(balance.stale_s).map(|age| format!("as of         {age} ago")),
                );
            }
            None => rows.push("balance       not yet verified".to_owned()),
        }
    }
    rows.into_iter().map(Line::from).collect()
}

/// Lists the running lease and the running jobs; a bar is as wide as `width` cells allow.
pub(super) fn running(model: &Model, width: usize) -> Vec<String> {
    let mut rows = Vec::new();
    if let Some(lease) = model
        .provider()
        .and_then(|provider| provider.lease.as_ref())
    {
        rows.extend(lease_rows(lease, width));
        rows.extend(loss_line(&model.losses));
    }
    let jobs = model
        .status()
        .map(|status| status.jobs.as_slice())
        .unwrap_or_default();
    rows.extend(jobs.iter().flat_map(|job| job_rows(job, width)));
    let bids = model.status().map(|status| status.bids.as_slice());
    rows.extend(bids.unwrap_or_default().iter().flat_map(bid_rows));
    if rows.is_empty() {
        rows.push("nothing".to_owned());
    }
    let notes = model.status().map(|status| status.notes.as_slice());
    let notes = notes.unwrap_or_default().iter();
    rows.extend(notes.map(|note| format!("note: {}", words::printable(note))));
    rows
}

fn lease_rows(lease: &LeaseView, width: usize) -> Vec<String> {
    let metered = lease.meter.running_ms.saturating_add(lease.meter.hold_ms);
    let metered = words::duration(Duration::from_millis(metered));
    let phase = words::phase(lease.phase);
    let (agreement, price, earned) = (
        lease.agreement.short(),
        lease.price_per_hour,
        lease.promised,
    );
    let mut rows = vec![format!(
        "lease {agreement}  {phase} {metered} at {price}: {earned}"
    )];
    rows.extend(lease.progress.map(|progress| bar(progress, width)));
    rows
}

fn job_rows(job: &JobView, width: usize) -> Vec<String> {
    let kind = words::printable(&job.kind);
    let state = words::state(job);
    let (run, price, paid) = (job.run, job.price_per_hour, job.paid);
    let mut rows = vec![format!(
        "run {run}  {kind} {state} on {} at {price}: {paid}",
        job.class
    )];
    if job.outcome.is_none() {
        rows.extend(job.progress.map(|progress| bar(progress, width)));
    }
    let refund = job.pending_refund.as_ref().map(words::pending_refund);
    rows.extend(refund.map(|refund| format!("  comes back: {refund}")));
    let note = job.note.as_deref().map(words::printable);
    rows.extend(note.map(|note| format!("  {note}")));
    rows
}

fn bid_rows(bid: &BidView) -> Vec<String> {
    let kind = words::printable(&bid.kind);
    let mut rows = vec![format!("bid {}  {kind} {}", bid.run, words::bid(bid))];
    let why = [&bid.misfits, &bid.note].into_iter().flatten();
    rows.extend(why.map(|why| format!("  {}", words::printable(why))));
    rows
}

fn bar(progress: (u64, u64), width: usize) -> String {
    let steps = words::steps(progress);
    let room = width.saturating_sub(steps.len() + 3).min(60);
    format!("{}  {steps}", plot::bar(progress, room))
}

/// Names the panel of what this machine sells.
pub(super) fn machine_title(model: &Model) -> String {
    match model.provider() {
        Some(provider) => format!(" This machine at {} ", provider.price),
        None => " This machine ".to_owned(),
    }
}

/// Lists the measured GPUs and what confines jobs; nothing where the node does not sell.
pub(super) fn gpus(model: &Model) -> Vec<String> {
    let Some(provider) = model.provider() else {
        return Vec::new();
    };
    let mut rows: Vec<String> = provider
        .gpus
        .iter()
        .take(MAX_GPUS)
        .map(words::gpu)
        .collect();
    if rows.is_empty() {
        rows.push("no GPU is measured yet".to_owned());
    }
    if provider.gpus.len() > MAX_GPUS {
        rows.push(format!("and {} more", provider.gpus.len() - MAX_GPUS));
    }
    let layers = words::plural(provider.sandbox.layers.len(), "layer");
    let problem = provider
        .sandbox
        .problem
        .as_deref()
        .unwrap_or("not checked yet");
    rows.push(match provider.sandbox.ready {
        true => format!("jobs confined by {layers}; every test attack was stopped"),
        false => format!("jobs cannot be confined: {}", words::printable(problem)),
    });
    rows
}

/// Lists the cheapest offer of each class; the classes that this machine sells come first, marked.
pub(super) fn prices(model: &Model) -> Vec<String> {
    let Some(status) = model.status() else {
        return Vec::new();
    };
    if status.best_prices.is_empty() {
        return vec!["no offer stands in this node's copy of the book".to_owned()];
    }
    let mut table = Table::new([
        ("", Side::Left),
        ("class", Side::Left),
        ("best price", Side::Right),
        ("offers", Side::Right),
    ]);
    let (own, others): (Vec<&BestPrice>, Vec<_>) = status
        .best_prices
        .iter()
        .partition(|best| is_own(status, best));
    let marked = own.into_iter().map(|best| (">", best));
    for (mark, best) in marked.chain(others.into_iter().map(|best| ("", best))) {
        table.row([
            mark.to_owned(),
            best.class.to_string(),
            best.price.to_string(),
            best.offers.to_string(),
        ]);
    }
    table.to_string().lines().map(str::to_owned).collect()
}

fn is_own(status: &StatusView, best: &BestPrice) -> bool {
    let gpus = status
        .provider
        .as_ref()
        .map(|provider| provider.gpus.as_slice());
    gpus.unwrap_or_default()
        .iter()
        .any(|gpu| gpu.class == best.class)
}
