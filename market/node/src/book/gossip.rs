//! Owns the judgement on one bulletin that gossip brought.
//!
//! Never blames a sender for what it cannot know: only bytes that are undecodable, oversized or badly
//! signed are rejected, all else that is of no use is ignored.

use std::collections::VecDeque;

use market::order::Bulletin;
use market::{ChainId, Timestamp};
use matching::{Book, Message, Refused};

use super::rate::Allowances;
use crate::network::Judgement;

/// Overtaken bulletins that are remembered.
pub(super) const MAX_OVERTAKEN: usize = 64;

/// The bulletins whose news came by another way, a farewell say, while their gossip waited here for its judgement.
/// This node can't publish the same bytes a second time, and their gossip brings it no news any more: unless it is
/// passed on all the same, the news ends here.
#[derive(Debug, Default)]
pub(super) struct Overtaken(VecDeque<blake3::Hash>);

impl Overtaken {
    /// Remembers a bulletin; the oldest is forgotten where there are too many.
    pub(super) fn add(&mut self, digest: blake3::Hash) {
        if self.0.len() == MAX_OVERTAKEN {
            self.0.pop_front();
        }
        self.0.push_back(digest);
    }

    /// Tells whether these bytes are such a bulletin, and forgets it.
    pub(super) fn take(&mut self, data: &[u8]) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let digest = blake3::hash(data);
        let place = self.0.iter().position(|overtaken| *overtaken == digest);
        place.and_then(|place| self.0.remove(place)).is_some()
    }
}

/// What one bulletin did.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) judgement: Judgement,
    /// How many of its messages changed the book.
    pub(super) changes: usize,
}

/// Checks and decodes a bulletin; `None` where its sender is to blame.
pub(super) fn read(data: &[u8], chain: &ChainId) -> Option<Vec<Message>> {
    let bulletin = Bulletin::decode(data).ok()?;
    let messages = bulletin.into_messages().into_iter();
    messages
        .map(|message| matching::check(message, chain).ok())
        .collect()
}

/// Applies the messages of one bulletin. It is passed on if at least one was new and within its
/// maker's allowance, and none was over it.
pub(super) fn apply(
    book: &mut Book,
    allowances: &mut Allowances,
    messages: Vec<Message>,
    now: Timestamp,
) -> Outcome {
    let mut changes = 0;
    let mut is_within_rate = true;
    for message in messages {
        match take(book, allowances, message, now) {
            Ok(is_allowed) => {
                changes += 1;
                is_within_rate &= is_allowed;
            }
            Err(Refused::Superseded) => {}
            Err(reason) => tracing::debug!(%reason, "an order was ignored"),
        }
    }
    let judgement = if changes > 0 && is_within_rate {
        Judgement::Accept
    } else {
        Judgement::Ignore
    };
    Outcome { judgement, changes }
}

/// Applies one message. Tells whether it is within its maker's allowance, so that it may be passed on.
pub(super) fn take(
    book: &mut Book,
    allowances: &mut Allowances,
    message: Message,
    now: Timestamp,
) -> Result<bool, Refused> {
    let node = match &message {
        Message::Order(order) => order.node(),
        Message::Beacon(beacon) => beacon.node(),
    };
    book.apply(message, now)?;
    Ok(allowances.take(node, now))
}
