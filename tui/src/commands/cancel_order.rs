//! Owns `nightshift cancel-order`: takes one order of this node out of the book.
//!
//! Never ends a lease or a run; `cancel` ends a run.

use std::str::FromStr;

use market_node::api::OrderRow;

use super::orders;
use crate::cli::Context;
use crate::words;

/// The digits of a whole id.
const ALL_DIGITS: usize = 64;

/// The least digits that name an order.
const LEAST_DIGITS: usize = 4;

/// Arguments of `cancel-order`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The order: its first digits, as `nightshift orders` shows them
    #[arg(value_name = "ORDER")]
    order: OrderDigits,
}

/// The first digits of an order's id, as they were typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrderDigits(String);

/// A text that can name no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "an order is named by {LEAST_DIGITS} to {ALL_DIGITS} of its hexadecimal digits, as `nightshift orders` shows them"
)]
pub(crate) struct NoOrder;

impl FromStr for OrderDigits {
    type Err = NoOrder;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_long_enough = (LEAST_DIGITS..=ALL_DIGITS).contains(&text.len());
        let is_digit = |character: char| character.is_ascii_hexdigit();
        match is_long_enough && text.chars().all(is_digit) {
            true => Ok(Self(text.to_ascii_lowercase())),
            false => Err(NoOrder),
        }
    }
}

/// Cancels the order.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let client = context.client().await?;
    let path = format!("/v1/orders/{}/cancel", args.order.0);
    let row: OrderRow = client.post(&path, &serde_json::json!({})).await?;
    context.print(&row, text)
}

/// Says what was cancelled and what that means.
pub(super) fn text(row: &OrderRow) -> String {
    format!(
        "Cancelled {} {}: {} at {}.\n{}\n",
        orders::side(row.side),
        row.order.short(),
        row.class,
        row.price,
        words::printable(&row.why)
    )
}
