//! Owns what can be read from a book: the orders that stand, best prices, depth, classes.
//!
//! Never changes the book.

use std::collections::BTreeMap;

use market::gpu::GpuClass;
use market::order::{Ask, Bid, Order, OrderBody, Register, Slot};
use market::{Amount, OrderId, PricePerHour, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Book, Head, Row, Shelf, Standing};
use crate::checked::Checked;

/// An ask that stands in the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ListedAsk<'a> {
    /// Where it stands.
    pub register: Register,
    /// The id of the signed order, which an agreement names.
    pub order: OrderId,
    /// Whether its claims were proved.
    pub standing: Standing,
    /// When it was posted, in protocol time, as its maker says.
    pub posted_at: Timestamp,
    /// When it ends, in protocol time; it may fall out earlier if its node's beacons stop.
    pub expires_at: Timestamp,
    /// What is offered.
    pub ask: &'a Ask,
}

/// A bid that stands in the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ListedBid<'a> {
    /// Where it stands.
    pub register: Register,
    /// The id of the signed order.
    pub order: OrderId,
    /// When it was posted, in protocol time, as its maker says.
    pub posted_at: Timestamp,
    /// When it ends, in protocol time; it may fall out earlier if its node's beacons stop.
    pub expires_at: Timestamp,
    /// What is wanted.
    pub bid: &'a Bid,
}

/// What a class looks like at a glance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ClassSummary {
    /// The lowest price asked.
    pub best_ask: Option<PricePerHour>,
    /// The highest price bid.
    pub best_bid: Option<PricePerHour>,
    /// Asks that stand.
    pub asks: u32,
    /// Bids that stand.
    pub bids: u32,
    /// GPUs that are asked for sale.
    pub gpus: u32,
}

impl ClassSummary {
    /// Returns the price half-way between best bid and best ask, rounded down; `None` where one side is empty.
    pub fn mid(&self) -> Option<PricePerHour> {
        Some(half_way(self.best_bid?, self.best_ask?))
    }

    /// Returns the best ask less the best bid; `None` where one side is empty, or where they cross, which an
    /// indicative book may show.
    pub fn spread(&self) -> Option<PricePerHour> {
        let spread = self.best_ask?.0.checked_sub(self.best_bid?.0)?;
        Some(PricePerHour(spread))
    }
}

impl Book {
    /// Returns the asks that stand at `now`, ordered by register.
    pub fn asks(&self, now: Timestamp) -> impl Iterator<Item = ListedAsk<'_>> {
        self.standing_orders(now)
            .filter_map(move |order| self.listed(order, now))
    }

    /// Returns the bids that stand at `now`, ordered by register.
    pub fn bids(&self, now: Timestamp) -> impl Iterator<Item = ListedBid<'_>> {
        self.standing_orders(now).filter_map(|order| {
            let OrderBody::Bid(bid) = &order.value().body else {
                return None;
            };
            Some(ListedBid {
                register: register_of(order),
                order: OrderId::from_bytes(*order.id()),
                posted_at: order.value().sequence.time(),
                expires_at: order.value().expires_at,
                bid,
            })
        })
    }

    /// Returns the shelves on which the asks lie, class by class, slowest class first; also such asks as stand no more.
    pub(crate) fn shelves(&self) -> impl Iterator<Item = (GpuClass, &Shelf)> {
        self.shelves.classes()
    }

    /// Tells whether an account has asks on the shelves.
    pub(crate) fn sells(&self, account: Head) -> bool {
        self.shelves.sells(account)
    }

    /// Returns the ask of a row, if it stands at `now`.
    pub(crate) fn ask_of(&self, row: &Row, now: Timestamp) -> Option<ListedAsk<'_>> {
        let from = self.makers.range(row.node.first_node()..);
        let of_head = from.take_while(|(node, _)| Head::from(*node) == row.node);
        let mut orders = of_head.filter_map(|(_, maker)| maker.order(Slot::new(row.slot)?));
        let asks = |order: &&Checked<Order>| match &order.value().body {
            OrderBody::Ask(ask) => ask.price.0.nanocredits() == row.price,
            OrderBody::Bid(_) | OrderBody::Empty => false,
        };
        let order = orders.find(asks)?;
        self.listed(order, now)
    }

    fn listed<'a>(&'a self, order: &'a Checked<Order>, now: Timestamp) -> Option<ListedAsk<'a>> {
        let OrderBody::Ask(ask) = &order.value().body else {
            return None;
        };
        Some(ListedAsk {
            register: register_of(order),
            order: OrderId::from_bytes(*order.id()),
            standing: self.standing(order.node(), ask, now),
            posted_at: order.value().sequence.time(),
            expires_at: order.value().expires_at,
            ask,
        })
    }

    /// Returns the ask that stands under this id at `now`.
    pub fn find_ask(&self, order: OrderId, now: Timestamp) -> Option<ListedAsk<'_>> {
        self.asks(now).find(|listed| listed.order == order)
    }

    /// Tells whether a bid stands under this id at `now`.
    pub fn has_bid(&self, order: OrderId, now: Timestamp) -> bool {
        self.bids(now).any(|listed| listed.order == order)
    }

    /// Returns every class with an order that stands at `now`, slowest class first.
    pub fn classes(&self, now: Timestamp) -> BTreeMap<GpuClass, ClassSummary> {
        let mut classes: BTreeMap<GpuClass, ClassSummary> = BTreeMap::new();
        for (class, shelf) in self.shelves() {
            let mut rows = shelf.rows().filter(|row| now < row.stands_until).peekable();
            let Some(cheapest) = rows.peek() else {
                continue;
            };
            let summary = classes.entry(class).or_default();
            summary.best_ask = Some(cheapest.price());
            for row in rows {
                summary.asks = summary.asks.saturating_add(1);
                summary.gpus = summary.gpus.saturating_add(row.gpus.into());
            }
        }
        for bid in self.bids(now).map(|listed| listed.bid) {
            let summary = classes.entry(bid.class).or_default();
            summary.best_bid = summary.best_bid.max(Some(bid.max_price));
            summary.bids = summary.bids.saturating_add(1);
        }
        classes
    }

    /// Returns the rows of the asks of one class that stand at `now`, cheapest first.
    pub(crate) fn rows(&self, class: GpuClass, now: Timestamp) -> impl Iterator<Item = &Row> {
        let shelf = self.shelves.class(class).into_iter();
        shelf
            .flat_map(Shelf::rows)
            .filter(move |row| now < row.stands_until)
    }

    fn standing_orders(&self, now: Timestamp) -> impl Iterator<Item = &Checked<Order>> {
        self.makers
            .values()
            .flat_map(move |maker| maker.standing(now))
    }
}

fn register_of(order: &Checked<Order>) -> Register {
    Register {
        node: order.node(),
        slot: order.value().slot,
    }
}

/// Returns the price between two, rounded down to nanocredits.
pub(crate) fn half_way(one: PricePerHour, other: PricePerHour) -> PricePerHour {
    let (one, other) = (one.0.nanocredits(), other.0.nanocredits());
    PricePerHour(Amount::from_nanocredits(one.midpoint(other)))
}
