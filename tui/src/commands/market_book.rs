//! Owns `nightshift market book`: the standing offers.
//!
//! Never ranks them; the node's copy of the book is in order already.

use market_node::api::{BookRow, BookView};

use crate::cli::Context;
use crate::table::{Side, Table};
use crate::words;

const MIB: u64 = 1 << 20;

/// Arguments of `market book`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Lists the standing offers.
pub(crate) async fn execute(_args: Args, context: &Context) -> anyhow::Result<()> {
    let view: BookView = context.client().await?.get("/v1/book").await?;
    context.print(&view, text)
}

/// Writes the table.
pub(super) fn text(view: &BookView) -> String {
    if view.asks.is_empty() {
        return "No offers stand in this node's copy of the book.\n".to_owned();
    }
    let mut table = Table::new([
        ("CLASS", Side::Left),
        ("PRICE", Side::Right),
        ("GPUS", Side::Right),
        ("MEMORY", Side::Right),
        ("LONGEST", Side::Right),
        ("PROVEN", Side::Left),
        ("LAPSES IN", Side::Right),
        ("SELLER", Side::Left),
        ("ORDER", Side::Left),
    ]);
    for row in &view.asks {
        table.row(cells(row));
    }
    format!("{table}{}\n", words::plural(view.asks.len(), "offer"))
}

fn cells(row: &BookRow) -> [String; 9] {
    let seconds = |seconds| words::duration(std::time::Duration::from_secs(seconds));
    [
        row.class.to_string(),
        row.price.to_string(),
        row.gpus.to_string(),
        words::bytes(row.usable_mib.saturating_mul(MIB)),
        seconds(row.max_duration_s.into()),
        if row.proven { "yes" } else { "no" }.to_owned(),
        seconds(row.expires_in_s),
        row.node.short(),
        row.order.short(),
    ]
}
