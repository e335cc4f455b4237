//! Owns `nightshift describe`: everything that is known of one run.
//!
//! Never changes a run.

use std::time::Duration;

use market_node::api::{
    ArtefactView, AttemptView, BidDetail, BudgetView, JobDetail, JobView, RunDetail, RunId,
};

use crate::cli::Context;
use crate::run_name::RunName;
use crate::table::{Side, Table};
use crate::words;

/// Arguments of `describe`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The run: its first digits, or latest
    #[arg(value_name = "RUN")]
    run: RunName,
}

/// Shows everything that is known of a run.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let client = context.client().await?;
    let view: RunDetail = client.get(&format!("/v1/jobs/{}", args.run)).await?;
    context.print(&view, |view| match view {
        RunDetail::Job(detail) => text(detail),
        RunDetail::Bid(detail) => bid_text(detail),
    })
}

/// Writes a run that has bought nothing yet.
pub(super) fn bid_text(detail: &BidDetail) -> String {
    let bid = &detail.bid;
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
    let mut rows = vec![
        ("run", bid.run.to_string()),
        ("job", format!("{}, {}", bid.job, bid.kind)),
        ("state", words::bid(bid)),
        ("class", format!("{} or better", bid.class)),
        ("misfits", or_dash(&bid.misfits)),
        (
            "locks",
            format!("at most {}, when somebody sells", bid.deposit),
        ),
        ("order", or_dash(&bid.order.map(|order| order.to_string()))),
        ("outputs", bid.output.display().to_string()),
        ("started", format!("{} UTC", words::utc(bid.since))),
        ("budget", budget(&detail.budget)),
    ];
    rows.extend(needs(detail.sandbox_level));
    rows.push(("events", events(detail.events, bid.run)));
    rows.extend(bid.note.clone().map(|note| ("note", note)));
    rows.iter().map(line).collect()
}

fn line((name, value): &(&str, String)) -> String {
    let value = words::printable(value);
    format!("{name:<10} {value}\n")
}

fn events((first, next): (u64, u64), run: RunId) -> String {
    let kept = match next.checked_sub(1) {
        Some(last) if first <= last => format!("numbers {first} to {last}"),
        _ => "none are kept".to_owned(),
    };
    format!("{kept}; `nightshift logs {run}`")
}

/// Writes the run, its attempts and its files.
pub(super) fn text(detail: &JobDetail) -> String {
    let mut rows = at_a_glance(&detail.job);
    rows.extend(limits(detail));
    let mut text: String = rows.iter().map(line).collect();
    text.push_str("\nAttempts\n");
    text.push_str(&attempts(&detail.attempts));
    let lost = detail.attempts.iter().filter_map(lost);
    text.extend(lost);
    text.push_str("\nDelivered\n");
    text.push_str(&artefacts(&detail.artefacts));
    text
}

fn at_a_glance(job: &JobView) -> Vec<(&'static str, String)> {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let mut rows = vec![
        ("run", job.run.to_string()),
        ("job", format!("{}, {}", job.job, job.kind)),
        ("state", words::state(job)),
        ("progress", or_dash(job.progress.map(words::steps))),
        (
            "provider",
            format!("{}, {}", job.provider.short(), job.class),
        ),
        ("price", job.price_per_hour.to_string()),
        ("paid", format!("{} of at most {}", job.paid, job.deposit)),
        (
            "refunded",
            or_dash(job.refunded.map(|refunded| refunded.to_string())),
        ),
    ];
    if let Some(pending) = &job.pending_refund {
        rows.push(("refund due", words::pending_refund(pending)));
    }
    rows.push(("outputs", job.output.display().to_string()));
    rows.push(("started", format!("{} UTC", words::utc(job.started_at))));
    rows.extend(job.note.clone().map(|note| ("note", note)));
    rows
}

fn limits(detail: &JobDetail) -> Vec<(&'static str, String)> {
    let limits = &detail.spec.limits;
    let time = words::duration(Duration::from_secs(limits.wall_clock_s.into()));
    let memory = words::bytes(limits.memory_bytes);
    let outputs = words::bytes(limits.output_bytes);
    let after = |step| format!("another provider would go on after step {step}");
    let checkpoint = detail.checkpoint_step.map_or_else(
        || "none yet; another provider would begin again".to_owned(),
        after,
    );
    let mut rows = vec![
        ("budget", budget(&detail.budget)),
        (
            "limits",
            format!("{time} of work, {memory} of memory, {outputs} of outputs"),
        ),
    ];
    rows.extend(needs(detail.sandbox_level));
    rows.push(("checkpoint", checkpoint));
    rows.push(("events", events(detail.events, detail.job.run)));
    rows
}

/// Says which sandbox a provider must have; nothing where any will do.
fn needs(sandbox_level: u8) -> Option<(&'static str, String)> {
    let words = format!("a sandbox of level {sandbox_level} at least");
    (sandbox_level > 1).then_some(("needs", words))
}

fn budget(budget: &BudgetView) -> String {
    let mut parts = Vec::new();
    parts.extend(budget.total.map(|total| format!("{total} in all")));
    parts.extend(budget.max_price.map(|price| format!("at most {price}")));
    let ticks = |ticks| format!("{ticks} ticks paid beyond the last delivered output");
    parts.extend(budget.delivery_ticks.map(ticks));
    match parts.is_empty() {
        true => "its time limit at the first price".to_owned(),
        false => parts.join(", "),
    }
}

fn attempts(attempts: &[AttemptView]) -> String {
    if attempts.is_empty() {
        return "none yet\n".to_owned();
    }
    let mut table = Table::new([
        ("NO", Side::Right),
        ("AGREEMENT", Side::Left),
        ("PROVIDER", Side::Left),
        ("CLASS", Side::Left),
        ("PRICE", Side::Right),
        ("STATE", Side::Left),
        ("FROM", Side::Right),
        ("LOCKED", Side::Right),
        ("PAID", Side::Right),
        ("REFUNDED", Side::Right),
        ("STARTED (UTC)", Side::Left),
    ]);
    for attempt in attempts {
        table.row([
            attempt.attempt.to_string(),
            attempt.agreement.short(),
            attempt.provider.short(),
            attempt.class.to_string(),
            attempt.rates.price_per_hour.to_string(),
            words::ended_or_phase(attempt.outcome, attempt.phase).to_owned(),
            attempt.from_step.to_string(),
            attempt.deposit.to_string(),
            attempt.paid.to_string(),
            refund(attempt),
            words::utc(attempt.started_at),
        ]);
    }
    table.to_string()
}

fn refund(attempt: &AttemptView) -> String {
    match (&attempt.refunded, &attempt.pending_refund) {
        (Some(refunded), _) => refunded.to_string(),
        (None, Some(pending)) => format!("{} due", pending.amount),
        (None, None) => "-".to_owned(),
    }
}

fn lost(attempt: &AttemptView) -> Option<String> {
    let reason = words::printable(attempt.lost.as_deref()?);
    Some(format!(
        "Attempt {} was given up: {reason}\n",
        attempt.attempt
    ))
}

/// Writes the table of delivered files.
pub(super) fn artefacts(artefacts: &[ArtefactView]) -> String {
    if artefacts.is_empty() {
        return "nothing yet\n".to_owned();
    }
    let mut table = Table::new([
        ("NAME", Side::Left),
        ("SIZE", Side::Right),
        ("HASH", Side::Left),
        ("DELIVERED (UTC)", Side::Left),
        ("PATH", Side::Left),
    ]);
    for artefact in artefacts {
        table.row([
            words::printable(&artefact.name),
            words::bytes(artefact.bytes),
            artefact.hash.short(),
            words::utc(artefact.delivered_at),
            words::printable(&artefact.path.display().to_string()),
        ]);
    }
    table.to_string()
}
