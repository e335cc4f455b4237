//! Owns the swarm: the one task that carries out commands and hands on what arrives.
//!
//! Never waits for another part of the node, and never decides what an answer should be.

mod conduct;
mod events;
mod exchanges;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt;
use libp2p::gossipsub::{self, MessageAcceptance};
use libp2p::swarm::dial_opts::DialOpts;
use libp2p::swarm::{DialError, Swarm};
use libp2p::{Multiaddr, PeerId};
use tokio::sync::mpsc;

use super::address::without_peer;
use super::answers::{Answer, Answers};
use super::behaviour::{Behaviour, Names};
use super::bootstrap::Bootstrap;
use super::call::{Call, CallError, Waiting};
use super::client::{Command, PublishError};
use super::dial_error::call_error;
use super::gossip::Topic;
use super::identity::peer_of;
use super::inbound::{InboundSender, Judgement};
use super::offences::{Counts, Offence, Offenders};
use super::peers::Peers;
use super::proved::Proved;
use super::seek::{Next, Seek};
use super::versions::Spoken;
use super::watched::Complaint;
use crate::blobs::BlobResponse;
use crate::book::BookResponse;
use crate::lease_protocol::LeaseResponse;
use crate::ledger::protocol::LedgerResponse;

/// The most addresses that are believed of one node.
const MAX_ADDRESSES_PER_PEER: usize = 8;

/// Callers of the four protocols whose requests have left.
#[derive(Default)]
pub(super) struct Callers {
    ledger: Waiting<LedgerResponse>,
    lease: Waiting<LeaseResponse>,
    blob: Waiting<BlobResponse>,
    book: Waiting<BookResponse>,
}

/// How long a node may take to say what it speaks, once a call has found that this is not the same.
const INTRODUCED_WITHIN: Duration = Duration::from_secs(2);

/// A call that found no version in common.
pub(super) struct Unexplained {
    peer: PeerId,
    spoken: Spoken,
    /// When its caller is told without an introduction.
    due: Instant,
    fail: Box<dyn FnOnce(CallError) + Send>,
}

/// Runs the swarm. Made by [`super::start`]; spawn [`EventLoop::run`] as a task of its own.
pub struct EventLoop {
    // What it is made of.
    pub(super) names: Names,
    pub(super) advertise: Vec<Multiaddr>,
    pub(super) swarm: Swarm<Behaviour>,
    // Messages to and from the other parts of the node.
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) inbound: InboundSender,
    /// What the streams of libp2p's own protocols see.
    pub(super) complaints: mpsc::Receiver<Complaint>,
    // State.
    pub(super) bootstrap: Bootstrap,
    pub(super) peers: Peers,
    /// Where nodes were met before.
    pub(super) proved: Proved,
    pub(super) seek: Seek,
    pub(super) callers: Callers,
    pub(super) answers: Answers,
    /// Calls that found no version in common, before the other side has said what it speaks. The oldest is
    /// first.
    pub(super) unexplained: Vec<Unexplained>,
    // What others do wrong.
    pub(super) counts: Arc<Counts>,
    pub(super) offenders: Offenders,
}

impl EventLoop {
    /// Runs until the last [`super::Client`] is dropped.
    pub async fn run(mut self) {
        loop {
            let redial = self.bootstrap.next_due();
            let search_end = self.seek.next_deadline();
            let pardon = self.offenders.next_end();
            let introduction_end = self.unexplained.first().map(|call| call.due);
            tokio::select! {
                event = self.swarm.select_next_some() => self.on_event(event),
                command = self.commands.recv() => match command {
                    Some(command) => self.on_command(command),
                    None => return,
                },
                Some(answer) = self.answers.next() => {
                    if let Some(answer) = answer {
                        self.on_answer(answer);
                    }
                }
                Some(Complaint { peer, offence }) = self.complaints.recv() => {
                    self.note_offence(peer, offence);
                }
                () = sleep_until(redial) => self.dial_bootstrap(),
                () = sleep_until(search_end) => self.seek.give_up_overdue(Instant::now()),
                () = sleep_until(pardon) => self.pardon(),
                () = sleep_until(introduction_end) => self.explain_overdue(),
            }
        }
    }

    fn on_command(&mut self, command: Command) {
        match command {
            Command::Call(node, call) => self.on_call(peer_of(node), call),
            Command::Publish(topic, data, done) => {
                let _caller_gone = done.send(self.publish(topic, data));
            }
            Command::Peers(done) => {
                let _caller_gone = done.send(self.peers.list());
            }
            Command::ListenAddresses(done) => {
                let _caller_gone = done.send(self.swarm.listeners().cloned().collect());
            }
            Command::Report(done) => {
                let _caller_gone = done.send(self.report());
            }
            Command::Offence(node, offence, done) => {
                self.note_offence(peer_of(node), offence);
                let _caller_gone = done.send(());
            }
            Command::Disconnect(node, done) => {
                let _not_connected = self.swarm.disconnect_peer_id(peer_of(node));
                let _caller_gone = done.send(());
            }
        }
    }

    fn publish(&mut self, topic: Topic, data: Vec<u8>) -> Result<(), PublishError> {
        let length = data.len();
        let topic = topic.ident(&self.names.chain);
        match self.swarm.behaviour_mut().gossip.publish(topic, data) {
            Ok(_) => Ok(()),
            Err(gossipsub::PublishError::Duplicate) => Err(PublishError::Known),
            Err(gossipsub::PublishError::NoPeersSubscribedToTopic) => Err(PublishError::NoPeers),
            Err(gossipsub::PublishError::MessageTooLarge) => Err(PublishError::TooLarge(length)),
            Err(gossipsub::PublishError::AllQueuesFull(_)) => Err(PublishError::Busy),
            Err(other) => Err(PublishError::Other(other.to_string())),
        }
    }

    fn on_call(&mut self, peer: PeerId, call: Call) {
        if self.swarm.is_connected(&peer) {
            self.send(&peer, call);
            return;
        }
        if let Some((offence, left)) = self.offenders.shunned(&peer, Instant::now()) {
            let left_s = left.as_secs();
            call.fail(CallError::Shunned { offence, left_s });
            return;
        }
        if self.seek.add(peer, call) == Next::Dial {
            let known = self.bootstrap.addresses(&peer);
            self.dial_sought(peer, known);
        }
    }

    /// Dials a node that calls wait for; where that fails at once, goes on with the next step.
    fn dial_sought(&mut self, peer: PeerId, addresses: Vec<Multiaddr>) {
        let addresses = addresses.into_iter().take(MAX_ADDRESSES_PER_PEER).collect();
        let options = DialOpts::peer_id(peer)
            .addresses(addresses)
            .extend_addresses_through_behaviour()
            .build();
        match self.swarm.dial(options) {
            // Already being dialled: that attempt's outcome counts.
            Ok(()) | Err(DialError::DialPeerConditionFalse(_)) => {}
            Err(DialError::NoAddresses) => self.on_dial_failed(&peer, None),
            Err(error) => self.on_not_connected(&peer, &error),
        }
    }

    fn on_not_connected(&mut self, peer: &PeerId, error: &DialError) {
        let given = self.bootstrap.addresses(peer);
        let is_proof = |address: &Multiaddr| {
            self.proved.contains(peer, address)
                || given
                    .iter()
                    .any(|given| without_peer(given) == without_peer(address))
        };
        let failure = call_error(error, is_proof);
        self.on_dial_failed(peer, Some(failure));
    }

    fn on_dial_failed(&mut self, peer: &PeerId, failure: Option<CallError>) {
        if self.seek.dial_failed(peer, failure, Instant::now()) == Next::Search {
            let kademlia = &mut self.swarm.behaviour_mut().kademlia;
            let query = kademlia.get_closest_peers(*peer);
            self.seek.searching(peer, query);
        }
    }

    fn send(&mut self, peer: &PeerId, call: Call) {
        let behaviour = self.swarm.behaviour_mut();
        match call {
            Call::Ledger(exchange) => {
                let id = behaviour.ledger.send_request(peer, Ok(exchange.request));
                self.callers.ledger.insert(id, exchange.done);
            }
            Call::Lease(exchange) => {
                let id = behaviour.lease.send_request(peer, Ok(exchange.request));
                self.callers.lease.insert(id, exchange.done);
            }
            Call::Blob(exchange) => {
                let id = behaviour.blob.send_request(peer, Ok(exchange.request));
                self.callers.blob.insert(id, exchange.done);
            }
            Call::Book(exchange) => {
                let id = behaviour.book.send_request(peer, Ok(exchange.request));
                self.callers.book.insert(id, exchange.done);
            }
        }
    }

    fn on_answer(&mut self, answer: Answer) {
        if let Answer::Gossip(_, from, Judgement::Reject) = &answer {
            self.note_offence(*from, Offence::BadGossip);
        }
        let behaviour = self.swarm.behaviour_mut();
        // An answer that finds its stream closed is lost; the other side has given up already.
        let sent = match answer {
            Answer::Ledger(to, answer) => behaviour.ledger.send_response(to, answer).is_ok(),
            Answer::Lease(to, answer) => behaviour.lease.send_response(to, answer).is_ok(),
            Answer::Blob(to, answer) => behaviour.blob.send_response(to, answer).is_ok(),
            Answer::Book(to, answer) => behaviour.book.send_response(to, answer).is_ok(),
            Answer::Gossip(message, from, judgement) => {
                let acceptance = match judgement {
                    Judgement::Accept => MessageAcceptance::Accept,
                    Judgement::Ignore => MessageAcceptance::Ignore,
                    Judgement::Reject => MessageAcceptance::Reject,
                };
                let gossip = &mut behaviour.gossip;
                gossip.report_message_validation_result(&message, &from, acceptance)
            }
        };
        if !sent {
            tracing::debug!("an answer or a judgement came too late");
        }
    }

    fn dial_bootstrap(&mut self) {
        for peer in self.bootstrap.take_due(Instant::now()) {
            if self.swarm.is_connected(&peer) {
                self.bootstrap.connected(&peer);
                continue;
            }
            let options = DialOpts::peer_id(peer)
                .addresses(self.bootstrap.addresses(&peer))
                .build();
            if let Err(error) = self.swarm.dial(options) {
                tracing::debug!(%peer, %error, "a bootstrap node was not dialled");
            }
        }
    }
}

/// Sleeps until `instant`, or for ever where there is none.
async fn sleep_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}
