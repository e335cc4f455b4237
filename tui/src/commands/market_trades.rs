//! Owns `nightshift market trades`: the newest settled channels.
//!
//! Never shows what has not settled.

use std::time::Duration;

use market::gpu::GpuClass;
use market_node::api::{RowCount, TradeRow, TradesView};

use crate::cli::Context;
use crate::filter::{Field, TRADE_FIELDS};
use crate::listing::{self, Choice, Listed, Listing};
use crate::table::{Side, Table};
use crate::words;

impl Listed for TradeRow {
    const NOUN: &'static str = "trade";
    const PLACE: &'static str = "looked at";
    const NONE: &'static str =
        "No trade to look at: no channel has settled yet, or none of the class asked for.";
    const COMMAND: &'static str = "nightshift market trades";

    fn fields() -> &'static [Field<Self>] {
        &TRADE_FIELDS
    }
}

/// What a trade is.
const TRADE: &str = "A trade is a channel that settled and paid something. `nightshift ledger show CHANNEL` proves one, \
                     with the id in full that --json has.";

/// Arguments of `market trades`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = TRADE,
    after_long_help = format!("{TRADE}\n\n{}", listing::help::<TradeRow>(
        "nightshift market trades --class 16T-12G\n\
         nightshift market trades --count 1000 'paid>0.1 time>=10m' -o -price"
    ))
)]
pub(crate) struct Args {
    /// Look at trades of this class alone, for example 16T-12G
    #[arg(long)]
    class: Option<GpuClass>,
    /// Look at so many of the newest trades, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = RowCount::TRADES, allow_negative_numbers = true)]
    count: RowCount,
    #[command(flatten)]
    choice: Choice<TradeRow>,
}

/// Lists the newest trades, newest first.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let mut path = format!("/v1/market/trades?count={}", args.count);
    if let Some(class) = args.class {
        path.push_str(&format!("&class={class}"));
    }
    let view: TradesView = context.client().await?.get(&path).await?;
    let trades = args.choice.of(view.trades, context.form);
    trades.print(context, text, |trades| TradesView { trades })
}

/// Writes the table, and how many trades it is of.
pub(super) fn text(trades: &Listing<TradeRow>) -> String {
    let table = Table::new([
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
    trades.text(table, cells)
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
