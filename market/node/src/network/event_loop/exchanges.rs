//! Owns what the event loop does about requests, answers and gossip of other nodes.
//!
//! Never looks into a message: it is handed on, or its sender is noted for what is wrong with its bytes.

use std::time::Instant;

use libp2p::request_response::{
    self, InboundFailure, Message, OutboundFailure, OutboundRequestId, ResponseChannel,
};
use libp2p::{PeerId, gossipsub};
use market::NodeId;

use super::{Callers, EventLoop, INTRODUCED_WITHIN, Unexplained};
use crate::network::answers::Answer;
use crate::network::behaviour::BehaviourEvent;
use crate::network::call::Waiting;
use crate::network::codec::{Arrived, Fault};
use crate::network::gossip::Topic;
use crate::network::identity::node_of;
use crate::network::inbound::{Inbound, Reply, Verdict};
use crate::network::offences::Offence;
use crate::network::versions::Spoken;

/// A request that has arrived.
struct Asked<Req, Resp> {
    peer: PeerId,
    request: Req,
    channel: ResponseChannel<Resp>,
}

/// Where the callers of a protocol are kept.
type CallersOf<Resp> = fn(&mut Callers) -> &mut Waiting<Resp>;

/// Returns what is wrong with the bytes of another node, where they are what failed.
fn offence(fault: &Fault) -> Offence {
    match fault {
        Fault::TooLarge { .. } => Offence::Oversized,
        Fault::Truncated => Offence::Truncated,
        Fault::Slow => Offence::Slow,
        Fault::Undecodable(_) => Offence::Undecodable,
    }
}

impl EventLoop {
    pub(super) fn on_behaviour_event(&mut self, event: BehaviourEvent) {
        match event {
            BehaviourEvent::Identify(event) => self.on_identify(event),
            BehaviourEvent::Ping(event) => self.on_ping(event),
            BehaviourEvent::Kademlia(event) => self.on_kademlia(event),
            BehaviourEvent::Gossip(event) => self.on_gossip(event),
            BehaviourEvent::Ledger(event) => {
                let asked = self.sort(event, Spoken::Ledger, |callers| &mut callers.ledger);
                self.hand_on(asked, Answer::Ledger, |from, request, reply| {
                    Inbound::Ledger {
                        from,
                        request,
                        reply,
                    }
                });
            }
            BehaviourEvent::Lease(event) => {
                let asked = self.sort(event, Spoken::Lease, |callers| &mut callers.lease);
                self.hand_on(asked, Answer::Lease, |from, request, reply| {
                    Inbound::Lease {
                        from,
                        request,
                        reply,
                    }
                });
            }
            BehaviourEvent::Blob(event) => {
                let asked = self.sort(event, Spoken::Blob, |callers| &mut callers.blob);
                self.hand_on(asked, Answer::Blob, |from, request, reply| Inbound::Blob {
                    from,
                    request,
                    reply,
                });
            }
            BehaviourEvent::Book(event) => {
                let asked = self.sort(event, Spoken::Book, |callers| &mut callers.book);
                self.hand_on(asked, Answer::Book, |from, request, reply| Inbound::Book {
                    from,
                    request,
                    reply,
                });
            }
        }
    }

    /// Finishes calls of this node; returns requests of other nodes.
    fn sort<Req, Resp: Send + 'static>(
        &mut self,
        event: request_response::Event<Arrived<Req>, Resp>,
        spoken: Spoken,
        callers: CallersOf<Resp>,
    ) -> Option<Asked<Req, Resp>> {
        match event {
            request_response::Event::Message { peer, message, .. } => match message {
                Message::Request {
                    request, channel, ..
                } => match request {
                    Ok(request) => {
                        return Some(Asked {
                            peer,
                            request,
                            channel,
                        });
                    }
                    // The dropped channel closes the stream.
                    Err(fault) => self.note_offence(peer, offence(&fault)),
                },
                Message::Response {
                    request_id,
                    response,
                } => callers(&mut self.callers).finish(request_id, Ok(response)),
            },
            request_response::Event::OutboundFailure {
                peer,
                request_id,
                error,
                ..
            } => self.on_call_failed((peer, spoken), request_id, error, callers),
            // An answer that was withheld is this node's own decision.
            request_response::Event::InboundFailure {
                error: InboundFailure::ResponseOmission,
                ..
            }
            | request_response::Event::ResponseSent { .. } => {}
            request_response::Event::InboundFailure { peer, error, .. } => {
                tracing::debug!(%peer, %error, "an answer did not arrive");
            }
        }
        None
    }

    fn on_call_failed<Resp: Send + 'static>(
        &mut self,
        (peer, spoken): (PeerId, Spoken),
        id: OutboundRequestId,
        error: OutboundFailure,
        callers: CallersOf<Resp>,
    ) {
        // An answer that breaks off may be that of an honest node which is stopped; one that arrived whole and
        // is no answer is not.
        if let OutboundFailure::Io(error) = &error
            && let Some(fault @ (Fault::TooLarge { .. } | Fault::Undecodable(_))) = Fault::of(error)
        {
            self.note_offence(peer, offence(fault));
        }
        let waiting = callers(&mut self.callers);
        if !matches!(error, OutboundFailure::UnsupportedProtocols) {
            waiting.finish(id, Err(error.into()));
            return;
        }
        let Some(done) = waiting.take(id) else {
            return;
        };
        self.unexplained.push(Unexplained {
            peer,
            spoken,
            due: Instant::now() + INTRODUCED_WITHIN,
            fail: Box::new(move |error| {
                let _caller_gone = done.send(Err(error));
            }),
        });
        if self.peers.introduction(&peer).is_some() || !self.swarm.is_connected(&peer) {
            self.explain(&peer);
        }
    }

    /// Hands a request to the part of the node that answers it, or refuses it where the asker or the
    /// node has too much open: a dropped channel closes the stream.
    fn hand_on<Req, Resp: Send + 'static>(
        &mut self,
        asked: Option<Asked<Req, Resp>>,
        finish: fn(ResponseChannel<Resp>, Resp) -> Answer,
        inbound: fn(NodeId, Req, Reply<Resp>) -> Inbound,
    ) {
        let Some(Asked {
            peer,
            request,
            channel,
        }) = asked
        else {
            return;
        };
        let Some(from) = node_of(&peer) else {
            return;
        };
        if let Err(offence) = self.answers.room_for(&peer) {
            self.note_offence(peer, offence);
            return;
        }
        let (reply, answer) = Reply::new();
        self.answers
            .owe(peer, answer, move |answer| finish(channel, answer));
        self.inbound.offer(inbound(from, request, reply));
    }

    fn on_gossip(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message {
                propagation_source,
                message_id,
                message,
            } => self.on_gossip_message(propagation_source, message_id, message),
            gossipsub::Event::Subscribed { peer_id, topic } => {
                let topic = Topic::of(&topic, &self.names.chain);
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
        let topic = Topic::of(&message.topic, &self.names.chain);
        let (Some(from), Some(topic)) = (node_of(&peer), topic) else {
            return;
        };
        if self.answers.room_for(&peer).is_err() {
            // Who passes on much need not be its author.
            self.inbound.count(Offence::Busy);
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
