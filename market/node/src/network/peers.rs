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
    /// When it last answered a ping, or was connected.
    heard: Instant,
    /// Since when no ping had to wait long for its answer.
    steady_since: Instant,
    answers_pings: bool,
    introduction: Option<Introduction>,
}

/// The longest that a healthy link is without an answered ping.
const STEADY_GAP: Duration = Duration::from_secs(5);

/// The connected nodes. Its size is bounded by the connection limits.
#[derive(Debug, Default)]
pub(super) struct Peers(HashMap<PeerId, Peer>);

impl Peers {
    /// Notes a connection.
    pub(super) fn opened(
        &mut self,
        peer: PeerId,
        connection: (ConnectionId, Multiaddr),
        now: Instant,
    ) {
        let entry = self.0.entry(peer).or_insert_with(|| Peer {
            since: now,
            connections: Vec::new(),
            round_trip: None,
            heard: now,
            steady_since: now,
            answers_pings: true,
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

    /// Returns the remote addresses of a node's connections.
    pub(super) fn addresses(&self, peer: &PeerId) -> impl Iterator<Item = &Multiaddr> {
        let entry = self.0.get(peer).into_iter();
        entry.flat_map(|entry| entry.connections.iter().map(|(_, address)| address))
    }

    /// Notes an answered ping and its round trip.
    pub(super) fn measured(&mut self, peer: &PeerId, round_trip: Duration, now: Instant) {
        if let Some(entry) = self.0.get_mut(peer) {
            entry.round_trip = Some(round_trip);
            if now.saturating_duration_since(entry.heard) > STEADY_GAP {
                entry.steady_since = now;
            }
            entry.heard = now;
        }
    }

    /// Notes that a node does not answer pings at all.
    pub(super) fn answers_no_pings(&mut self, peer: &PeerId) {
        if let Some(entry) = self.0.get_mut(peer) {
            entry.answers_pings = false;
        }
    }

    /// Tells whether the link to a node carried bytes all along in the last `window`, so that what took too
    /// long is the node's own doing. A node that answers no pings has nothing to show for itself.
    pub(super) fn was_steady(&self, peer: &PeerId, window: Duration, now: Instant) -> bool {
        self.0.get(peer).is_some_and(|entry| {
            let is_steady = now.saturating_duration_since(entry.heard) <= STEADY_GAP
                && now.saturating_duration_since(entry.steady_since) >= window;
            is_steady || !entry.answers_pings
        })
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

#[cfg(test)]
mod tests;
