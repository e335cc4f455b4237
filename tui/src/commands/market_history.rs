//! Owns `nightshift market history`: the candles of a class.
//!
//! Never computes one; the node does. On a terminal the table stands below a picture.

use std::time::Duration;

use market::gpu::GpuClass;
use market_node::api::{CandlesView, RowCount};
use matching::{Candle, Interval};

use crate::cli::Context;
use crate::table::{Side, Table};
use crate::{output, picture, words};

/// Arguments of `market history`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Candles are made of settled channels alone. A span without a trade has none."
)]
pub(crate) struct Args {
    /// The class, for example 16T-12G
    class: GpuClass,
    /// What one candle spans: 1m, 1h or 1d
    #[arg(long, value_name = "SPAN", default_value_t = Interval::Hour)]
    interval: Interval,
    /// How many of the newest candles, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = RowCount::CANDLES, allow_negative_numbers = true)]
    count: RowCount,
}

/// Lists the newest candles of a class, oldest first.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let Args {
        class,
        interval,
        count,
    } = args;
    let path = format!("/v1/market/history?class={class}&interval={interval}&count={count}");
    let view: CandlesView = context.client().await?.get(&path).await?;
    context.print(&view, |view| {
        let picture = output::width().map(|width| picture::candles_text(view, width));
        format!("{}{}", picture.unwrap_or_default(), text(view))
    })
}

/// Writes the table.
pub(super) fn text(view: &CandlesView) -> String {
    if view.candles.is_empty() {
        return format!("No channel of class {} has settled yet.\n", view.class);
    }
    format!(
        "{} in spans of {}\n{}",
        view.class,
        view.interval,
        table(view)
    )
}

fn table(view: &CandlesView) -> Table<8> {
    let mut table = Table::new([
        ("FROM (UTC)", Side::Left),
        ("OPEN", Side::Right),
        ("HIGH", Side::Right),
        ("LOW", Side::Right),
        ("CLOSE", Side::Right),
        ("PAID", Side::Right),
        ("GPU TIME", Side::Right),
        ("TRADES", Side::Right),
    ]);
    view.candles
        .iter()
        .for_each(|candle| table.row(cells(candle)));
    table
}

fn cells(candle: &Candle) -> [String; 8] {
    [
        words::utc(candle.start),
        candle.open.to_string(),
        candle.high.to_string(),
        candle.low.to_string(),
        candle.close.to_string(),
        candle.volume.paid.to_string(),
        words::duration(Duration::from_millis(candle.volume.gpu_ms)),
        candle.volume.trades.to_string(),
    ]
}
