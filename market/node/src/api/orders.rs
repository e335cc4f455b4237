//! Owns listing what this node has in the book, of both sides.
//!
//! Never says why an order is not filled: who sells and who buys know that, and add it.

use market::Timestamp;
use market::order::Slot;
use matching::{Book, ListedAsk, ListedBid};

use super::server::ApiError;
use super::views::{OrderRow, OrderSide, OrderState, OrdersView};
use crate::node::Node;

/// Lists this node's orders that stand in its copy of the book, by slot.
///
/// # Errors
/// The book cannot be read, for example before protocol time is known.
pub async fn own_orders(node: &Node) -> Result<OrdersView, ApiError> {
    let own = node.identity.node();
    let read = node.book.read(move |book: &Book, now| {
        let asks = book.asks(now).filter(|listed| listed.register.node == own);
        let bids = book.bids(now).filter(|listed| listed.register.node == own);
        let asks = asks.map(|listed| ask_row(&listed, now));
        let mut orders: Vec<OrderRow> = asks.chain(bids.map(|bid| bid_row(&bid, now))).collect();
        orders.sort_by_key(|row| row.slot);
        OrdersView { time: now, orders }
    });
    read.await.map_err(ApiError::failed)
}

/// Finds the one of this node's orders whose id begins with `digits`.
///
/// # Errors
/// None does, or several do, or the book cannot be read.
pub async fn own_order(node: &Node, digits: &str) -> Result<OrderRow, ApiError> {
    let orders = own_orders(node).await?.orders.into_iter();
    let mut found = orders.filter(|row| row.order.to_string().starts_with(digits));
    match (found.next(), found.next()) {
        (Some(row), None) => Ok(row),
        (Some(_), Some(_)) => Err(ApiError::bad_request(format!(
            "several orders of this node begin with {digits}; write more of the digits that `nightshift orders` shows"
        ))),
        (None, _) => Err(ApiError::not_found(format!(
            "no order of this node that stands begins with {digits}; `nightshift orders` lists them"
        ))),
    }
}

/// Takes what stands in a slot of this node out of the book.
///
/// # Errors
/// The book cannot be used now.
pub async fn cancel_slot(node: &Node, slot: u8) -> Result<(), ApiError> {
    let slot = Slot::try_from(slot).map_err(ApiError::bad_request)?;
    let cancelled = node.book.cancel(slot).await;
    cancelled.map(|_| ()).map_err(ApiError::failed)
}

fn ask_row(listed: &ListedAsk<'_>, now: Timestamp) -> OrderRow {
    OrderRow {
        order: listed.order,
        slot: listed.register.slot.number(),
        side: OrderSide::Ask,
        class: listed.ask.class,
        price: listed.ask.price,
        gpus: listed.ask.gpus,
        // Two posts of one millisecond are numbered one apart, so that the second is ahead of its time.
        since: listed.posted_at.min(now),
        ends_in_s: listed.expires_at.saturating_since(now).as_secs(),
        state: OrderState::Standing,
        why: String::new(),
    }
}

fn bid_row(listed: &ListedBid<'_>, now: Timestamp) -> OrderRow {
    OrderRow {
        order: listed.order,
        slot: listed.register.slot.number(),
        side: OrderSide::Bid,
        class: listed.bid.class,
        price: listed.bid.max_price,
        gpus: listed.bid.gpus,
        since: listed.posted_at.min(now),
        ends_in_s: listed.expires_at.saturating_since(now).as_secs(),
        state: OrderState::Standing,
        why: String::new(),
    }
}

#[cfg(test)]
mod tests;
