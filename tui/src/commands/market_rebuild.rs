//! Owns `nightshift market rebuild`: this node's market data, made again from the ledger.
//!
//! Never changes anything but this node's own copy.

use market_node::api::RebuildView;

use crate::cli::Context;
use crate::words;

/// Arguments of `market rebuild`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Every trade that is kept is held against the proof of its channel: who paid whom, how much, at which \
                  price, for how many GPUs of which class. When a channel settled, and that no trade is left out, is \
                  the operator's word. Equal digests on two nodes are equal market data."
)]
pub(crate) struct Args {}

/// Makes market data again.
pub(crate) async fn execute(_args: Args, context: &Context) -> anyhow::Result<()> {
    let client = context.client().await?;
    let view: RebuildView = client.post("/v1/market/rebuild", &()).await?;
    context.print(&view, text)
}

/// Writes what is held now, and whether it is what was held before.
pub(super) fn text(view: &RebuildView) -> String {
    let trades = usize::try_from(view.trades).unwrap_or(usize::MAX);
    let trades = words::plural(trades, "trade");
    let digest = words::printable(&view.digest);
    let before = match view.digest == view.digest_before {
        true => "It is what this node had before.".to_owned(),
        false => format!(
            "What this node had before was wrong, and is gone; its digest was {}.",
            words::printable(&view.digest_before)
        ),
    };
    format!(
        "Market data are made again up to block {}: {trades}, each held against the proof of its channel.\n\
         digest {digest}\n{before}\n",
        view.height
    )
}
