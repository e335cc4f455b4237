//! Owns what the messages of libp2p's protocols are made of, as far as it decides whether their bytes are a message.
//!
//! Never forbids what libp2p reads: a field that is not listed here may hold anything.

use crate::network::gossip::MAX_GOSSIP_BYTES;

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    /// A number.
    Number,
    /// One of this many variants, counted from zero.
    Variant(u64),
    /// Any bytes.
    Bytes,
    /// UTF-8.
    Text,
    /// A message of its own.
    Message(Shape),
}

/// The fields of a message with their numbers.
pub(super) type Shape = &'static [(u32, Holds)];

/// The messages of a protocol.
#[derive(Debug)]
pub(super) struct Kind {
    pub(super) shape: Shape,
    /// The most bytes of one, without the length in front of it.
    pub(super) max_bytes: u64,
}

use Holds::{Bytes, Message, Number, Text, Variant};

/// What gossip needs around one message of the greatest length. Such a frame is longer than libp2p reads, but an
/// honest node may send it.
const GOSSIP_ENVELOPE_BYTES: u64 = 64;

const RECORD: Shape = &[
    (1, Bytes),
    (2, Bytes),
    (5, Text),
    (666, Bytes),
    (777, Number),
];

const NEIGHBOUR: Shape = &[(1, Bytes), (2, Bytes), (3, Number)];

/// A question or an answer of Kademlia.
pub(super) const LOOKUP: Kind = Kind {
    shape: &[
        (1, Variant(6)),
        (2, Bytes),
        (3, Message(RECORD)),
        (8, Message(NEIGHBOUR)),
        (9, Message(NEIGHBOUR)),
        (10, Number),
    ],
    max_bytes: 16 << 10,
};

/// What identify says of a node.
pub(super) const INTRODUCTION: Kind = Kind {
    shape: &[
        (1, Bytes),
        (2, Bytes),
        (3, Text),
        (4, Bytes),
        (5, Text),
        (6, Text),
        (8, Bytes),
    ],
    max_bytes: 4_096,
};

const SUBSCRIPTION: Shape = &[(1, Number), (2, Text), (3, Number), (4, Number)];

const PUBLISHED: Shape = &[
    (1, Bytes),
    (2, Bytes),
    (3, Bytes),
    (4, Text),
    (5, Bytes),
    (6, Bytes),
];

const PRUNE: Shape = &[
    (1, Text),
    (2, Message(&[(1, Bytes), (2, Bytes)])),
    (3, Number),
];

const CONTROL: Shape = &[
    (1, Message(&[(1, Text), (2, Bytes)])),
    (2, Message(&[(1, Bytes)])),
    (3, Message(&[(1, Text)])),
    (4, Message(PRUNE)),
    (5, Message(&[(1, Bytes)])),
    (6, Message(&[(10, Number)])),
];

/// What gossipsub sends at a time.
pub(super) const GOSSIP: Kind = Kind {
    shape: &[
        (1, Message(SUBSCRIPTION)),
        (2, Message(PUBLISHED)),
        (3, Message(CONTROL)),
        (
            10,
            Message(&[(1, Bytes), (2, Bytes), (3, Bytes), (4, Bytes)]),
        ),
    ],
    max_bytes: MAX_GOSSIP_BYTES as u64 + GOSSIP_ENVELOPE_BYTES,
};
