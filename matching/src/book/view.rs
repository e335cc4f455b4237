//! Owns what can be read from a book: the orders that stand, best prices, depth, classes.
//!
//! Never changes the book.

use std::collections::BTreeMap;

use market::gpu::GpuClass;
use market::order::{Ask, Bid, Order, OrderBody, Register};
use market::{OrderId, PricePerHour, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Book, Standing};
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
    /// When it ends, in protocol time; it may fall out earlier if its node's beacons stop.
    pub expires_at: Timestamp,
    /// What is wanted.
    pub bid: &'a Bid,
}

/// A side of the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Offers to sell, cheapest first.
    Asks,
    /// Offers to buy, dearest first.
    Bids,
}

/// All orders of one price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Level {
    /// The price of one GPU for an hour.
    pub price: PricePerHour,
    /// GPUs at this price.
    pub gpus: u32,
    /// Orders at this price.
    pub orders: u32,
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

impl Book {
    /// Returns the asks that stand at `now`, ordered by register.
    pub fn asks(&self, now: Timestamp) -> impl Iterator<Item = ListedAsk<'_>> {
        self.standing_orders(now).filter_map(move |order| {
            let OrderBody::Ask(ask) = &order.value().body else {
                return None;
            };
            Some(ListedAsk {
                register: register_of(order),
                order: OrderId::from_bytes(*order.id()),
                standing: self.standing(order.node(), ask, now),
                expires_at: order.value().expires_at,
                ask,
            })
        })
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
                expires_at: order.value().expires_at,
                bid,
            })
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

    /// Returns the cheapest ask of exactly this class at `now`: proven ones first, then by price, then
    /// by register.
    pub fn best(&self, class: GpuClass, now: Timestamp) -> Option<ListedAsk<'_>> {
        self.asks(now)
            .filter(|listed| listed.ask.class == class)
            .min_by_key(|listed| (listed.standing, listed.ask.price, listed.register))
    }

    /// Returns the price levels of one side of exactly this class, best price first.
    pub fn depth(&self, class: GpuClass, side: Side, now: Timestamp) -> Vec<Level> {
        let mut levels = BTreeMap::new();
        match side {
            Side::Asks => {
                let asks = self.asks(now).map(|listed| listed.ask);
                asks.filter(|ask| ask.class == class)
                    .for_each(|ask| stack(&mut levels, ask.price, ask.gpus));
                levels.into_values().collect()
            }
            Side::Bids => {
                let bids = self.bids(now).map(|listed| listed.bid);
                bids.filter(|bid| bid.class == class)
                    .for_each(|bid| stack(&mut levels, bid.max_price, bid.gpus));
                levels.into_values().rev().collect()
            }
        }
    }

    /// Returns every class with an order that stands at `now`, slowest class first.
    pub fn classes(&self, now: Timestamp) -> BTreeMap<GpuClass, ClassSummary> {
        let mut classes: BTreeMap<GpuClass, ClassSummary> = BTreeMap::new();
        for ask in self.asks(now).map(|listed| listed.ask) {
            let summary = classes.entry(ask.class).or_default();
            let best = summary
                .best_ask
                .map_or(ask.price, |best| best.min(ask.price));
            summary.best_ask = Some(best);
            summary.asks = summary.asks.saturating_add(1);
            summary.gpus = summary.gpus.saturating_add(ask.gpus.into());
        }
        for bid in self.bids(now).map(|listed| listed.bid) {
            let summary = classes.entry(bid.class).or_default();
            summary.best_bid = summary.best_bid.max(Some(bid.max_price));
            summary.bids = summary.bids.saturating_add(1);
        }
        classes
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

fn stack(levels: &mut BTreeMap<PricePerHour, Level>, price: PricePerHour, gpus: u16) {
    let level = levels.entry(price).or_insert(Level {
        price,
        gpus: 0,
        orders: 0,
    });
    level.gpus = level.gpus.saturating_add(gpus.into());
    level.orders = level.orders.saturating_add(1);
}
