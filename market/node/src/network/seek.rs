//! Owns the calls to nodes that are not connected yet: which are being dialled, which looked up.
//!
//! Never touches the swarm: it says what to do next, and the event loop does it.
//!
//! ```text
//! call ──> Dialling ──no address, or none answers──> Searching (Kademlia) ──> DiallingFound
//!              └──────────────── connected: all calls are sent ────────────────────┘
//! ```

use std::collections::HashMap;

use libp2p::PeerId;
use libp2p::kad::QueryId;

use super::call::{Call, CallError};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The addresses that are known already are being tried.
    Dialling,
    /// Other nodes are being asked for addresses.
    Searching(QueryId),
    /// The addresses that were found are being tried.
    DiallingFound,
}

struct Sought {
    calls: Vec<Call>,
    stage: Stage,
    /// Why the last attempt to connect failed, if there was one.
    failure: Option<String>,
}

/// What to do next about a sought node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Dial the addresses that are known.
    Dial,
    /// Look the node up.
    Search,
    /// Nothing: something is under way, or nobody waits.
    Wait,
}

/// All sought nodes. Bounded by the calls that a client lets through at a time.
#[derive(Default)]
pub(super) struct Seek(HashMap<PeerId, Sought>);

impl Seek {
    /// Adds a call to a node that is not connected.
    pub(super) fn add(&mut self, peer: PeerId, call: Call) -> Next {
        if let Some(sought) = self.0.get_mut(&peer) {
            sought.calls.push(call);
            return Next::Wait;
        }
        let sought = Sought {
            calls: vec![call],
            stage: Stage::Dialling,
            failure: None,
        };
        self.0.insert(peer, sought);
        Next::Dial
    }

    /// Takes the calls that can be sent now that the node is connected.
    pub(super) fn connected(&mut self, peer: &PeerId) -> Vec<Call> {
        self.0
            .remove(peer)
            .map(|sought| sought.calls)
            .unwrap_or_default()
    }

    /// Notes that an attempt to connect failed; without a `reason` there was no address to try.
    pub(super) fn dial_failed(&mut self, peer: &PeerId, reason: Option<String>) -> Next {
        let Some(sought) = self.0.get_mut(peer) else {
            return Next::Wait;
        };
        sought.failure = reason.or(sought.failure.take());
        match sought.stage {
            Stage::Dialling => Next::Search,
            Stage::Searching(_) => Next::Wait,
            Stage::DiallingFound => {
                self.give_up(peer);
                Next::Wait
            }
        }
    }

    /// Notes that the node is being looked up.
    pub(super) fn searching(&mut self, peer: &PeerId, query: QueryId) {
        if let Some(sought) = self.0.get_mut(peer) {
            sought.stage = Stage::Searching(query);
        }
    }

    /// Returns who is still sought by a query that has ended.
    pub(super) fn searched(&mut self, query: QueryId) -> Option<PeerId> {
        let stage = Stage::Searching(query);
        let (peer, sought) = self
            .0
            .iter_mut()
            .find(|(_, sought)| sought.stage == stage)?;
        sought.stage = Stage::DiallingFound;
        Some(*peer)
    }

    /// Ends all calls to a node that cannot be reached.
    pub(super) fn give_up(&mut self, peer: &PeerId) {
        let Some(sought) = self.0.remove(peer) else {
            return;
        };
        let error = match sought.failure {
            Some(reason) => CallError::Unreachable(reason),
            None => CallError::NotFound,
        };
        for call in sought.calls {
            call.fail(error.clone());
        }
    }
}
