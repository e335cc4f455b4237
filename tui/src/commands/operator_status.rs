//! Owns `nightshift operator status`.
//!
//! Never adds up money: the ledger's audit did.

use market_node::api::OperatorView;

use crate::cli::Context;
use crate::table::boxed;
use crate::words;

/// Arguments of `operator status`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Shows the operator at a glance.
pub(crate) async fn execute(_args: Args, context: &Context) -> anyhow::Result<()> {
    let view: OperatorView = context.client().await?.get("/v1/operator/status").await?;
    context.print(&view, text)
}

/// Names who signs blocks, and since when.
fn signers(view: &OperatorView) -> String {
    let names: Vec<String> = view.operators.iter().map(|it| it.short()).collect();
    format!("{} since block {}", names.join(", "), view.operators_since)
}

/// Lists the newest blocks with what they hold.
fn last_blocks(view: &OperatorView) -> String {
    let blocks = view.last_blocks.iter();
    let blocks: Vec<String> = blocks
        .map(|block| format!("{} ({} tx)", block.height, block.transactions))
        .collect();
    blocks.join(", ")
}

/// Says what became final and what was refused, by the rule that it broke.
fn since_start(view: &OperatorView) -> String {
    let finals = format!("{} since the start", view.finals);
    let refused = view.refused.iter();
    let refused =
        refused.map(|(rule, count)| format!("{count} refused: {}", words::printable(rule)));
    std::iter::once(finals)
        .chain(refused)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Writes the box, and the join string on its own line so that it can be copied.
pub(super) fn text(view: &OperatorView) -> String {
    let audit = &view.audit;
    let conserved = match audit.conserved {
        true => "yes: available + channels + fees = issued - redeemed - burned",
        false => "NO: the sums differ; stop the operator and keep its log",
    };
    let rows = [
        (
            "block",
            format!("{} of {} UTC", view.height, words::utc(view.time)),
        ),
        ("signed by", signers(view)),
        ("peers", view.peers.to_string()),
        ("issued", audit.issued.to_string()),
        ("redeemed", audit.redeemed.to_string()),
        ("burned", audit.burned.to_string()),
        ("available", audit.available.to_string()),
        ("channels", audit.channels.to_string()),
        ("fees", audit.fees.to_string()),
        ("conserved", conserved.to_owned()),
        ("newest", last_blocks(view)),
        ("finals", since_start(view)),
    ];
    format!(
        "{}join string:\n{}\n",
        boxed("operator", &rows),
        words::printable(&view.join)
    )
}
