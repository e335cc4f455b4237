//! Owns the calls to nodes that are not connected yet: which are being dialled, which looked up.
//!
//! Never touches the swarm and never reads a clock: it says what to do next, and the event loop does it.
//!
//! ```text
//! call ──> Dialling ──no address, or none answers──> Searching (Kademlia) ──> DiallingFound
//!              └──────────────── connected: all calls are sent ────────────────────┘
//! ```
//!
//! Where every address refused the connection, the search for others is short, so that the end of a
//! program is known at once.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use libp2p::PeerId;
use libp2p::kad::QueryId;

use super::call::{Call, CallError};

/// How long other addresses are looked for, once the known ones have refused.
const SEARCH_AFTER_REFUSAL: Duration = Duration::from_secs(2);

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
    /// Why the attempts to connect failed, if there were any.
    failure: Option<CallError>,
    /// When the search ends without a result.
    deadline: Option<Instant>,
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
            deadline: None,
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

    /// Notes that an attempt to connect failed; without a `failure` there was no address to try.
    pub(super) fn dial_failed(
        &mut self,
        peer: &PeerId,
        failure: Option<CallError>,
        now: Instant,
    ) -> Next {
        let Some(sought) = self.0.get_mut(peer) else {
            return Next::Wait;
        };
        sought.failure = both(sought.failure.take(), failure);
        if matches!(sought.failure, Some(CallError::Refused(_))) {
            sought.deadline.get_or_insert(now + SEARCH_AFTER_REFUSAL);
        } else {
            sought.deadline = None;
        }
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
        sought.deadline = None;
        Some(*peer)
    }

    /// Returns when the next search must end.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.0.values().filter_map(|sought| sought.deadline).min()
    }

    /// Ends the calls whose search has taken too long.
    pub(super) fn give_up_overdue(&mut self, now: Instant) {
        let is_overdue = |sought: &Sought| sought.deadline.is_some_and(|deadline| deadline <= now);
        let overdue: Vec<PeerId> = self
            .0
            .iter()
            .filter(|(_, sought)| is_overdue(sought))
            .map(|(peer, _)| *peer)
            .collect();
        for peer in overdue {
            self.give_up(&peer);
        }
    }

    /// Ends all calls to a node that cannot be reached.
    pub(super) fn give_up(&mut self, peer: &PeerId) {
        let Some(sought) = self.0.remove(peer) else {
            return;
        };
        let error = sought.failure.unwrap_or(CallError::NotFound);
        for call in sought.calls {
            call.fail(error.clone());
        }
    }
}

/// Joins what two attempts showed: a refusal is definite only where there was nothing else.
fn both(first: Option<CallError>, second: Option<CallError>) -> Option<CallError> {
    match (first, second) {
        (Some(CallError::Refused(_)), Some(second @ CallError::Refused(_))) => Some(second),
        (Some(earlier), Some(CallError::Refused(_))) => Some(earlier),
        (earlier, None) => earlier,
        (_, second) => second,
    }
}

#[cfg(test)]
mod tests;
