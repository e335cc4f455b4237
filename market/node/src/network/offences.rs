//! Owns what other nodes do wrong: how often, by reason, and for how long a repeated offender is refused.
//!
//! Never reads a clock and never touches the swarm: instants are passed in, and the event loop carries out
//! what is decided here.
//!
//! Grave offences cost the connection at once. Each offence adds its weight to its node's score, of which one
//! point is forgotten every minute; at twelve the node is refused for five minutes.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use libp2p::PeerId;

/// How long it takes until one point of a score is forgotten, in seconds.
const POINT_S: u64 = 60;

/// How long a node is refused.
const SHUNNED_FOR: Duration = Duration::from_secs(300);

/// The score at which a node is refused for a while.
const LIMIT: u32 = 12;

/// The weight from which an offence costs the connection.
const GRAVE: u32 = 4;

/// The most nodes whose score is remembered, and the most that are refused at a time. Beyond it the score of
/// the oldest offender is forgotten, and who would be refused is only disconnected.
const MAX_REMEMBERED: usize = 1_024;

/// What another node did that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Offence {
    /// A message longer than its protocol allows.
    Oversized,
    /// Bytes that are no message of their protocol.
    Undecodable,
    /// A message that ends before its stated length.
    Truncated,
    /// A message that took too long to arrive.
    Slow,
    /// More requests open at a time than one node may have.
    Flood,
    /// Gossip that is undecodable or badly signed.
    BadGossip,
    /// A part of a blob that does not match its hash.
    CorruptBlob,
    /// A page of the order book with a badly signed order.
    CorruptBook,
    /// The node is of another market.
    OtherMarket,
    /// The node shares no version of a protocol with this one.
    OtherVersion,
    /// This node was too busy: a queue was full. Not the other's fault.
    Busy,
    /// A node came back while it was being refused.
    Shunned,
}

impl Offence {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::Oversized,
        Self::Undecodable,
        Self::Truncated,
        Self::Slow,
        Self::Flood,
        Self::BadGossip,
        Self::CorruptBlob,
        Self::CorruptBook,
        Self::OtherMarket,
        Self::OtherVersion,
        Self::Busy,
        Self::Shunned,
    ];

    /// Returns the name under which it is counted, for example `corrupt_blob`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Oversized => "oversized",
            Self::Undecodable => "undecodable",
            Self::Truncated => "truncated",
            Self::Slow => "slow",
            Self::Flood => "flood",
            Self::BadGossip => "bad_gossip",
            Self::CorruptBlob => "corrupt_blob",
            Self::CorruptBook => "corrupt_book",
            Self::OtherMarket => "other_market",
            Self::OtherVersion => "other_version",
            Self::Busy => "busy",
            Self::Shunned => "shunned",
        }
    }

    /// How much it adds to its node's score.
    fn weight(self) -> u32 {
        match self {
            Self::Oversized | Self::Undecodable | Self::CorruptBlob | Self::CorruptBook => GRAVE,
            Self::Slow | Self::BadGossip => 2,
            Self::Truncated | Self::Flood => 1,
            Self::OtherMarket | Self::OtherVersion | Self::Busy | Self::Shunned => 0,
        }
    }
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::Oversized => "messages longer than allowed",
            Self::Undecodable => "bytes that are no message",
            Self::Truncated => "messages cut short",
            Self::Slow => "messages that took too long",
            Self::Flood => "too many requests at a time",
            Self::BadGossip => "gossip that does not check",
            Self::CorruptBlob => "parts of blobs that do not match their hash",
            Self::CorruptBook => "orders that do not check",
            Self::OtherMarket => "belonging to another market",
            Self::OtherVersion => "speaking other versions",
            Self::Busy => "this node being busy",
            Self::Shunned => "coming back while refused",
        };
        f.write_str(words)
    }
}

/// How often each offence happened since the start. Shared by everything that counts.
#[derive(Debug, Default)]
pub(super) struct Counts([AtomicU64; Offence::ALL.len()]);

impl Counts {
    /// Counts one.
    pub(super) fn add(&self, offence: Offence) {
        self.0[offence as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Returns how often one happened.
    pub(super) fn of(&self, offence: Offence) -> u64 {
        self.0[offence as usize].load(Ordering::Relaxed)
    }

    /// Returns those that happened at all.
    pub(super) fn all(&self) -> BTreeMap<Offence, u64> {
        Offence::ALL
            .into_iter()
            .map(|offence| (offence, self.of(offence)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }
}

/// What to do about the node that offended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sentence {
    /// Nothing yet.
    Noted,
    /// Close its connections.
    Disconnect,
    /// Close its connections and refuse it for a while.
    Shun,
}

#[derive(Debug, Clone, Copy)]
struct Score {
    points: u32,
    /// Up to when points have been forgotten.
    reckoned: Instant,
}

impl Score {
    /// Forgets a point for each whole minute; tells whether any is left.
    fn fade(&mut self, now: Instant) -> bool {
        let faded = now.saturating_duration_since(self.reckoned).as_secs() / POINT_S;
        self.reckoned += Duration::from_secs(faded * POINT_S);
        let faded = u32::try_from(faded).unwrap_or(u32::MAX);
        self.points = self.points.saturating_sub(faded);
        self.points > 0
    }
}

#[derive(Debug, Clone, Copy)]
struct Shunned {
    until: Instant,
    offence: Offence,
}

/// A node that is refused for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ShunnedPeer {
    pub(super) peer: PeerId,
    pub(super) offence: Offence,
    pub(super) left: Duration,
}

/// The scores of offenders, and who is refused until when. Both bounded.
#[derive(Debug, Default)]
pub(super) struct Offenders {
    scores: HashMap<PeerId, Score>,
    shunned: HashMap<PeerId, Shunned>,
}

impl Offenders {
    /// Notes an offence, and says what it costs.
    pub(super) fn note(&mut self, peer: PeerId, offence: Offence, now: Instant) -> Sentence {
        let weight = offence.weight();
        if weight == 0 {
            return Sentence::Noted;
        }
        self.forget(now);
        let score = self.scores.entry(peer).or_insert(Score {
            points: 0,
            reckoned: now,
        });
        score.points = score.points.saturating_add(weight);
        if score.points >= LIMIT {
            self.scores.remove(&peer);
            if self.shunned.len() >= MAX_REMEMBERED && !self.shunned.contains_key(&peer) {
                return Sentence::Disconnect;
            }
            let until = now + SHUNNED_FOR;
            self.shunned.insert(peer, Shunned { until, offence });
            return Sentence::Shun;
        }
        match weight >= GRAVE {
            true => Sentence::Disconnect,
            false => Sentence::Noted,
        }
    }

    /// Drops what is too old, and the oldest where there is too much.
    fn forget(&mut self, now: Instant) {
        self.scores.retain(|_, score| score.fade(now));
        if self.scores.len() >= MAX_REMEMBERED {
            let oldest = self.scores.iter().min_by_key(|(_, score)| score.reckoned);
            if let Some(peer) = oldest.map(|(peer, _)| *peer) {
                self.scores.remove(&peer);
            }
        }
    }

    /// Returns why a node is refused, and for how much longer.
    pub(super) fn shunned(&self, peer: &PeerId, now: Instant) -> Option<(Offence, Duration)> {
        let shunned = self.shunned.get(peer)?;
        let left = shunned.until.checked_duration_since(now)?;
        Some((shunned.offence, left))
    }

    /// Returns all that are refused.
    pub(super) fn all_shunned(&self, now: Instant) -> Vec<ShunnedPeer> {
        let row = |(peer, shunned): (&PeerId, &Shunned)| ShunnedPeer {
            peer: *peer,
            offence: shunned.offence,
            left: shunned.until.saturating_duration_since(now),
        };
        self.shunned.iter().map(row).collect()
    }

    /// Returns when the next refusal ends.
    pub(super) fn next_end(&self) -> Option<Instant> {
        self.shunned.values().map(|shunned| shunned.until).min()
    }

    /// Takes the nodes whose refusal has ended.
    pub(super) fn take_ended(&mut self, now: Instant) -> Vec<PeerId> {
        let ended = self.shunned.extract_if(|_, shunned| shunned.until <= now);
        ended.map(|(peer, _)| peer).collect()
    }
}

#[cfg(test)]
mod tests;
