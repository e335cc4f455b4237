//! Owns `nightshift market book`: the standing offers, those that a person asks for.
//!
//! Never ranks them; the node's copy of the book is in order already, unless another order is asked for.

use market_node::api::{BookRow, BookView};

use crate::cli::Context;
use crate::filter::{Field, OFFER_FIELDS};
use crate::listing::{self, Choice, Listed, Listing};
use crate::table::{Side, Table};
use crate::words;

const MIB: u64 = 1 << 20;

impl Listed for BookRow {
    const NOUN: &'static str = "offer";
    const PLACE: &'static str = "in the book";
    const NONE: &'static str = "No offers stand in this node's copy of the book.";
    const COMMAND: &'static str = "nightshift market book";

    fn fields() -> &'static [Field<Self>] {
        &OFFER_FIELDS
    }
}

/// Arguments of `market book`.
#[derive(Debug, clap::Args)]
#[command(after_long_help = listing::help::<BookRow>(
    "nightshift market book 'tier>=12 price<0.4' -o -tflops,price\n\
     nightshift market book 'class=16T-12G,23T-24G duration>=2h attributes=f16' --explain"
))]
pub(crate) struct Args {
    #[command(flatten)]
    choice: Choice<BookRow>,
}

/// Lists the standing offers.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let view: BookView = context.client().await?.get("/v1/book").await?;
    let time = view.time;
    let offers = args.choice.of(view.asks, context.form);
    offers.print(context, text, |asks| BookView { time, asks })
}

/// Writes the table and how much of the book it is.
pub(super) fn text(offers: &Listing<BookRow>) -> String {
    let table = Table::new([
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
    offers.text(table, cells)
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

#[cfg(test)]
mod tests;
