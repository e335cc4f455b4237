//! Owns `nightshift orders`: what this node has in the book, and why it is not filled.
//!
//! Never changes an order; `cancel-order` does.

use std::time::Duration;

use market_node::api::{OrderRow, OrderSide, OrderState, OrdersView};

use crate::cli::Context;
use crate::output::{self, Form};
use crate::table::{Side, Table};
use crate::words;

/// Arguments of `orders`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print the ids of the orders alone, one a line
    #[arg(long)]
    id_only: bool,
}

/// Lists the orders.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let view: OrdersView = context.client().await?.get("/v1/orders").await?;
    if !args.id_only {
        return context.print(&view, text);
    }
    let ids: Vec<String> = view
        .orders
        .iter()
        .map(|row| row.order.to_string())
        .collect();
    match context.form {
        Form::Json => context.print(&ids, |ids| ids.join("\n")),
        Form::Text if ids.is_empty() => Ok(()),
        Form::Text => output::data(&ids.join("\n")),
    }
}

/// Writes the table.
pub(super) fn text(view: &OrdersView) -> String {
    if view.orders.is_empty() {
        return "No order of this node stands. `nightshift up --provide` sells; `nightshift ask` says why nothing is \
                offered.\n"
            .to_owned();
    }
    let mut table = Table::new([
        ("ORDER", Side::Left),
        ("SIDE", Side::Left),
        ("CLASS", Side::Left),
        ("PRICE", Side::Right),
        ("GPUS", Side::Right),
        ("SINCE", Side::Right),
        ("ENDS IN", Side::Right),
        ("STATE", Side::Left),
        ("WHY", Side::Left),
    ]);
    for row in &view.orders {
        table.row(cells(row, view));
    }
    table.to_string()
}

fn cells(row: &OrderRow, view: &OrdersView) -> [String; 9] {
    let age = view.time.saturating_since(row.since);
    [
        row.order.short(),
        side(row.side).to_owned(),
        row.class.to_string(),
        row.price.to_string(),
        row.gpus.to_string(),
        format!("{} ago", words::duration(age)),
        words::duration(Duration::from_secs(row.ends_in_s)),
        state(row.state).to_owned(),
        words::printable(&row.why),
    ]
}

/// Names what an order wants.
pub(super) fn side(side: OrderSide) -> &'static str {
    match side {
        OrderSide::Ask => "ask",
        OrderSide::Bid => "bid",
    }
}

fn state(state: OrderState) -> &'static str {
    match state {
        OrderState::Standing => "standing",
        OrderState::Filling => "filling",
    }
}
