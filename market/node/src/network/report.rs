//! Owns what can be told about a node's network at one moment.
//!
//! Never changes anything.

use std::collections::BTreeMap;
use std::time::Duration;

use libp2p::Multiaddr;
use market::NodeId;

use super::offences::Offence;
use super::peers::PeerInfo;
use super::versions::Versions;

/// A node that this one refuses for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShunnedNode {
    /// Which.
    pub node: NodeId,
    /// What it did last.
    pub offence: Offence,
    /// For how much longer.
    pub left: Duration,
}

/// Where a node is met, who is connected, and what was refused since the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkReport {
    /// What this node speaks.
    pub versions: Versions,
    /// Where it listens, without `/p2p`.
    pub listening: Vec<Multiaddr>,
    /// Where others are told to reach it, when that is not where it listens.
    pub advertised: Vec<Multiaddr>,
    /// The connected nodes, in the order of their ids.
    pub peers: Vec<PeerInfo>,
    /// The nodes that are refused for a while.
    pub shunned: Vec<ShunnedNode>,
    /// How often each thing was refused.
    pub refusals: BTreeMap<Offence, u64>,
}
