//! Owns the last beacon of a node that leaves: checking another's, and saying this node's to its neighbours.
//!
//! Never relies on gossip, which has no answer: what is only published may still lie in a queue when its node
//! is gone.

use std::time::Duration;

use futures::future::join_all;
use market::order::{Beacon, BookMessage};
use market::{ChainId, NodeId, Signed};
use matching::Message;

use super::protocol::{BookRequest, BookResponse};
use crate::network::Client;

/// Neighbours that are told; each passes it on.
const NEIGHBOURS: usize = 8;

/// How long they may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// Checks a farewell that node `from` sent: its own signature on a beacon that keeps nothing alive.
pub(super) fn check(beacon: Signed<Beacon>, from: NodeId, chain: &ChainId) -> Option<Message> {
    let message = matching::check(BookMessage::Beacon(beacon), chain).ok()?;
    match &message {
        Message::Beacon(beacon) if beacon.node() == from && beacon.value().live_slots == 0 => {
            Some(message)
        }
        _ => None,
    }
}

/// Says farewell to the neighbours and waits for their answers. Where none answers in time, the orders of this
/// node fall out of other books when its beacons are missed.
pub(super) async fn say(client: Client, beacon: Signed<Beacon>) {
    let neighbours = client.peers().await.into_iter().take(NEIGHBOURS);
    let calls = neighbours.map(|neighbour| {
        let request = BookRequest::Farewell(beacon.clone());
        client.call_book(neighbour.node, request)
    });
    let Ok(answers) = tokio::time::timeout(PATIENCE, join_all(calls)).await else {
        tracing::info!("not every neighbour has answered this node's farewell");
        return;
    };
    let noted = answers
        .iter()
        .filter(|answer| matches!(answer, Ok(BookResponse::Noted)));
    tracing::debug!(
        noted = noted.count(),
        asked = answers.len(),
        "said farewell"
    );
}
