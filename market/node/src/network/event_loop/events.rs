//! Owns what the event loop does about connections, introductions, pings and look-ups.
//!
//! Never carries out commands; the parent does.

use std::time::Instant;

use libp2p::allow_block_list::Blocked;
use libp2p::core::ConnectedPoint;
use libp2p::identify::UpgradeError;
use libp2p::kad::{self, QueryId, QueryResult};
use libp2p::swarm::{ConnectionId, ListenError, StreamUpgradeError, SwarmEvent};
use libp2p::{PeerId, identify, ping};

use super::{EventLoop, MAX_ADDRESSES_PER_PEER};
use crate::network::address::is_believable;
use crate::network::behaviour::{BehaviourEvent, network_name};
use crate::network::identity::node_of;
use crate::network::inbound::Inbound;
use crate::network::offences::Offence;
use crate::network::versions::{Introduction, Spoken};

impl EventLoop {
    pub(super) fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(event) => self.on_behaviour_event(event),
            SwarmEvent::ConnectionEstablished {
                peer_id,
                connection_id,
                endpoint,
                ..
            } => self.on_connected(peer_id, connection_id, &endpoint),
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                num_established,
                ..
            } => self.on_closed(peer_id, connection_id, num_established),
            SwarmEvent::OutgoingConnectionError {
                peer_id: Some(peer),
                error,
                ..
            } => {
                tracing::debug!(%peer, %error, "could not connect");
                self.on_not_connected(&peer, &error);
            }
            SwarmEvent::IncomingConnectionError {
                peer_id: Some(peer),
                error: ListenError::Denied { cause },
                ..
            } if cause.downcast_ref::<Blocked>().is_some() => {
                self.note_offence(peer, Offence::Shunned);
            }
            SwarmEvent::NewListenAddr { address, .. } => {
                tracing::info!(%address, "listening");
            }
            SwarmEvent::ListenerClosed {
                addresses, reason, ..
            } => tracing::warn!(?addresses, ?reason, "stopped listening"),
            other => tracing::trace!(?other, "swarm event"),
        }
    }

    fn on_connected(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        let Some(node) = node_of(&peer) else {
            let _closing = self.swarm.disconnect_peer_id(peer);
            return;
        };
        let is_new = !self.peers.contains(&peer);
        let address = endpoint.get_remote_address().clone();
        self.peers.opened(peer, (id, address), Instant::now());
        self.proved.connected(peer, endpoint);
        self.bootstrap.connected(&peer);
        for call in self.seek.connected(&peer) {
            self.send(&peer, call);
        }
        if is_new {
            self.inbound.offer(Inbound::Connected(node));
        }
    }

    fn on_closed(&mut self, peer: PeerId, connection: ConnectionId, remaining: u32) {
        self.peers.closed(&peer, connection);
        if remaining > 0 {
            return;
        }
        self.explain(&peer);
        self.bootstrap.lost(&peer, Instant::now());
        if let Some(node) = node_of(&peer) {
            self.inbound.offer(Inbound::Disconnected(node));
        }
    }

    pub(super) fn on_identify(&mut self, event: identify::Event) {
        let (peer_id, info) = match event {
            identify::Event::Received { peer_id, info, .. } => (peer_id, info),
            identify::Event::Error { peer_id, error, .. } => {
                return self.on_not_introduced(peer_id, &error);
            }
            _ => return,
        };
        let expected = network_name(&self.names.chain);
        if info.protocol_version != expected {
            let theirs: String = info.protocol_version.chars().take(64).collect();
            tracing::warn!(peer = %peer_id, ?theirs, ours = %expected, "disconnected a node of another market");
            self.note_offence(peer_id, Offence::OtherMarket);
            let _closed_already = self.swarm.disconnect_peer_id(peer_id);
            return;
        }
        self.bootstrap.introduced(&peer_id);
        self.introduce(peer_id, &info);
        if !info.protocols.contains(&self.names.of(Spoken::Kademlia)) {
            return;
        }
        let kademlia = &mut self.swarm.behaviour_mut().kademlia;
        for address in info.listen_addrs.into_iter().take(MAX_ADDRESSES_PER_PEER) {
            let connections = || self.peers.addresses(&peer_id);
            if is_believable(&address, connections()) {
                self.proved.listed(&peer_id, &address, connections());
                kademlia.add_address(&peer_id, address);
            }
        }
    }

    /// Counts what is wrong with a node's introduction, and keeps nobody waiting for it.
    fn on_not_introduced(&mut self, peer: PeerId, error: &StreamUpgradeError<UpgradeError>) {
        tracing::debug!(%peer, %error, "a node did not introduce itself");
        // Of bytes that are no introduction its stream has complained already.
        if matches!(error, StreamUpgradeError::Apply(UpgradeError::PublicKey(_))) {
            self.note_offence(peer, Offence::Undecodable);
        }
        self.explain(&peer);
    }

    /// Notes what a node speaks, says where it shares no version with this one, and tells the callers that
    /// waited to hear why.
    fn introduce(&mut self, peer: PeerId, info: &identify::Info) {
        let Some(node) = node_of(&peer) else {
            return;
        };
        let protocols = info.protocols.iter().map(AsRef::as_ref);
        let ours = (&self.names.versions, &self.names.chain);
        let introduction = Introduction::read(node, &info.agent_version, protocols, ours);
        let gaps = introduction.gaps.clone();
        if self.peers.introduced(&peer, introduction) {
            for gap in &gaps {
                tracing::warn!(peer = %peer, "{gap}");
                self.note_offence(peer, Offence::OtherVersion);
            }
        }
        self.explain(&peer);
    }

    pub(super) fn on_ping(&mut self, event: ping::Event) {
        match event.result {
            Ok(round_trip) => {
                self.peers.measured(&event.peer, round_trip, Instant::now());
            }
            Err(ping::Failure::Unsupported) => self.peers.answers_no_pings(&event.peer),
            Err(error) => {
                tracing::debug!(peer = %event.peer, %error, "a ping was not answered in time");
            }
        }
    }

    pub(super) fn on_kademlia(&mut self, event: kad::Event) {
        let kad::Event::OutboundQueryProgressed {
            id,
            result: QueryResult::GetClosestPeers(result),
            step,
            ..
        } = event
        else {
            return;
        };
        if step.last {
            let peers = match result {
                Ok(found) => found.peers,
                Err(kad::GetClosestPeersError::Timeout { peers, .. }) => peers,
            };
            self.on_searched(id, peers);
        }
    }

    fn on_searched(&mut self, query: QueryId, found: Vec<kad::PeerInfo>) {
        let Some(peer) = self.seek.searched(query) else {
            return;
        };
        let addresses = found
            .into_iter()
            .filter(|info| info.peer_id == peer)
            .flat_map(|info| info.addrs)
            .take(MAX_ADDRESSES_PER_PEER)
            .collect();
        self.dial_sought(peer, addresses);
    }
}
