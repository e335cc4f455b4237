//! Owns `nightshift wallet balance`.
//!
//! Never computes money: the node verified it against a proof.

use market_node::api::BalanceView;

use crate::cli::Context;
use crate::words;

/// Arguments of `wallet balance`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Shows what can be spent and what is locked.
pub(crate) async fn execute(_args: Args, context: &Context) -> anyhow::Result<()> {
    let view: BalanceView = context.client().await?.get("/v1/wallet/balance").await?;
    context.print(&view, text)
}

/// Writes the balance, what is locked, and the proof.
pub(super) fn text(view: &BalanceView) -> String {
    let age = words::age(view.stale_s);
    let age = age.map_or_else(String::new, |age| {
        format!(", as of {age} ago: the operator does not answer")
    });
    format!(
        "{}\n{} locked in channels\n{} in all\nproved by block {}{age}\n",
        view.available, view.in_channels, view.total, view.height
    )
}
