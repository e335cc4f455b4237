//! Owns the topics, and how gossip is passed on and its senders are scored.
//!
//! Never looks into a message. Messages are anonymous on this level: each payload carries its own
//! signature, which also names the chain, so a second signature by whoever publishes would double
//! the cost of checking and add 110 bytes to a message of 256. A message's id is BLAKE3 of topic
//! and content, so the same order is the same message, whoever brings it.

use std::collections::HashMap;
use std::time::Duration;

use libp2p::gossipsub::{
    self, ConfigBuilder, IdentTopic, Message, MessageAuthenticity, MessageId, PeerScoreParams,
    PeerScoreThresholds, TopicHash, TopicScoreParams, ValidationMode,
};
use market::ChainId;

/// The most bytes of one gossip message.
pub const MAX_GOSSIP_BYTES: usize = 64 << 10;

/// How long a message's id is remembered.
const DUPLICATE_CACHE: Duration = Duration::from_secs(120);

/// Peers behind one address that are not suspicious: carriers put many homes behind one.
const PEERS_PER_ADDRESS: f64 = 64.0;

/// What gossip is about. Every node follows all topics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// Orders and beacons.
    Orders,
    /// Headers of new blocks.
    Headers,
}

impl Topic {
    pub(super) const ALL: [Self; 2] = [Self::Orders, Self::Headers];

    pub(super) fn ident(self, chain: &ChainId) -> IdentTopic {
        let name = match self {
            Self::Orders => "orders",
            Self::Headers => "headers",
        };
        IdentTopic::new(format!("/nightshift/{}/{name}/1", chain.short()))
    }

    pub(super) fn of(hash: &TopicHash, chain: &ChainId) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|topic| topic.ident(chain).hash() == *hash)
    }
}

fn message_id(message: &Message) -> MessageId {
    let mut hasher = blake3::Hasher::new();
    hasher.update(message.topic.as_str().as_bytes());
    hasher.update(&[0]);
    hasher.update(&message.data);
    MessageId::from(hasher.finalize().as_bytes().to_vec())
}

/// Scores one topic. Delivery rates (P3, P3b) have no weight: a market is quiet for hours, and they
/// would shut honest peers out. Time in the mesh earns little, so that it never buys impunity.
fn topic_score() -> TopicScoreParams {
    TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: 0.01,
        time_in_mesh_quantum: Duration::from_secs(60),
        time_in_mesh_cap: 100.0,
        first_message_deliveries_weight: 0.1,
        first_message_deliveries_cap: 20.0,
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        invalid_message_deliveries_weight: -4.0,
        invalid_message_deliveries_decay: 0.9,
        ..TopicScoreParams::default()
    }
}

fn scores(chain: &ChainId) -> PeerScoreParams {
    let topics: HashMap<_, _> = Topic::ALL
        .into_iter()
        .map(|topic| (topic.ident(chain).hash(), topic_score()))
        .collect();
    PeerScoreParams {
        topics,
        topic_score_cap: 10.0,
        ip_colocation_factor_threshold: PEERS_PER_ADDRESS,
        behaviour_penalty_threshold: 6.0,
        ..PeerScoreParams::default()
    }
}

/// Builds the gossip behaviour, subscribed to all topics of the chain.
pub(super) fn behaviour(chain: &ChainId) -> Result<gossipsub::Behaviour, String> {
    let config = ConfigBuilder::default()
        .validate_messages()
        .validation_mode(ValidationMode::Anonymous)
        .message_id_fn(message_id)
        .duplicate_cache_time(DUPLICATE_CACHE)
        .max_transmit_size(MAX_GOSSIP_BYTES)
        .mesh_n(8)
        .mesh_n_low(6)
        .mesh_n_high(12)
        .build()
        .map_err(|error| error.to_string())?;
    let mut gossip = gossipsub::Behaviour::new(MessageAuthenticity::Anonymous, config)?;
    gossip.with_peer_score(scores(chain), PeerScoreThresholds::default())?;
    for topic in Topic::ALL {
        gossip
            .subscribe(&topic.ident(chain))
            .map_err(|error| error.to_string())?;
    }
    Ok(gossip)
}
