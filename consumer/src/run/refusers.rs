//! Owns which providers of one search are left alone for a while: those that refused or did not answer.
//!
//! Pure: moments are handed in. Never leaves anybody alone for good: a busy card becomes free.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use market::NodeId;

/// How long a provider is left alone after its first refusal; it doubles with each, up to the longest.
const FIRST_REST: Duration = Duration::from_secs(4);
const LONGEST_REST: Duration = Duration::from_secs(64);

/// The refusals of one search.
#[derive(Debug, Default)]
pub(super) struct Refusers {
    /// For how long each was left alone last, and until when.
    resting: BTreeMap<NodeId, (Duration, Instant)>,
    tried: usize,
    last: String,
}

impl Refusers {
    /// Notes a refusal.
    pub(super) fn note(&mut self, provider: NodeId, reason: String, now: Instant) {
        let before = self.resting.get(&provider);
        let rest = before.map_or(FIRST_REST, |(rest, _)| (*rest * 2).min(LONGEST_REST));
        self.resting.insert(provider, (rest, now + rest));
        self.tried += 1;
        self.last = reason;
    }

    /// Tells whether a provider is left alone now.
    pub(super) fn rests(&self, provider: NodeId, now: Instant) -> bool {
        let resting = self.resting.get(&provider);
        resting.is_some_and(|(_, until)| now < *until)
    }

    /// Returns how often an offer was refused, and the newest reason.
    pub(super) fn summary(&self) -> (usize, String) {
        (self.tried, self.last.clone())
    }
}

#[cfg(test)]
mod tests;
