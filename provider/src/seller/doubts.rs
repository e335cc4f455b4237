//! Owns which bids and which nodes are left alone for a while, because an offer to them came to nothing.
//!
//! Never grows beyond its bound: what ends first goes first.

use std::collections::BTreeMap;
use std::time::Duration;

use market::{NodeId, OrderId, Timestamp};
use matching::Crossable;

/// The most bids, and the most nodes, that are remembered.
const MOST: usize = 256;

/// For how long a node is left alone that said nothing, the first time; every further time twice as long.
const SILENCE: Duration = Duration::from_secs(60);

/// How often that is doubled at the most: 64 minutes.
const MOST_DOUBLINGS: u32 = 6;

/// A node that said nothing.
#[derive(Debug, Clone, Copy)]
struct Silence {
    until: Timestamp,
    times: u32,
}

/// Bids and nodes that are left alone.
#[derive(Debug, Default)]
pub(super) struct Doubts {
    declined: BTreeMap<OrderId, Timestamp>,
    silent: BTreeMap<NodeId, Silence>,
}

impl Doubts {
    /// Leaves a bid alone until `until`.
    pub(super) fn declined(&mut self, bid: OrderId, until: Timestamp) {
        if self.declined.len() >= MOST
            && let Some(first) = first_to_end(&self.declined, |until| *until)
        {
            self.declined.remove(&first);
        }
        self.declined.insert(bid, until);
    }

    /// Leaves all bids of a node alone that did not answer, or did not do what it said: longer each time.
    pub(super) fn silent(&mut self, node: NodeId, now: Timestamp) {
        let times = self.silent.get(&node).map_or(0, |silence| silence.times);
        if self.silent.len() >= MOST
            && times == 0
            && let Some(first) = first_to_end(&self.silent, |silence| silence.until)
        {
            self.silent.remove(&first);
        }
        let longer = 2_u32.pow(times.min(MOST_DOUBLINGS));
        let until = now.saturating_add(SILENCE.saturating_mul(longer));
        let times = times.saturating_add(1);
        self.silent.insert(node, Silence { until, times });
    }

    /// Forgets that a node was silent: it does what it says.
    pub(super) fn heard(&mut self, node: NodeId) {
        self.silent.remove(&node);
    }

    /// Tells whether a bid may be tried at `now`.
    pub(super) fn allow(&self, bid: &Crossable, now: Timestamp) -> bool {
        let declined = self.declined.get(&bid.order);
        let silent = self.silent.get(&bid.register.node);
        let is_over = |until: &Timestamp| *until <= now;
        declined.is_none_or(is_over) && silent.is_none_or(|silence| is_over(&silence.until))
    }
}

fn first_to_end<K: Copy, V>(map: &BTreeMap<K, V>, until: impl Fn(&V) -> Timestamp) -> Option<K> {
    let first = map.iter().min_by_key(|(_, value)| until(value));
    first.map(|(key, _)| *key)
}

#[cfg(test)]
mod tests;
