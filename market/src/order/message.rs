//! Owns how orders and beacons travel together: a bulletin of at most 32 signed messages.
//!
//! Never verifies a signature: who reads a bulletin checks each message on its own.

use serde::{Deserialize, Serialize};

use super::{Beacon, MAX_SIGNED_ORDER_BYTES, Order};
use crate::wire::{self, Signed, WireError};

/// The most messages in one bulletin.
pub const MAX_BULLETIN_MESSAGES: usize = 32;

/// The most bytes of a bulletin: its length, and for each message a tag and a signed order.
const MAX_BULLETIN_BYTES: usize = 8 + MAX_BULLETIN_MESSAGES * (4 + MAX_SIGNED_ORDER_BYTES);

/// One thing that a book takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BookMessage {
    /// Writes one register.
    Order(Signed<Order>),
    /// Keeps the registers of a node alive.
    Beacon(Signed<Beacon>),
}

/// What one gossip message or one answer to a late joiner carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bulletin {
    messages: Vec<BookMessage>,
}

/// Why a bulletin was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BulletinError {
    /// The bytes are not a bulletin.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// There are no messages in it, or too many.
    #[error("a bulletin has 1 to {MAX_BULLETIN_MESSAGES} messages, this one has {0}")]
    Count(usize),
}

impl Bulletin {
    /// Makes a bulletin of 1 to 32 messages.
    pub fn new(messages: Vec<BookMessage>) -> Result<Self, BulletinError> {
        match messages.len() {
            1..=MAX_BULLETIN_MESSAGES => Ok(Self { messages }),
            count => Err(BulletinError::Count(count)),
        }
    }

    /// Decodes a bulletin from a peer's bytes; its messages are not verified yet.
    pub fn decode(bytes: &[u8]) -> Result<Self, BulletinError> {
        let bulletin: Self = wire::decode(bytes, MAX_BULLETIN_BYTES)?;
        Self::new(bulletin.messages)
    }

    /// Encodes the bulletin for the wire.
    pub fn encode(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Returns the messages.
    pub fn messages(&self) -> &[BookMessage] {
        &self.messages
    }

    /// Returns the messages by value.
    pub fn into_messages(self) -> Vec<BookMessage> {
        self.messages
    }
}
