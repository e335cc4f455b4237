//! Owns the messages by which a node that joins late, or was cut off, catches up with another's book, and by
//! which one that leaves says so.
//!
//! Never trusts what arrives: pages and farewells are checked message by message, like gossip.

use market::order::{Beacon, BookMessage, MAX_SIGNED_ORDER_BYTES};
use market::{NodeId, Signed};
use serde::{Deserialize, Serialize};

/// How many messages a page has before it ends with the messages of the node that it is at.
pub const MAX_PAGE_MESSAGES: usize = 2048;

/// What a node can have in the book: its beacon and its slots.
const MESSAGES_OF_ONE_NODE: usize = 1 + market::order::SLOTS as usize;

/// The most bytes of an encoded request.
pub const MAX_REQUEST_BYTES: usize = 256;

/// The most bytes of an encoded answer.
pub const MAX_RESPONSE_BYTES: usize =
    256 + (MAX_PAGE_MESSAGES + MESSAGES_OF_ONE_NODE) * (4 + MAX_SIGNED_ORDER_BYTES);

/// What is asked of another node's book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BookRequest {
    /// A page of all that matters in the book, in the order of the nodes that signed it.
    Snapshot {
        /// The digest of the asker's own book: where the books are equal, no page is needed.
        digest: [u8; 32],
        /// The node that the last page ended with; none for the first page.
        after: Option<NodeId>,
    },
    /// The last beacon of the asker, which is about to leave; it keeps no order alive. Gossip has no answer, so
    /// it may still lie in a queue when its node is gone.
    Farewell(Signed<Beacon>),
}

/// The answer to a [`BookRequest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum BookResponse {
    /// The two books hold the same.
    Same,
    /// A page.
    Page(BookPage),
    /// The book cannot say yet what matters, because its node does not know protocol time.
    NotReady,
    /// The farewell was taken: the book has it, or one that is newer.
    Noted,
}

/// A part of a book.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookPage {
    /// Orders and beacons, signed as they came.
    pub messages: Vec<BookMessage>,
    /// What to ask the next page after; none where this is the last.
    pub next: Option<NodeId>,
}

/// Returns the node that signed a message which is in a book.
fn node_of(message: &BookMessage) -> NodeId {
    NodeId::from_bytes(match message {
        BookMessage::Order(signed) => *signed.claimed_signer(),
        BookMessage::Beacon(signed) => *signed.claimed_signer(),
    })
}

impl BookPage {
    /// Cuts the page that follows `after` from a book's messages, which come in the order of nodes.
    /// All messages of one node stand on one page.
    pub(super) fn cut(messages: impl Iterator<Item = BookMessage>, after: Option<NodeId>) -> Self {
        let mut page = Vec::new();
        let mut last = None;
        for message in messages {
            let node = node_of(&message);
            if after.is_some_and(|after| node <= after) {
                continue;
            }
            if page.len() >= MAX_PAGE_MESSAGES && last != Some(node) {
                return Self {
                    messages: page,
                    next: last,
                };
            }
            last = Some(node);
            page.push(message);
        }
        Self {
            messages: page,
            next: None,
        }
    }
}
