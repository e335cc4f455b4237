//! Owns the step from a signed message to one whose signature was checked.
//!
//! Never judges what a message says; only a failure here may cost the sender its standing as a peer.

use market::order::{Beacon, BookMessage, Order};
use market::wire::{Payload, Signed, WireError};
use market::{ChainId, NodeId};

/// A message whose signature holds, beside the signed bytes for passing on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked<T: Payload> {
    signed: Signed<T>,
    value: T,
    node: NodeId,
    id: [u8; 32],
}

impl<T: Payload> Checked<T> {
    /// Checks size and signature of `signed` on `chain`, then decodes it.
    pub fn new(signed: Signed<T>, chain: &ChainId) -> Result<Self, WireError> {
        let verified = signed.verify(chain)?;
        Ok(Self {
            signed,
            value: verified.value,
            node: NodeId::from_bytes(verified.signer),
            id: verified.id,
        })
    }
}

impl<T: Payload> Checked<T> {
    /// Returns the signed bytes, for passing on.
    pub fn signed(&self) -> &Signed<T> {
        &self.signed
    }

    /// Returns what was signed.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// Returns the node that signed.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Returns BLAKE3 of the signed bytes.
    pub fn id(&self) -> &[u8; 32] {
        &self.id
    }
}

/// What a book takes, with its signature checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Writes one register.
    Order(Checked<Order>),
    /// Keeps the registers of a node alive.
    Beacon(Checked<Beacon>),
}

/// Checks the signature of one message of a bulletin; this may run on any thread.
pub fn check(message: BookMessage, chain: &ChainId) -> Result<Message, WireError> {
    match message {
        BookMessage::Order(signed) => Checked::new(signed, chain).map(Message::Order),
        BookMessage::Beacon(signed) => Checked::new(signed, chain).map(Message::Beacon),
    }
}
