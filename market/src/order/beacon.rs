//! Owns the beacon: one small message that keeps all orders of a node standing.
//!
//! Never carries an order; it only says which slots are alive.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{OrderError, Sequence, Slot, check_posted, check_ranges};
use crate::time::Timestamp;
use crate::wire::Payload;

/// The interval that a node without a beacon is assumed to keep: 60 seconds.
pub const DEFAULT_INTERVAL_S: u16 = 60;

/// The longest interval that a beacon may announce: five minutes.
pub const MAX_INTERVAL_S: u16 = 300;

/// A node's sign of life, signed by the node's key; posted once an interval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beacon {
    /// Which beacon of the node this is; the highest wins.
    pub sequence: Sequence,
    /// One bit a slot, the lowest for slot 0: set where the order stands. Zero while its owner plays.
    pub live_slots: u64,
    /// When the next beacon is due, in seconds; 1 to 300.
    pub interval_s: u16,
}

impl Payload for Beacon {
    const NAMESPACE: &'static str = "nightshift/beacon/1";
    const MAX_BYTES: usize = 32;
}

impl Beacon {
    /// Tells whether this beacon says that `slot` is alive.
    pub fn covers(&self, slot: Slot) -> bool {
        self.live_slots & slot.bit() != 0
    }

    /// Returns when the orders that it covers fall out of the book: 2.5 intervals after it was posted.
    pub fn keeps_until(&self) -> Timestamp {
        silent_after(self.sequence, self.interval_s)
    }

    /// Returns when an order falls out of the book that no beacon followed.
    pub fn order_alone_keeps_until(order: Sequence) -> Timestamp {
        silent_after(order, DEFAULT_INTERVAL_S)
    }

    /// Returns when a beacon with this sequence means nothing any more, whatever its interval.
    pub fn horizon(sequence: Sequence) -> Timestamp {
        silent_after(sequence, MAX_INTERVAL_S)
    }

    /// Checks every range that the fields state, and the times against protocol time.
    pub fn validate(&self, now: Timestamp) -> Result<(), OrderError> {
        check_ranges(&[(
            "interval_s",
            self.interval_s.into(),
            1..=MAX_INTERVAL_S.into(),
            "1 to 300",
        )])?;
        let meaning = Self::horizon(self.sequence).saturating_since(self.sequence.time());
        check_posted(self.sequence, now, meaning)
    }
}

fn silent_after(sequence: Sequence, interval_s: u16) -> Timestamp {
    sequence
        .time()
        .saturating_add(Duration::from_millis(u64::from(interval_s) * 2_500))
}
