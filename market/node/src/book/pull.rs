//! Owns catching up with another node's book: page after page, each checked off the book's own task.
//!
//! Never takes more pages than a full book has, and never asks one node twice within half a minute.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use market::{ChainId, NodeId};
use tokio::sync::mpsc;

use super::handle::Ingress;
use super::protocol::{BookPage, BookRequest, BookResponse};
use crate::network::{CallError, Client, Offence};

/// The most pages of one book: a hundred thousand orders and their beacons.
const MAX_PAGES: usize = 64;

/// How long a node is left alone after it was asked.
const PAUSE: Duration = Duration::from_secs(30);

/// Nodes that are asked at the same time.
pub(super) const MAX_PULLS: usize = 4;

/// When each connected node was asked last.
#[derive(Debug, Default)]
pub(super) struct Asked(HashMap<NodeId, Instant>);

impl Asked {
    /// Tells whether a node may be asked now, and notes that it is.
    pub(super) fn may_ask(&mut self, node: NodeId, now: Instant) -> bool {
        self.0.retain(|_, at| now.duration_since(*at) < PAUSE);
        match self.0.entry(node) {
            std::collections::hash_map::Entry::Occupied(_) => false,
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(now);
                true
            }
        }
    }

    /// Forgets that a node was asked, because it could not answer yet.
    pub(super) fn forget(&mut self, node: NodeId) {
        self.0.remove(&node);
    }
}

/// How a pull ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pulled {
    /// All that the other node holds is here.
    All,
    /// The other node cannot say yet what it holds.
    NotReady,
    /// The other node did not answer, or sent what does not check.
    Failed,
}

/// Asks `node` for its book and hands each page, checked, to the book's task.
pub(super) async fn pull(
    client: Client,
    chain: ChainId,
    node: NodeId,
    digest: [u8; 32],
    learnt: mpsc::Sender<Ingress>,
) -> Pulled {
    let mut after = None;
    for _ in 0..MAX_PAGES {
        let page = match ask(&client, node, digest, after).await {
            Ok(BookResponse::Page(page)) => page,
            Ok(BookResponse::Same) => return Pulled::All,
            Ok(BookResponse::NotReady) => return Pulled::NotReady,
            Ok(BookResponse::Noted) => {
                tracing::debug!(%node, "another node answered what was not asked");
                return Pulled::Failed;
            }
            Err(error) => {
                tracing::debug!(%node, %error, "could not read another node's order book");
                return Pulled::Failed;
            }
        };
        let next = page.next;
        let Some(messages) = check_page(page, chain).await else {
            tracing::warn!(%node, "another node's order book holds a badly signed order");
            client.note_offence(node, Offence::CorruptBook).await;
            return Pulled::Failed;
        };
        // The book's task has ended, or there is nothing more.
        if learnt.send(Ingress::Learnt(messages)).await.is_err() || next.is_none() {
            return Pulled::All;
        }
        if next <= after {
            return Pulled::Failed;
        }
        after = next;
    }
    Pulled::All
}

async fn ask(
    client: &Client,
    node: NodeId,
    digest: [u8; 32],
    after: Option<NodeId>,
) -> Result<BookResponse, CallError> {
    let request = BookRequest::Snapshot { digest, after };
    client.call_book(node, request).await
}

/// Checks all signatures of a page, two thousand at the most, where they hold up nobody.
async fn check_page(page: BookPage, chain: ChainId) -> Option<Vec<matching::Message>> {
    let check_all = move || {
        let messages = page.messages.into_iter();
        messages
            .map(|message| matching::check(message, &chain).ok())
            .collect()
    };
    tokio::task::spawn_blocking(check_all).await.ok()?
}
