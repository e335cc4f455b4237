//! Owns the meeting of a replica's orders in one class: what is about to trade, and the book that is left.
//!
//! Never binds anybody: the replicated book is indicative and may be crossed until its orders are reserved. Two
//! replicas that hold the same orders see the same meeting, in whatever order these came.
//!
//! ```text
//! Book (registers) ──► asks stand ──► bids take, dearest first ──► pairs that are about to trade
//!                        priority = draw of the register       └─► what is left: best, depth, never crossed
//! ```

use std::collections::BTreeMap;

use market::gpu::GpuClass;
use market::order::Register;
use market::{AccountId, HeaderId, PricePerHour, Timestamp};

use crate::book::Book;
use crate::limit_book::{
    Direction, Event, Execution, LimitBook, NewOrder, OrderNumber, Owner, PriceLevel, Priority,
    SelfTrade, priority,
};

/// An ask and a bid that are about to trade, and at what price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meeting {
    /// Where the ask stands.
    pub ask: Register,
    /// Where the bid stands.
    pub bid: Register,
    /// The ask's price.
    pub price: PricePerHour,
    /// GPUs.
    pub gpus: u32,
}

/// The orders of one class as they meet.
#[derive(Debug, Clone)]
pub struct Instrument {
    book: LimitBook,
    meetings: Vec<Meeting>,
}

/// An order of the replica, on its way into the limit book.
struct Coming {
    register: Register,
    account: AccountId,
    direction: Direction,
    price: PricePerHour,
    gpus: u16,
    priority: Priority,
}

impl Instrument {
    /// Lets the orders of exactly this class that stand at `now` meet; `header` is the one of [`draw`](crate::draw).
    ///
    /// An account never trades with itself: its bid is dropped where it meets the account's own ask. What a bid asks
    /// for beyond the class is not looked at.
    pub fn of(book: &Book, class: GpuClass, header: &HeaderId, now: Timestamp) -> Self {
        let asks = book.rows(class, now).filter_map(|row| {
            let listed = book.ask_of(row, now)?;
            Some(Coming {
                register: listed.register,
                account: listed.ask.account,
                direction: Direction::Sell,
                price: listed.ask.price,
                gpus: listed.ask.gpus,
                priority: priority(header, &listed.register),
            })
        });
        let bids = book.bids(now).filter(|listed| listed.bid.class == class);
        let mut bids: Vec<Coming> = bids
            .map(|listed| Coming {
                register: listed.register,
                account: listed.bid.account,
                direction: Direction::Buy,
                price: listed.bid.max_price,
                gpus: listed.bid.gpus,
                priority: priority(header, &listed.register),
            })
            .collect();
        bids.sort_by_key(|bid| (std::cmp::Reverse(bid.price), bid.priority));
        let mut coming: Vec<Coming> = asks.collect();
        coming.extend(bids);
        Self::meet(&coming)
    }

    fn meet(coming: &[Coming]) -> Self {
        let mut book = LimitBook::new(coming.len());
        let mut meetings = Vec::new();
        let mut owners: BTreeMap<AccountId, Owner> = BTreeMap::new();
        for (number, order) in (0_u32..).zip(coming) {
            let next = Owner(number);
            let new = NewOrder {
                number: OrderNumber(number),
                direction: order.direction,
                execution: Execution::Limit(order.price),
                quantity: order.gpus.into(),
                owner: *owners.entry(order.account).or_insert(next),
                priority: order.priority,
                good_till: None,
                self_trade: SelfTrade::CancelIncoming,
            };
            // Two draws that share their first eight bytes, of one price: the second is left out.
            let _refused = book.submit(new, |event| {
                if let Event::Filled(fill) = event
                    && let Some(maker) = coming.get(fill.maker.index())
                {
                    meetings.push(Meeting {
                        ask: maker.register,
                        bid: order.register,
                        price: fill.price,
                        gpus: fill.quantity,
                    });
                }
            });
        }
        Self { book, meetings }
    }

    /// Returns what is about to trade, in the order in which it meets.
    pub fn meetings(&self) -> &[Meeting] {
        &self.meetings
    }

    /// Returns the best price that is left.
    pub fn best(&self, direction: Direction) -> Option<PricePerHour> {
        self.book.best(direction)
    }

    /// Returns the price levels that are left, best first.
    pub fn levels(&self, direction: Direction) -> impl Iterator<Item = PriceLevel> + '_ {
        self.book.levels(direction)
    }
}

#[cfg(test)]
mod tests;
