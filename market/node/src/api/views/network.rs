//! Owns the JSON of `GET /v1/network`: where a node is met, whom it knows, what it refused.
//!
//! Never computes anything but the shape.

use std::collections::BTreeMap;

use market::NodeId;
use serde::{Deserialize, Serialize};

use crate::network::{NetworkReport, PROGRAM_VERSION, PeerInfo, Spoken};

/// `GET /v1/network`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkView {
    /// Version of this program.
    pub program: String,
    /// The version that this node speaks of each protocol, by name: `ledger`, `lease`, `blob`, `book`, `kad`.
    pub speaks: BTreeMap<String, u16>,
    /// Addresses that this node listens on.
    pub listening: Vec<String>,
    /// Addresses at which others are told to reach it; empty means where it listens.
    pub advertised: Vec<String>,
    /// The connected nodes.
    pub peers: Vec<PeerView>,
    /// The nodes that are refused for a while.
    pub shunned: Vec<ShunnedView>,
    /// How often something of another node was refused since the start, by the name of the
    /// [`Offence`](crate::network::Offence). What never happened is left out.
    pub refusals: BTreeMap<String, u64>,
}

/// A connected node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PeerView {
    /// Which.
    pub node: NodeId,
    /// Whether it orders the market's transactions.
    pub is_operator: bool,
    /// The remote addresses of its connections.
    pub addresses: Vec<String>,
    /// How long it has been connected without a break, in seconds.
    pub connected_s: u64,
    /// The last measured round trip in milliseconds.
    pub round_trip_ms: Option<u64>,
    /// Name and version of its program, as it says, for example `nightshift/0.1.0`.
    pub program: Option<String>,
    /// The highest version that it speaks of each protocol, by name.
    pub speaks: BTreeMap<String, u16>,
    /// The protocols of which it shares no version with this node: which side is older, and what to do.
    pub version_gaps: Vec<String>,
}

/// A node that is refused for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShunnedView {
    /// Which.
    pub node: NodeId,
    /// What it did last, by the name under which it is counted.
    pub offence: String,
    /// For how many seconds yet.
    pub left_s: u64,
}

fn by_name(speaks: impl IntoIterator<Item = (Spoken, u16)>) -> BTreeMap<String, u16> {
    let named = |(spoken, version): (Spoken, u16)| (spoken.name().to_owned(), version);
    speaks.into_iter().map(named).collect()
}

fn strings<T: ToString>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    items.into_iter().map(|item| item.to_string()).collect()
}

impl PeerView {
    fn of(peer: PeerInfo, operators: &[NodeId]) -> Self {
        let introduction = peer.introduction.as_ref();
        let speaks = introduction.map(|known| known.speaks.clone());
        Self {
            node: peer.node,
            is_operator: operators.contains(&peer.node),
            addresses: strings(&peer.addresses),
            connected_s: peer.connected_for.as_secs(),
            round_trip_ms: peer
                .round_trip
                .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
            program: introduction.map(|known| known.agent.clone()),
            speaks: by_name(speaks.unwrap_or_default()),
            version_gaps: strings(introduction.iter().flat_map(|known| &known.gaps)),
        }
    }
}

impl NetworkView {
    /// Shapes a report of a node in the market of `operators`.
    pub fn of(report: NetworkReport, operators: &[NodeId]) -> Self {
        let versions = Spoken::ALL.map(|spoken| (spoken, report.versions.of(spoken)));
        let shunned = report.shunned.into_iter().map(|shunned| ShunnedView {
            node: shunned.node,
            offence: shunned.offence.name().to_owned(),
            left_s: shunned.left.as_secs(),
        });
        let refusals = report.refusals.into_iter();
        Self {
            program: PROGRAM_VERSION.to_owned(),
            speaks: by_name(versions),
            listening: strings(report.listening),
            advertised: strings(report.advertised),
            peers: report
                .peers
                .into_iter()
                .map(|peer| PeerView::of(peer, operators))
                .collect(),
            shunned: shunned.collect(),
            refusals: refusals
                .map(|(offence, count)| (offence.name().to_owned(), count))
                .collect(),
        }
    }
}
