//! Owns noticing that an operator goes on making blocks and keeps a transaction out of all of them.
//!
//! Never proves it: an operator that is only hard to reach looks the same from here, and people are told so.

use std::collections::BTreeMap;

use market::TxId;

/// Blocks without an answer after which a transaction is called withheld: a minute at the least, for blocks without
/// transactions are ten seconds apart.
pub(super) const WITHHELD_BLOCKS: u64 = 6;

/// The most transactions that are watched; beyond it the one that was asked for first is given up.
const MAX_WATCHED: usize = 1_024;

/// Transactions that were asked for and neither taken nor refused.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    /// The height at which each was asked for first.
    since: BTreeMap<TxId, u64>,
}

impl Unanswered {
    /// Notes at `height` that nothing came of asking for a transaction. Returns the height at which it was asked for
    /// first, once the operator has had enough blocks for it.
    pub(super) fn note(&mut self, id: TxId, height: u64) -> Option<u64> {
        if !self.since.contains_key(&id) && self.since.len() >= MAX_WATCHED {
            let oldest = self.since.iter().min_by_key(|(_, height)| **height);
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                self.since.remove(&oldest);
            }
        }
        let since = *self.since.entry(id).or_insert(height);
        (height.saturating_sub(since) >= WITHHELD_BLOCKS).then_some(since)
    }

    /// Forgets a transaction that was taken or refused.
    pub(super) fn answered(&mut self, id: TxId) {
        self.since.remove(&id);
    }

    /// Returns the transactions that have been without an answer for long at `height`, and since when.
    pub(super) fn withheld(&self, height: u64) -> Vec<(TxId, u64)> {
        let is_long = |since: &u64| height.saturating_sub(*since) >= WITHHELD_BLOCKS;
        let long = self.since.iter().filter(|(_, since)| is_long(since));
        long.map(|(id, since)| (*id, *since)).collect()
    }
}
