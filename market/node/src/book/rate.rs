//! Owns how much of one maker's news a node passes on: one message a second, twenty at once.
//!
//! Never reads a clock. What is over the rate still stands in this node's book, where a maker has only
//! its 64 slots; it is just not passed on.

use std::collections::BTreeMap;

use market::{NodeId, Timestamp};

/// Messages that a maker may send at once.
const BURST: u64 = 20;

/// Time in which a maker earns one message, in milliseconds.
const EARN_MS: u64 = 1_000;

/// When each maker's allowance will be full again. One full now needs no entry.
#[derive(Debug, Default)]
pub(super) struct Allowances(BTreeMap<NodeId, Timestamp>);

impl Allowances {
    /// Takes one message from a maker's allowance; tells whether there was one.
    pub(super) fn take(&mut self, node: NodeId, now: Timestamp) -> bool {
        let full_at = self.0.get(&node).copied().unwrap_or(now).max(now);
        let spent_ms = full_at.as_millis() - now.as_millis();
        if spent_ms > (BURST - 1) * EARN_MS {
            return false;
        }
        let full_at = Timestamp::from_millis(full_at.as_millis().saturating_add(EARN_MS));
        self.0.insert(node, full_at);
        true
    }

    /// Forgets the makers whose allowance is full again.
    pub(super) fn forget_full(&mut self, now: Timestamp) {
        self.0.retain(|_, full_at| *full_at > now);
    }
}

#[cfg(test)]
mod tests;
