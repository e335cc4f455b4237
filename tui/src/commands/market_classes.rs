//! Owns `nightshift market classes`: every class at a glance.
//!
//! Never computes a price; the node does.

use std::time::Duration;

use market::PricePerHour;
use market_node::api::{ClassRow, ClassesView, IndexView};

use crate::cli::Context;
use crate::table::{Side, Table};
use crate::words;

/// Arguments of `market classes`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Bids and asks are those of this node's copy of the book. LAST, 24H, PAID, GPU TIME and INDEX come from \
                  settled channels alone. INDEX is the median price of the GPU time that was paid for in the last \
                  hour, two accounts that trade with each other counting for at most a tenth; below five payers there \
                  is none."
)]
pub(crate) struct Args {}

/// Lists the classes.
pub(crate) async fn execute(_args: Args, context: &Context) -> anyhow::Result<()> {
    let view: ClassesView = context.client().await?.get("/v1/market/classes").await?;
    context.print(&view, text)
}

/// Writes the table, and up to which block trades are counted.
pub(super) fn text(view: &ClassesView) -> String {
    if view.classes.is_empty() {
        return format!(
            "No class has an order or a trade.\n{}",
            counted(view.height)
        );
    }
    let classes = match view.classes.len() {
        1 => "1 class".to_owned(),
        number => format!("{number} classes"),
    };
    format!("{}{classes}\n{}", table(view), counted(view.height))
}

fn table(view: &ClassesView) -> Table<13> {
    let mut table = Table::new([
        ("CLASS", Side::Left),
        ("BID", Side::Right),
        ("ASK", Side::Right),
        ("MID", Side::Right),
        ("SPREAD", Side::Right),
        ("LAST", Side::Right),
        ("24H", Side::Right),
        ("PAID 24H", Side::Right),
        ("GPU TIME 24H", Side::Right),
        ("BIDS", Side::Right),
        ("ASKS", Side::Right),
        ("GPUS", Side::Right),
        ("INDEX", Side::Left),
    ]);
    view.classes.iter().for_each(|row| table.row(cells(row)));
    table
}

fn cells(row: &ClassRow) -> [String; 13] {
    let volume = row.volume_24h;
    [
        row.class.to_string(),
        price(row.best_bid),
        price(row.best_ask),
        price(row.mid),
        price(row.spread),
        price(row.last),
        row.change_24h_bps.map_or_else(nothing, percent),
        volume.paid.to_string(),
        words::duration(Duration::from_millis(volume.gpu_ms)),
        row.bids.to_string(),
        row.asks.to_string(),
        row.gpus.to_string(),
        index(&row.index),
    ]
}

fn nothing() -> String {
    "-".to_owned()
}

fn price(price: Option<PricePerHour>) -> String {
    price.map_or_else(nothing, |price| price.to_string())
}

/// Writes 1/10^4 as percent with its sign.
fn percent(basis_points: i64) -> String {
    let sign = match basis_points {
        ..0 => "-",
        0 => "",
        1.. => "+",
    };
    let size = basis_points.unsigned_abs();
    format!("{sign}{}.{:02} %", size / 100, size % 100)
}

/// Writes the index, or how many more would have to pay.
fn index(index: &IndexView) -> String {
    let (payers, needed) = (index.payers, index.payers_needed);
    match index.price {
        Some(price) => format!("{price} of {payers} payers"),
        None => format!("no price: {payers} of {needed} payers in the last hour"),
    }
}

fn counted(height: Option<u64>) -> String {
    match height {
        Some(height) => format!("Trades are counted up to block {height}.\n"),
        None => {
            "No trades are known: no operator has told this node of any yet; see `nightshift status`.\n".to_owned()
        }
    }
}
