//! Owns `nightshift market trades`: the newest settled channels.
//!
//! Never shows what has not settled.

use std::time::Duration;

use market::gpu::GpuClass;
use market_node::api::{RowCount, TradeRow, TradesView};

use crate::cli::Context;
use crate::table::{Side, Table};
use crate::words;

/// Arguments of `market trades`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A trade is a channel that settled and paid something. `nightshift ledger show CHANNEL` proves one, with \
                  the id in full that --json has."
)]
pub(crate) struct Args {
    /// Only this class, for example 16T-12G
    class: Option<GpuClass>,
    /// How many of the newest trades, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = RowCount::TRADES, allow_negative_numbers = true)]
    count: RowCount,
}

/// Lists the newest trades, newest first.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let mut path = format!("/v1/market/trades?count={}", args.count);
    if let Some(class) = args.class {
        path.push_str(&format!("&class={class}"));
    }
    let view: TradesView = context.client().await?.get(&path).await?;
    context.print(&view, |view| text(view, args.class))
}

/// Writes the table.
pub(super) fn text(view: &TradesView, wanted: Option<GpuClass>) -> String {
    match (view.trades.is_empty(), wanted) {
        (false, _) => table(view).to_string(),
        (true, None) => "No channel has settled yet.\n".to_owned(),
        (true, Some(class)) => format!("No channel of class {class} has settled yet.\n"),
    }
}

fn table(view: &TradesView) -> Table<10> {
    let mut table = Table::new([
        ("SETTLED (UTC)", Side::Left),
        ("CLASS", Side::Left),
        ("PRICE", Side::Right),
        ("GPUS", Side::Right),
        ("GPU TIME", Side::Right),
        ("PAID", Side::Right),
        ("PAYER", Side::Left),
        ("PAYEE", Side::Left),
        ("BLOCK", Side::Right),
        ("CHANNEL", Side::Left),
    ]);
    view.trades.iter().for_each(|row| table.row(cells(row)));
    table
}

fn cells(row: &TradeRow) -> [String; 10] {
    [
        words::utc(row.settled_at),
        row.class.to_string(),
        row.price.to_string(),
        row.gpus.to_string(),
        words::duration(Duration::from_millis(row.gpu_ms)),
        row.paid.to_string(),
        row.payer.short(),
        row.payee.short(),
        row.height.to_string(),
        row.channel.short(),
    ]
}
