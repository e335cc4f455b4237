//! Owns what makers post to the order book: asks, bids, cancellations and beacons, with their ranges.
//!
//! Never decides who may post and never ranks anything; the crate `matching` does.
//!
//! The book is a set of registers. A node owns 64 of them, its slots; whatever it signs for a slot
//! replaces what stood there. The highest (sequence, order id) wins, so that every replica that saw
//! the same messages, in any order and any number of times, holds the same book:
//!
//! ```text
//! (node, slot)  ->  (sequence, order id)  ->  Ask | Bid | Empty
//!  who signed        which one wins            what stands there
//! ```
//!
//! The signer of an order is its node, which therefore is not repeated in the payload. The order
//! names the account in whose name the node deals; the account's delegation is shown when a deal is
//! reserved, and not before: a false name in an ask earns its maker nothing, because the money
//! goes to the account that is named.
//!
//! A sequence is protocol time in milliseconds (or one more than the last one, where that is
//! larger). Hence no order means anything [`MAX_LIFETIME`] after its sequence, and a replica that
//! keeps the winner of each register that long never brings back what was replaced.

mod ask;
mod beacon;
mod bid;
mod message;

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use ask::{Ask, AskFigures, Attributes, Evidence, UnknownAttribute};
pub use beacon::{Beacon, DEFAULT_INTERVAL_S, MAX_INTERVAL_S};
pub use bid::Bid;
pub use message::{BookMessage, Bulletin, BulletinError, MAX_BULLETIN_MESSAGES};

use crate::amount::{Amount, PricePerHour};
use crate::ids::NodeId;
use crate::time::Timestamp;
use crate::wire::Payload;

/// Slots of one node, which is how many orders it can have standing.
pub const SLOTS: u8 = 64;

/// The most bytes of a signed order on the wire.
pub const MAX_SIGNED_ORDER_BYTES: usize = 256;

/// What signing adds to a payload on the wire: its length, the signer and the signature.
const SIGNED_OVERHEAD_BYTES: usize = 8 + 32 + 64;

/// The longest that an order stands, counted from its sequence: 24 hours.
pub const MAX_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// How far a sequence may lie ahead of the reader's protocol time: one minute.
pub const MAX_SKEW: Duration = Duration::from_secs(60);

/// One of the 64 places that a node has in the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Slot(u8);

impl Slot {
    /// Makes a slot from its number, or `None` from 64 on.
    pub const fn new(number: u8) -> Option<Self> {
        if number < SLOTS {
            Some(Self(number))
        } else {
            None
        }
    }

    /// Returns the number, 0 to 63.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// Returns the mask with this slot's bit set.
    pub const fn bit(self) -> u64 {
        1 << self.0
    }
}

impl TryFrom<u8> for Slot {
    type Error = OrderError;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        Self::new(number).ok_or(OrderError::Range {
            field: "slot",
            value: number.into(),
            range: "0 to 63",
        })
    }
}

impl From<Slot> for u8 {
    fn from(slot: Slot) -> Self {
        slot.0
    }
}

/// When something was posted, in milliseconds of protocol time, made strictly rising by its maker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sequence(u64);

impl Sequence {
    /// Wraps a sequence that was stored or received.
    pub const fn from_u64(value: u64) -> Self {
        Self(value)
    }

    /// Returns the next sequence of a maker: the larger of `now` and one more than `previous`.
    #[must_use]
    pub fn next(previous: Option<Self>, now: Timestamp) -> Self {
        let least = previous.map_or(0, |previous| previous.0.saturating_add(1));
        Self(least.max(now.as_millis()))
    }

    /// Returns the number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// Returns the protocol time that this sequence claims.
    pub const fn time(self) -> Timestamp {
        Timestamp::from_millis(self.0)
    }

    /// Returns when nothing with this sequence means anything any more.
    #[must_use]
    pub fn horizon(self) -> Timestamp {
        self.time().saturating_add(MAX_LIFETIME)
    }
}

/// A place in the book: whose slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Register {
    /// The node that owns the slot and signs for it.
    pub node: NodeId,
    /// Which of its slots.
    pub slot: Slot,
}

impl fmt::Display for Register {
    /// Prints the short node id and the slot, for example `a1b2c3d4/0`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}/{}", self.node.short(), self.slot.number()))
    }
}

/// What a node writes into one of its slots; signed by the node's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The slot that is written.
    pub slot: Slot,
    /// Which writing of the slot this is; the highest wins.
    pub sequence: Sequence,
    /// When it stops standing, in protocol time; after `sequence`, at most [`MAX_LIFETIME`] later.
    pub expires_at: Timestamp,
    /// What stands in the slot from now on.
    pub body: OrderBody,
}

/// What can stand in a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderBody {
    /// An offer to sell hours of a GPU.
    Ask(Ask),
    /// An offer to buy them.
    Bid(Bid),
    /// Nothing: whatever stood there is cancelled.
    Empty,
}

impl Payload for Order {
    const NAMESPACE: &'static str = "nightshift/order/1";
    const MAX_BYTES: usize = MAX_SIGNED_ORDER_BYTES - SIGNED_OVERHEAD_BYTES;
}

/// Why an order or a beacon is not one that a book takes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// A field is outside its range.
    #[error("{field} is {value}, outside {range}")]
    Range {
        /// The field.
        field: &'static str,
        /// Its value.
        value: u64,
        /// What is allowed.
        range: &'static str,
    },
    /// It claims to come from the future.
    #[error(
        "posted {ahead_ms} ms ahead of protocol time; check this node's protocol time with doctor"
    )]
    AheadOfTime {
        /// How far ahead, in milliseconds.
        ahead_ms: u64,
    },
    /// It is too old to mean anything.
    #[error("posted too long ago to mean anything")]
    Outlived,
    /// It would stand longer than allowed, or ends before it begins.
    #[error("stands for {lifetime_ms} ms, which is not within 1 ms and 24 h")]
    Lifetime {
        /// From the sequence to the expiry in milliseconds; 0 where the expiry is not later.
        lifetime_ms: u64,
    },
}

impl Order {
    /// Checks every range that the fields state, and the times against protocol time.
    ///
    /// An order that has expired but is not beyond its horizon is valid: it does not stand, but it
    /// still replaces the older ones of its slot.
    pub fn validate(&self, now: Timestamp) -> Result<(), OrderError> {
        check_posted(self.sequence, now, MAX_LIFETIME)?;
        let lifetime = self.expires_at.saturating_since(self.sequence.time());
        if lifetime.is_zero() || lifetime > MAX_LIFETIME {
            let lifetime_ms = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX);
            return Err(OrderError::Lifetime { lifetime_ms });
        }
        match &self.body {
            OrderBody::Ask(ask) => ask.validate(),
            OrderBody::Bid(bid) => bid.validate(),
            OrderBody::Empty => Ok(()),
        }
    }
}

/// Checks that something posted at `sequence` is neither from the future nor older than `meaning`.
fn check_posted(sequence: Sequence, now: Timestamp, meaning: Duration) -> Result<(), OrderError> {
    let ahead = sequence.time().saturating_since(now);
    if ahead > MAX_SKEW {
        return Err(OrderError::AheadOfTime {
            ahead_ms: u64::try_from(ahead.as_millis()).unwrap_or(u64::MAX),
        });
    }
    if now >= sequence.time().saturating_add(meaning) {
        return Err(OrderError::Outlived);
    }
    Ok(())
}

/// A field, its value, the values allowed, and these in words.
type Range = (&'static str, u64, RangeInclusive<u64>, &'static str);

fn check_ranges(ranges: &[Range]) -> Result<(), OrderError> {
    match ranges
        .iter()
        .find(|(_, value, allowed, _)| !allowed.contains(value))
    {
        None => Ok(()),
        Some((field, value, _, range)) => Err(OrderError::Range {
            field,
            value: *value,
            range,
        }),
    }
}

/// The dearest price that the book takes: a million credits a GPU-hour.
pub const MAX_PRICE: PricePerHour = PricePerHour(Amount::from_nanocredits(
    1_000_000 * crate::amount::NANOCREDITS_PER_CREDIT,
));

/// The longest duration that the book takes: 30 days, in seconds.
const MAX_DURATION_S: u64 = 30 * 24 * 3600;

#[cfg(test)]
mod tests;
