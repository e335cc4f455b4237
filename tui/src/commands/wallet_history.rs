//! Owns `nightshift wallet history`: what came in and what went out.
//!
//! Never computes money.

use market_node::api::HistoryRow;

use crate::cli::Context;
use crate::table::{Side, Table};
use crate::words;

/// Arguments of `wallet history`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {}

/// Lists the account's history, newest first.
pub(crate) async fn execute(_args: Args, context: &Context) -> anyhow::Result<()> {
    let view: Vec<HistoryRow> = context.client().await?.get("/v1/wallet/history").await?;
    context.print(&view, |view| text(view))
}

/// Writes the table.
pub(super) fn text(rows: &[HistoryRow]) -> String {
    if rows.is_empty() {
        return "Nothing came in and nothing went out yet.\n".to_owned();
    }
    let mut table = Table::new([
        ("BLOCK", Side::Right),
        ("TIME (UTC)", Side::Left),
        ("WHAT", Side::Left),
        ("CHANGE", Side::Right),
        ("BALANCE", Side::Right),
        ("TRANSACTION", Side::Left),
        ("NOTE", Side::Left),
    ]);
    for row in rows {
        table.row([
            row.height.to_string(),
            words::utc(row.time),
            words::printable(&row.what),
            words::printable(&row.change),
            row.balance.to_string(),
            row.tx.map_or_else(|| "-".to_owned(), |tx| tx.short()),
            words::printable(&row.memo),
        ]);
    }
    table.to_string()
}
