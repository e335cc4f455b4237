//! Owns when the bootstrap nodes are dialled again: at once, then after 1/4, 1/2, 1, 2 ... 30 seconds, for ever.
//!
//! Never dials, and never reads a clock: instants are passed in.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use market::NodeId;

use super::identity::node_of;

const FIRST_DELAY: Duration = Duration::from_millis(250);
const LONGEST_DELAY: Duration = Duration::from_secs(30);

#[derive(Debug)]
struct Node {
    addresses: Vec<Multiaddr>,
    /// Attempts since the node last proved to be of this market.
    attempts: u32,
    /// When to dial next; `None` while connected.
    due: Option<Instant>,
}

/// The bootstrap nodes of the configuration.
#[derive(Debug)]
pub(super) struct Bootstrap(BTreeMap<PeerId, Node>);

impl Bootstrap {
    /// Groups addresses by the peer id that each ends with; returns the address that has none.
    pub(super) fn new(addresses: &[Multiaddr], now: Instant) -> Result<Self, Multiaddr> {
        let mut nodes = BTreeMap::<PeerId, Node>::new();
        for address in addresses {
            let Some(Protocol::P2p(peer)) = address.iter().last() else {
                return Err(address.clone());
            };
            let node = nodes.entry(peer).or_insert_with(|| Node {
                addresses: Vec::new(),
                attempts: 0,
                due: Some(now),
            });
            node.addresses.push(address.clone());
        }
        Ok(Self(nodes))
    }

    /// Returns the known addresses of a node.
    pub(super) fn addresses(&self, peer: &PeerId) -> Vec<Multiaddr> {
        self.0
            .get(peer)
            .map(|node| node.addresses.clone())
            .unwrap_or_default()
    }

    /// Returns all nodes with their addresses.
    pub(super) fn all(&self) -> impl Iterator<Item = (&PeerId, &Multiaddr)> {
        self.0
            .iter()
            .flat_map(|(peer, node)| node.addresses.iter().map(move |address| (peer, address)))
    }

    /// Returns the nodes, each once.
    pub(super) fn nodes(&self) -> impl Iterator<Item = NodeId> {
        self.0.keys().filter_map(node_of)
    }

    /// Returns the nodes to dial now; each is due again after its next delay unless it connects.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<PeerId> {
        let mut due = Vec::new();
        for (peer, node) in &mut self.0 {
            if node.due.is_some_and(|instant| instant <= now) {
                node.due = Some(now + delay_after(node.attempts, peer));
                node.attempts = node.attempts.saturating_add(1);
                due.push(*peer);
            }
        }
        due
    }

    /// Returns when the next node is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.0.values().filter_map(|node| node.due).min()
    }

    /// Notes that a node is connected.
    pub(super) fn connected(&mut self, peer: &PeerId) {
        if let Some(node) = self.0.get_mut(peer) {
            node.due = None;
        }
    }

    /// Notes that a connected node is of this market, so that it is dialled soon when it is lost.
    pub(super) fn introduced(&mut self, peer: &PeerId) {
        if let Some(node) = self.0.get_mut(peer) {
            node.attempts = 0;
        }
    }

    /// Tells whether a node is a bootstrap node.
    pub(super) fn contains(&self, peer: &PeerId) -> bool {
        self.0.contains_key(peer)
    }

    /// Notes that the last connection to a node is gone.
    pub(super) fn lost(&mut self, peer: &PeerId, now: Instant) {
        if let Some(node) = self.0.get_mut(peer) {
            node.due = Some(now + delay_after(node.attempts, peer));
            node.attempts = node.attempts.saturating_add(1);
        }
    }
}

/// Doubles the delay with each attempt; up to a quarter is added by the peer id, so that the nodes
/// of a fleet that lost several bootstrap nodes at once do not dial them all at the same moment.
fn delay_after(attempts: u32, peer: &PeerId) -> Duration {
    let doubled = FIRST_DELAY.saturating_mul(1 << attempts.min(7));
    let delay = doubled.min(LONGEST_DELAY);
    let spread = peer.to_bytes().last().copied().unwrap_or_default();
    delay + delay / 4 * u32::from(spread) / 255
}

#[cfg(test)]
mod tests;
