//! Owns what is known about the connected nodes.
//!
//! Never remembers a node after its last connection; the routing table keeps addresses.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use libp2p::swarm::ConnectionId;
use libp2p::{Multiaddr, PeerId};
use market::NodeId;

use super::identity::node_of;
use super::versions::Introduction;

/// A connected node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerInfo {
    /// Who it is; the connection proves it.
    pub node: NodeId,
    /// The remote addresses of its connections.
    pub addresses: Vec<Multiaddr>,
    /// How long it has been connected without a break.
    pub connected_for: Duration,
    /// The last measured round trip.
    pub round_trip: Option<Duration>,
    /// What it says about itself, once it has.
    pub introduction: Option<Introduction>,
}

#[derive(Debug)]
struct Peer {
    since: Instant,
    connections: Vec<(ConnectionId, Multiaddr)>,
    round_trip: Option<Duration>,
    introduction: Option<Introduction>,
}

/// The connected nodes. Its size is bounded by the connection limits.
#[derive(Debug, Default)]
pub(super) struct Peers(HashMap<PeerId, Peer>);

impl Peers {
    /// Notes a connection.
    pub(super) fn opened(&mut self, peer: PeerId, connection: (ConnectionId, Multiaddr)) {
        let entry = self.0.entry(peer).or_insert_with(|| Peer {
            since: Instant::now(),
            connections: Vec::new(),
            round_trip: None,
            introduction: None,
        });
        entry.connections.push(connection);
    }

    /// Tells whether a node is connected.
    pub(super) fn contains(&self, peer: &PeerId) -> bool {
        self.0.contains_key(peer)
    }

    /// Notes the end of a connection.
    pub(super) fn closed(&mut self, peer: &PeerId, connection: ConnectionId) {
        let Some(entry) = self.0.get_mut(peer) else {
            return;
        };
        entry.connections.retain(|(id, _)| *id != connection);
        if entry.connections.is_empty() {
            self.0.remove(peer);
        }
    }

    /// Notes a measured round trip.
    pub(super) fn measured(&mut self, peer: &PeerId, round_trip: Duration) {
        if let Some(entry) = self.0.get_mut(peer) {
            entry.round_trip = Some(round_trip);
        }
    }

    /// Notes what a node says about itself; tells whether that is new.
    pub(super) fn introduced(&mut self, peer: &PeerId, introduction: Introduction) -> bool {
        let Some(entry) = self.0.get_mut(peer) else {
            return false;
        };
        let is_new = entry.introduction.as_ref() != Some(&introduction);
        entry.introduction = Some(introduction);
        is_new
    }

    /// Returns what a node has said about itself.
    pub(super) fn introduction(&self, peer: &PeerId) -> Option<&Introduction> {
        self.0.get(peer)?.introduction.as_ref()
    }

    /// Returns all connected nodes, in the order of their ids.
    pub(super) fn list(&self) -> Vec<PeerInfo> {
        let info = |(peer, entry): (&PeerId, &Peer)| {
            Some(PeerInfo {
                node: node_of(peer)?,
                addresses: entry
                    .connections
                    .iter()
                    .map(|(_, address)| address.clone())
                    .collect(),
                connected_for: entry.since.elapsed(),
                round_trip: entry.round_trip,
                introduction: entry.introduction.clone(),
            })
        };
        let mut peers: Vec<_> = self.0.iter().filter_map(info).collect();
        peers.sort_by_key(|peer| peer.node);
        peers
    }
}
