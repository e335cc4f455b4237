//! Owns the words of the limit order book: what is submitted, what it did, and why it was refused.
//!
//! Never holds an order; `orders.rs` and `ladder.rs` do.

use market::{PricePerHour, Timestamp};

/// Whether an order buys or sells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// Takes asks, and rests among the bids.
    Buy,
    /// Takes bids, and rests among the asks.
    Sell,
}

impl Direction {
    /// Returns the other direction.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// Tells whether an order in this direction with `limit` may trade at `price`.
    pub fn accepts(self, limit: PricePerHour, price: PricePerHour) -> bool {
        match self {
            Self::Buy => price <= limit,
            Self::Sell => price >= limit,
        }
    }
}

/// Names an order that stands, below the book's capacity. The caller gives numbers out, and keeps in tables of its
/// own, indexed by them, what else it knows of an order; a number can be given out again when its order is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderNumber(pub u32);

impl OrderNumber {
    /// Returns the number as an index.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// Whose order it is, as a number that the caller gives out; orders of one owner never trade with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Owner(pub u32);

/// Who goes first among orders of one price: the lowest. A sequence number makes the book first come, first
/// served; the market uses a draw that no maker can steer ([`priority`](super::priority)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(pub u64);

/// How an order trades, and what becomes of the part that finds nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Execution {
    /// Trades up to the limit; the rest stands in the book.
    Limit(PricePerHour),
    /// Stands in the book, or is refused where it would trade.
    PostOnly(PricePerHour),
    /// Trades up to the limit; the rest is dropped.
    ImmediateOrCancel(PricePerHour),
    /// Trades all of itself up to the limit, or nothing.
    FillOrKill(PricePerHour),
    /// Trades at any price; the rest is dropped.
    Market,
}

/// What happens where an order meets another one of its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SelfTrade {
    /// The order that stands in the book is cancelled.
    #[default]
    CancelResting,
    /// What is left of the incoming order is cancelled.
    CancelIncoming,
    /// Both.
    CancelBoth,
}

/// An order on its way in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewOrder {
    /// Its number, under which nothing stands.
    pub number: OrderNumber,
    /// Whether it buys or sells.
    pub direction: Direction,
    /// How it trades.
    pub execution: Execution,
    /// How many GPUs of one host; at least 1.
    pub quantity: u32,
    /// Whose it is.
    pub owner: Owner,
    /// Where it stands among orders of its price.
    pub priority: Priority,
    /// When it stops standing, or `None` where it stands until cancelled.
    pub good_till: Option<Timestamp>,
    /// What happens where it meets another one of its owner.
    pub self_trade: SelfTrade,
}

/// What an order that stands is changed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replacement {
    /// Its new limit.
    pub price: PricePerHour,
    /// Its new quantity; at least 1.
    pub quantity: u32,
    /// Its new priority, where it loses the old one.
    pub priority: Priority,
    /// What happens where it then meets another order of its owner.
    pub self_trade: SelfTrade,
}

/// One trade of an incoming order with one that stood in the book, at the price of the latter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// The order that stood.
    pub maker: OrderNumber,
    /// Whose it is.
    pub owner: Owner,
    /// Its price.
    pub price: PricePerHour,
    /// What was traded.
    pub quantity: u32,
    /// What is left of the order that stood; at 0 it is gone.
    pub left: u32,
}

/// What happens to orders that stood while another one goes through the book, in the order in which it happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// One traded.
    Filled(Fill),
    /// One was cancelled, because the incoming order is its owner's.
    SelfTradePrevented(OrderNumber),
}

/// What a submitted order did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// What it traded.
    pub filled: u32,
    /// What of it stands in the book now.
    pub resting: u32,
    /// What was dropped: neither traded nor standing.
    pub dropped: u32,
}

/// An order that stands in the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resting {
    /// Its number.
    pub number: OrderNumber,
    /// Whether it buys or sells.
    pub direction: Direction,
    /// Its price.
    pub price: PricePerHour,
    /// Its place among orders of its price.
    pub priority: Priority,
    /// What is left of it.
    pub quantity: u32,
    /// Whose it is.
    pub owner: Owner,
    /// When it stops standing.
    pub good_till: Option<Timestamp>,
}

/// All orders of one price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceLevel {
    /// The price.
    pub price: PricePerHour,
    /// What all its orders have left.
    pub quantity: u64,
    /// How many orders.
    pub orders: u32,
}

/// Why an order changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It asks for nothing.
    #[error("an order needs a quantity of at least 1")]
    NoQuantity,
    /// Its limit is no price.
    #[error("{price} is no price that an order can have")]
    Price {
        /// The limit.
        price: PricePerHour,
    },
    /// It would have ended before it begins.
    #[error("the order ends at {good_till:?}, and it is {now:?}")]
    Ended {
        /// When it would end.
        good_till: Timestamp,
        /// The book's time.
        now: Timestamp,
    },
    /// It was to stand only, and it would trade.
    #[error("a post-only order at this price would trade at {best}")]
    WouldTrade {
        /// The best price of the other side.
        best: PricePerHour,
    },
    /// It was to trade whole, and it cannot.
    #[error("only {available} of {wanted} can be filled at this price")]
    CannotFill {
        /// What could be traded.
        available: u32,
        /// What was wanted.
        wanted: u32,
    },
    /// Another order of the same price stands at the same priority.
    #[error("an order of the same price stands at the same priority")]
    PriorityTaken,
    /// Its number is none of the book's, or another order's.
    #[error("order number {} is taken, or not below the book's capacity of {capacity}", number.0)]
    Number {
        /// The number.
        number: OrderNumber,
        /// The numbers that there are.
        capacity: usize,
    },
    /// No order stands under the number: it was filled, cancelled, or its time ended.
    #[error("no such order stands in the book")]
    Unknown,
}
