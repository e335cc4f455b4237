//! Owns what the event loop does about each event of the swarm.
//!
//! Never carries out commands; the parent does.

use std::time::Instant;

use libp2p::core::ConnectedPoint;
use libp2p::kad::{self, QueryId, QueryResult};
use libp2p::multiaddr::Protocol;
use libp2p::request_response::{self, InboundFailure, Message, ResponseChannel};
use libp2p::swarm::{ConnectionId, DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, gossipsub, identify, ping};
use market::NodeId;

use super::EventLoop;
use crate::network::answers::Answer;
use crate::network::behaviour::{BehaviourEvent, network_name, protocol_name};
use crate::network::call::Waiting;
use crate::network::gossip::Topic;
use crate::network::identity::node_of;
use crate::network::inbound::{Inbound, Reply, Verdict};

/// The most addresses that are believed of one node.
const MAX_ADDRESSES_PER_PEER: usize = 8;

/// A request that has arrived.
struct Asked<Req, Resp> {
    peer: PeerId,
    request: Req,
    channel: ResponseChannel<Resp>,
}

/// Finishes calls of this node; returns requests of other nodes.
fn sort_exchange<Req, Resp>(
    event: request_response::Event<Req, Resp>,
    waiting: &mut Waiting<Resp>,
) -> Option<Asked<Req, Resp>> {
    match event {
        request_response::Event::Message { peer, message, .. } => match message {
            Message::Request {
                request, channel, ..
            } => {
                return Some(Asked {
                    peer,
                    request,
                    channel,
                });
            }
            Message::Response {
                request_id,
                response,
            } => waiting.finish(request_id, Ok(response)),
        },
        request_response::Event::OutboundFailure {
            request_id, error, ..
        } => waiting.finish(request_id, Err(error.into())),
        // An answer that was withheld is this node's own decision.
        request_response::Event::InboundFailure {
            error: InboundFailure::ResponseOmission,
            ..
        }
        | request_response::Event::ResponseSent { .. } => {}
        request_response::Event::InboundFailure { peer, error, .. } => {
            tracing::debug!(%peer, %error, "a request came to nothing");
        }
    }
    None
}

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
                self.on_dial_failed(&peer, Some(reason(&error)));
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
        self.peers.opened(peer, (id, address));
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
        self.bootstrap.lost(&peer, Instant::now());
        if let Some(node) = node_of(&peer) {
            self.inbound.offer(Inbound::Disconnected(node));
        }
    }

    fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Identify(event) => self.on_identify(event),
            BehaviourEvent::Ping(event) => self.on_ping(event),
            BehaviourEvent::Kademlia(event) => self.on_kademlia(event),
            BehaviourEvent::Gossip(event) => self.on_gossip(event),
            BehaviourEvent::Ledger(event) => {
                if let Some(asked) = sort_exchange(event, &mut self.callers.ledger) {
                    self.hand_on(asked, Answer::Ledger, |from, request, reply| {
                        Inbound::Ledger {
                            from,
                            request,
                            reply,
                        }
                    });
                }
            }
            BehaviourEvent::Lease(event) => {
                if let Some(asked) = sort_exchange(event, &mut self.callers.lease) {
                    self.hand_on(asked, Answer::Lease, |from, request, reply| {
                        Inbound::Lease {
                            from,
                            request,
                            reply,
                        }
                    });
                }
            }
            BehaviourEvent::Blob(event) => {
                if let Some(asked) = sort_exchange(event, &mut self.callers.blob) {
                    self.hand_on(asked, Answer::Blob, |from, request, reply| Inbound::Blob {
                        from,
                        request,
                        reply,
                    });
                }
            }
            BehaviourEvent::Book(event) => {
                if let Some(asked) = sort_exchange(event, &mut self.callers.book) {
                    self.hand_on(asked, Answer::Book, |from, request, reply| Inbound::Book {
                        from,
                        request,
                        reply,
                    });
                }
            }
        }
    }

    /// Hands a request to the part of the node that answers it, or refuses it where the asker or the
    /// node has too much open: a dropped channel closes the stream.
    fn hand_on<Req, Resp: Send + 'static>(
        &mut self,
        asked: Asked<Req, Resp>,
        finish: fn(ResponseChannel<Resp>, Resp) -> Answer,
        inbound: fn(NodeId, Req, Reply<Resp>) -> Inbound,
    ) {
        let Asked {
            peer,
            request,
            channel,
        } = asked;
        let Some(from) = node_of(&peer) else {
            return;
        };
        if !self.answers.has_room_for(&peer) {
            self.inbound.count_refused();
            return;
        }
        let (reply, answer) = Reply::new();
        self.answers
            .owe(peer, answer, move |answer| finish(channel, answer));
        self.inbound.offer(inbound(from, request, reply));
    }

    fn on_identify(&mut self, event: identify::Event) {
        let identify::Event::Received { peer_id, info, .. } = event else {
            return;
        };
        let expected = network_name(&self.chain);
        if info.protocol_version != expected {
            let theirs = info.protocol_version;
            tracing::warn!(peer = %peer_id, %theirs, ours = %expected, "disconnected a node of another market or version");
            let _closed_already = self.swarm.disconnect_peer_id(peer_id);
            return;
        }
        if !info.protocols.contains(&protocol_name(&self.chain, "kad")) {
            return;
        }
        let kademlia = &mut self.swarm.behaviour_mut().kademlia;
        for address in info.listen_addrs.into_iter().take(MAX_ADDRESSES_PER_PEER) {
            if can_be_dialled(&address) {
                kademlia.add_address(&peer_id, address);
            }
        }
    }

    fn on_ping(&mut self, event: ping::Event) {
        match event.result {
            Ok(round_trip) => self.peers.measured(&event.peer, round_trip),
            Err(ping::Failure::Unsupported) => {}
            Err(error) => {
                tracing::debug!(peer = %event.peer, %error, "closing a dead connection");
                self.swarm.close_connection(event.connection);
            }
        }
    }

    fn on_kademlia(&mut self, event: kad::Event) {
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

    fn on_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            } => self.on_gossip_message(propagation_source, message_id, message),
            gossipsub::Event::Subscribed { peer_id, topic } => {
                let topic = Topic::of(&topic, &self.chain);
                if let (Some(node), Some(topic)) = (node_of(&peer_id), topic) {
                    self.inbound.offer(Inbound::Subscribed { node, topic });
                }
            }
            other => tracing::trace!(?other, "gossip event"),
        }
    }

    fn on_gossip_message(
        &mut self,
        peer: PeerId,
        id: gossipsub::MessageId,
        message: gossipsub::Message,
    ) {
        let topic = Topic::of(&message.topic, &self.chain);
        let (Some(from), Some(topic)) = (node_of(&peer), topic) else {
            return;
        };
        if !self.answers.has_room_for(&peer) {
            self.inbound.count_refused();
            return;
        }
        let (verdict, judgement) = Verdict::new();
        self.answers.owe_judgement(peer, id, judgement);
        self.inbound.offer(Inbound::Gossip {
            topic,
            from,
            data: message.data,
            verdict,
        });
    }
}

/// Tells whether an address begins with a host and names a TCP port.
fn can_be_dialled(address: &Multiaddr) -> bool {
    let mut parts = address.iter();
    let host = match parts.next() {
        Some(Protocol::Ip4(ip)) => !ip.is_unspecified(),
        Some(Protocol::Ip6(ip)) => !ip.is_unspecified(),
        Some(Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_)) => true,
        _ => false,
    };
    host && matches!(parts.next(), Some(Protocol::Tcp(port)) if port > 0)
}

/// Says on one line why a node could not be reached: each address that was tried, with its innermost cause.
fn reason(error: &DialError) -> String {
    let DialError::Transport(tried) = error else {
        return error.to_string();
    };
    let causes = tried.iter().map(|(address, error)| {
        let mut cause: &dyn std::error::Error = error;
        while let Some(inner) = cause.source() {
            cause = inner;
        }
        let cause = cause.to_string();
        // libp2p lists the causes of one address on lines of their own, the last attempt last.
        let last = cause.lines().last().unwrap_or_default();
        format!("{address} ({})", last.trim_start_matches([' ', '-']))
    });
    causes.collect::<Vec<String>>().join(", ")
}
