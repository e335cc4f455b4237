//! Owns at which addresses each node was met before, so that their refusal proves that it is gone.
//!
//! Never takes another's word for it: an address counts when this node reached the other there, or when it is
//! one of the same machine or the same private network as the other's last connection.

use std::collections::HashMap;

use libp2p::core::ConnectedPoint;
use libp2p::{Multiaddr, PeerId};

use super::address::{is_local, same_host, without_peer};

/// The most nodes that are remembered; beyond it the one that was met longest ago is forgotten.
const MAX_NODES: usize = 1_024;

/// The most addresses of one node; beyond it the oldest is forgotten.
const MAX_ADDRESSES: usize = 8;

#[derive(Debug, Default)]
struct Met {
    addresses: Vec<Multiaddr>,
    /// The meeting at which it was last connected.
    last: u64,
}

/// Where nodes were met. Bounded.
#[derive(Debug, Default)]
pub(super) struct Proved {
    nodes: HashMap<PeerId, Met>,
    meetings: u64,
}

impl Proved {
    /// Notes a connection. A node that comes from elsewhere is no longer at the local addresses of before.
    pub(super) fn connected(&mut self, peer: PeerId, endpoint: &ConnectedPoint) {
        self.meetings += 1;
        if self.nodes.len() >= MAX_NODES && !self.nodes.contains_key(&peer) {
            let longest_ago = self.nodes.iter().min_by_key(|(_, met)| met.last);
            if let Some(peer) = longest_ago.map(|(peer, _)| *peer) {
                self.nodes.remove(&peer);
            }
        }
        let remote = endpoint.get_remote_address();
        let met = self.nodes.entry(peer).or_default();
        met.last = self.meetings;
        met.addresses
            .retain(|address| !is_local(address) || same_host(address, remote));
        if endpoint.is_dialer() {
            met.note(remote);
        }
    }

    /// Notes an address that a node says it has, from the addresses of its connections.
    pub(super) fn listed<'a>(
        &mut self,
        peer: &PeerId,
        address: &Multiaddr,
        mut connections: impl Iterator<Item = &'a Multiaddr>,
    ) {
        let is_near = is_local(address) && connections.any(|from| same_host(from, address));
        if let Some(met) = self.nodes.get_mut(peer)
            && is_near
        {
            met.note(address);
        }
    }

    /// Tells whether a node was met at an address.
    pub(super) fn contains(&self, peer: &PeerId, address: &Multiaddr) -> bool {
        let met = self.nodes.get(peer);
        met.is_some_and(|met| met.addresses.contains(&without_peer(address)))
    }
}

impl Met {
    fn note(&mut self, address: &Multiaddr) {
        let address = without_peer(address);
        self.addresses.retain(|known| *known != address);
        if self.addresses.len() >= MAX_ADDRESSES {
            self.addresses.remove(0);
        }
        self.addresses.push(address);
    }
}

#[cfg(test)]
mod tests;
