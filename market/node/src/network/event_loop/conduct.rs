//! Owns what the event loop does about nodes that send what they should not, or speak other versions.
//!
//! Never refuses a bootstrap node for a while: without it this node would be alone, so it is only
//! disconnected.

use std::time::Instant;

use libp2p::PeerId;

use super::EventLoop;
use crate::network::call::{CallError, Timeouts};
use crate::network::identity::node_of;
use crate::network::offences::{Offence, Sentence};
use crate::network::report::{NetworkReport, ShunnedNode};

impl EventLoop {
    /// Counts an offence, and carries out what it costs.
    pub(super) fn note_offence(&mut self, peer: PeerId, offence: Offence) {
        self.counts.add(offence);
        tracing::debug!(%peer, offence = offence.name(), "refused");
        let now = Instant::now();
        // A link that stood still makes everybody slow.
        if offence == Offence::Slow && !self.peers.was_steady(&peer, Timeouts::REQUEST, now) {
            return;
        }
        let sentence = match self.offenders.note(peer, offence, now) {
            Sentence::Shun if self.bootstrap.contains(&peer) => Sentence::Disconnect,
            sentence => sentence,
        };
        match sentence {
            Sentence::Noted => {}
            Sentence::Disconnect => {
                tracing::info!(%peer, offence = offence.name(), "disconnected a node: {offence}");
                let _closed_already = self.swarm.disconnect_peer_id(peer);
            }
            Sentence::Shun => {
                tracing::warn!(%peer, offence = offence.name(), "a node is refused for five minutes: {offence}");
                self.swarm.behaviour_mut().shunned.block_peer(peer);
            }
        }
    }

    /// Lets the nodes back whose time is over.
    pub(super) fn pardon(&mut self) {
        for peer in self.offenders.take_ended(Instant::now()) {
            tracing::info!(%peer, "a node is no longer refused");
            self.swarm.behaviour_mut().shunned.unblock_peer(peer);
        }
    }

    /// Tells the callers of a node, whose protocol it did not speak, why; or that nobody knows.
    pub(super) fn explain(&mut self, peer: &PeerId) {
        let introduction = self.peers.introduction(peer);
        let gaps = introduction.map(|introduction| introduction.gaps.clone());
        for call in self.unexplained.extract_if(.., |call| call.peer == *peer) {
            let gap = gaps.iter().flatten().find(|gap| gap.spoken == call.spoken);
            (call.fail)(match gap {
                Some(gap) => CallError::Version(Box::new(gap.clone())),
                None => CallError::Unsupported,
            });
        }
    }

    /// Tells the callers that have waited long enough for a node to introduce itself.
    pub(super) fn explain_overdue(&mut self) {
        let now = Instant::now();
        let overdue = self.unexplained.iter().filter(|call| call.due <= now);
        for peer in overdue.map(|call| call.peer).collect::<Vec<_>>() {
            self.explain(&peer);
        }
    }

    /// Tells how the network stands.
    pub(super) fn report(&self) -> NetworkReport {
        let shunned = self.offenders.all_shunned(Instant::now()).into_iter();
        let mut shunned: Vec<_> = shunned
            .filter_map(|shunned| {
                Some(ShunnedNode {
                    node: node_of(&shunned.peer)?,
                    offence: shunned.offence,
                    left: shunned.left,
                })
            })
            .collect();
        shunned.sort_by_key(|shunned| shunned.node);
        NetworkReport {
            versions: self.names.versions.clone(),
            listening: self.swarm.listeners().cloned().collect(),
            advertised: self.advertise.clone(),
            peers: self.peers.list(),
            shunned,
            refusals: self.counts.all(),
        }
    }
}
