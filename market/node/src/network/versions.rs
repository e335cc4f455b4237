//! Owns which version of each protocol a node speaks, and what is said where two nodes share none.
//!
//! Never guesses: what another node speaks is what it listed itself.

use std::collections::BTreeMap;
use std::fmt;

use market::{ChainId, NodeId};

/// The version of this program.
pub const PROGRAM_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The most characters that are kept of the name and version that another node gives itself.
const MAX_AGENT_CHARS: usize = 64;

/// The most protocols that are looked at in another node's list.
const MAX_PROTOCOLS: usize = 128;

/// The protocols of which two nodes must share a version to use them together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Spoken {
    /// Questions to an operator.
    Ledger,
    /// The steps of a lease.
    Lease,
    /// Parts of blobs.
    Blob,
    /// Pages of the order book.
    Book,
    /// Look-ups of addresses.
    Kademlia,
}

impl Spoken {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Ledger,
        Self::Lease,
        Self::Blob,
        Self::Book,
        Self::Kademlia,
    ];

    /// Returns the name that stands in the protocol's id.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ledger => "ledger",
            Self::Lease => "lease",
            Self::Blob => "blob",
            Self::Book => "book",
            Self::Kademlia => "kad",
        }
    }
}

/// The version of each protocol that a node speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Versions(BTreeMap<Spoken, u16>);

impl Default for Versions {
    /// What this program speaks.
    fn default() -> Self {
        Self(Spoken::ALL.map(|spoken| (spoken, 1)).into())
    }
}

impl Versions {
    /// Returns the same with one protocol in another version.
    #[must_use]
    pub fn with(mut self, spoken: Spoken, version: u16) -> Self {
        self.0.insert(spoken, version);
        self
    }

    /// Returns the version of one protocol.
    pub fn of(&self, spoken: Spoken) -> u16 {
        self.0.get(&spoken).copied().unwrap_or(1)
    }

    /// Returns the id of a protocol, for example `/nightshift/a1b2c3d4/ledger/1`.
    pub(super) fn id(&self, chain: &ChainId, spoken: Spoken) -> String {
        let (chain, name, version) = (chain.short(), spoken.name(), self.of(spoken));
        format!("/nightshift/{chain}/{name}/{version}")
    }
}

/// What a node says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduction {
    /// Name and version of its program, for example `nightshift/0.1.0`; printable, at most 64 characters.
    pub agent: String,
    /// The highest version that it speaks of each protocol of this market.
    pub speaks: BTreeMap<Spoken, u16>,
    /// The protocols that both know, but in no version in common.
    pub gaps: Vec<VersionGap>,
}

impl Introduction {
    /// Reads what `node` says about itself against what this node speaks.
    pub(super) fn read<'a>(
        node: NodeId,
        agent: &str,
        protocols: impl Iterator<Item = &'a str>,
        (ours, chain): (&Versions, &ChainId),
    ) -> Self {
        let agent: String = agent
            .chars()
            .filter(|letter| letter.is_ascii_graphic())
            .take(MAX_AGENT_CHARS)
            .collect();
        let listed: Vec<(Spoken, u16)> = protocols
            .take(MAX_PROTOCOLS)
            .filter_map(|id| parse(id, chain))
            .collect();
        let mut speaks = BTreeMap::new();
        for &(spoken, version) in &listed {
            let highest = speaks.entry(spoken).or_insert(version);
            *highest = version.max(*highest);
        }
        let gap = |(&spoken, &theirs): (&Spoken, &u16)| {
            let ours = ours.of(spoken);
            let is_shared = listed.contains(&(spoken, ours));
            (!is_shared).then(|| VersionGap {
                node,
                spoken,
                ours,
                theirs,
                agent: agent.clone(),
            })
        };
        let gaps = speaks.iter().filter_map(gap).collect();
        Self {
            agent,
            speaks,
            gaps,
        }
    }
}

/// Reads the id of a protocol of this market.
fn parse(id: &str, chain: &ChainId) -> Option<(Spoken, u16)> {
    let rest = id.strip_prefix("/nightshift/")?;
    let rest = rest.strip_prefix(chain.short().as_str())?;
    let (name, version) = rest.strip_prefix('/')?.split_once('/')?;
    let spoken = Spoken::ALL
        .into_iter()
        .find(|spoken| spoken.name() == name)?;
    Some((spoken, version.parse().ok()?))
}

/// Two nodes that know a protocol, but share no version of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionGap {
    /// The other node.
    pub node: NodeId,
    /// The protocol.
    pub spoken: Spoken,
    /// The version that this node speaks.
    pub ours: u16,
    /// The highest version that the other speaks.
    pub theirs: u16,
    /// What the other calls its program.
    pub agent: String,
}

impl fmt::Display for VersionGap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, ours, theirs) = (self.spoken.name(), self.ours, self.theirs);
        let node = self.node.short();
        write!(
            f,
            "this node speaks {name}/{ours}, {node} speaks {name}/{theirs}: "
        )?;
        if ours < theirs {
            write!(
                f,
                "this program ({PROGRAM_VERSION}) is older than theirs ({}); install the newer release",
                self.agent
            )
        } else {
            write!(
                f,
                "their program ({}) is older than this one ({PROGRAM_VERSION}); they must install the newer \
                 release",
                self.agent
            )
        }
    }
}

#[cfg(test)]
mod tests;
