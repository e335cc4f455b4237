//! Owns `nightshift market classes`: every class at a glance.
//!
//! Never computes a price; the node does.

use std::time::Duration;

use market::PricePerHour;
use market_node::api::{ClassRow, ClassesView, IndexView};

use crate::cli::Context;
use crate::filter::{CLASS_FIELDS, Field};
use crate::listing::{self, Choice, Listed, Listing};
use crate::table::{Side, Table};
use crate::words;

impl Listed for ClassRow {
    const NOUN: &'static str = "class";
    const PLACE: &'static str = "in the market";
    const NONE: &'static str = "No class has an order or a trade.";
    const COMMAND: &'static str = "nightshift market classes";

    fn fields() -> &'static [Field<Self>] {
        &CLASS_FIELDS
    }
}

/// What the columns mean.
const COLUMNS: &str = "Bids and asks are those of this node's copy of the book. LAST, 24H, PAID, GPU TIME and INDEX come \
                       from settled channels alone. INDEX is the median price of the GPU time that was paid for in \
                       the last hour, two accounts that trade with each other counting for at most a tenth; below \
                       five payers there is none.";

/// Arguments of `market classes`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = COLUMNS,
    after_long_help = format!("{COLUMNS}\n\n{}", listing::help::<ClassRow>(
        "nightshift market classes 'tier>=12 ask<0.4' -o -paid\n\
         nightshift market classes 'change<-5 gpus>0'"
    ))
)]
pub(crate) struct Args {
    #[command(flatten)]
    choice: Choice<ClassRow>,
}

/// Lists the classes.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let view: ClassesView = context.client().await?.get("/v1/market/classes").await?;
    let ClassesView {
        time,
        height,
        classes,
    } = view;
    let classes = args.choice.of(classes, context.form);
    classes.print(
        context,
        |classes| text(classes, height),
        |classes| ClassesView {
            time,
            height,
            classes,
        },
    )
}

/// Writes the table, and up to which block trades are counted.
pub(super) fn text(classes: &Listing<ClassRow>, height: Option<u64>) -> String {
    let table = Table::new([
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
    format!("{}{}", classes.text(table, cells), counted(height))
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
