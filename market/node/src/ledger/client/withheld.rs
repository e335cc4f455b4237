//! Owns noticing that an operator goes on making blocks and keeps a transaction out of all of them.
//!
//! Never proves it: an operator that is only hard to reach looks the same from here, and people are told so.

use std::collections::BTreeMap;

use market::{Timestamp, TxId};

/// Blocks without an answer after which a transaction may be called withheld.
pub(super) const WITHHELD_BLOCKS: u64 = 6;

/// Protocol time without an answer after which it may be, in milliseconds: a busy market makes many blocks a second.
pub(super) const WITHHELD_MS: u64 = 60_000;

/// The most transactions that are watched; beyond it the one that was asked for first is given up.
const MAX_WATCHED: usize = 1_024;

/// Where the chain stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment {
    pub(super) height: u64,
    pub(super) time: Timestamp,
}

impl Moment {
    /// Tells whether the operator has had blocks and time enough since then.
    fn is_long_before(self, now: Self) -> bool {
        let elapsed_ms = now.time.as_millis().saturating_sub(self.time.as_millis());
        now.height.saturating_sub(self.height) >= WITHHELD_BLOCKS && elapsed_ms >= WITHHELD_MS
    }
}

/// Transactions that were asked for and neither taken nor refused.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    /// When each was asked for first.
    since: BTreeMap<TxId, Moment>,
}

impl Unanswered {
    /// Notes that nothing came of asking for a transaction. Returns the height at which it was asked for first, once
    /// the operator has had enough blocks for it.
    pub(super) fn note(&mut self, id: TxId, now: Moment) -> Option<u64> {
        if !self.since.contains_key(&id) && self.since.len() >= MAX_WATCHED {
            let oldest = self.since.iter().min_by_key(|(_, since)| **since);
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                self.since.remove(&oldest);
            }
        }
        let since = *self.since.entry(id).or_insert(now);
        since.is_long_before(now).then_some(since.height)
    }

    /// Forgets a transaction that was taken or refused.
    pub(super) fn answered(&mut self, id: TxId) {
        self.since.remove(&id);
    }

    /// Returns the transactions that have been without an answer for long, and since which height.
    pub(super) fn withheld(&self, now: Moment) -> Vec<(TxId, u64)> {
        let long = self
            .since
            .iter()
            .filter(|(_, since)| since.is_long_before(now));
        long.map(|(id, since)| (*id, since.height)).collect()
    }
}
