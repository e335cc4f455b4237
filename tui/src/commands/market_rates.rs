//! Owns `nightshift market rates`: what an hour of one class is worth in hours of another.
//!
//! Never computes a rate; the node does.

use market_node::api::{PriceSource, RatePrice, RatesView};

use crate::cli::Context;
use crate::table::{Side, Table};

/// Arguments of `market rates`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Rates are made of the best price that each class has: its index, else half-way between best bid and \
                  best ask, else its last trade. They are rounded down."
)]
pub(crate) struct Args {}

/// Shows the cross rates of all classes that have a price.
pub(crate) async fn execute(_args: Args, context: &Context) -> anyhow::Result<()> {
    let view: RatesView = context.client().await?.get("/v1/market/rates").await?;
    context.print(&view, text)
}

/// Writes the prices, and then the rates.
pub(super) fn text(view: &RatesView) -> String {
    if view.classes.is_empty() {
        return "No class has a price: none has a bid and an ask, and no channel has settled yet.\n"
            .to_owned();
    }
    format!("{}\n{}", prices(view), rates(view))
}

fn prices(view: &RatesView) -> String {
    let mut table = Table::new([
        ("CLASS", Side::Left),
        ("PRICE", Side::Right),
        ("FROM", Side::Left),
    ]);
    for (class, RatePrice { price, source }) in view.classes.iter().zip(&view.prices) {
        let from = match source {
            PriceSource::Index => "the class index",
            PriceSource::Mid => "half-way between best bid and best ask",
            PriceSource::Last => "the last trade",
        };
        table.row([class.to_string(), price.to_string(), from.to_owned()]);
    }
    table.to_string()
}

/// Writes a row and a column a class, as wide as the widest name or rate.
fn rates(view: &RatesView) -> String {
    let names: Vec<String> = view.classes.iter().map(ToString::to_string).collect();
    let rows = view.rates_ppm.iter();
    let rows: Vec<Vec<String>> = rows.map(|row| row.iter().map(decimal).collect()).collect();
    let cells = names.iter().chain(rows.iter().flatten());
    let width = cells.map(String::len).max().unwrap_or_default();
    let mut text = "One hour of a row's class is worth so many of a column's:\n".to_owned();
    text.push_str(&line("", &names, width));
    for (name, row) in names.iter().zip(&rows) {
        text.push_str(&line(name, row, width));
    }
    text
}

fn line(name: &str, cells: &[String], width: usize) -> String {
    let mut line = format!("{name:width$}");
    cells
        .iter()
        .for_each(|cell| line.push_str(&format!("  {cell:>width$}")));
    line.push('\n');
    line
}

/// Writes 1/10^6 as a decimal.
fn decimal(ppm: &u64) -> String {
    format!("{}.{:06}", ppm / 1_000_000, ppm % 1_000_000)
}
