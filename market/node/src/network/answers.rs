//! Owns what this node still owes: answers to requests and judgements on gossip that its parts are
//! working on.
//!
//! Never lets one node keep this one busy: what each may have open at a time is limited.

use std::collections::HashMap;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use libp2p::PeerId;
use libp2p::gossipsub::MessageId;
use libp2p::request_response::ResponseChannel;
use tokio::sync::oneshot;

use super::inbound::Judgement;
use super::offences::Offence;
use crate::blobs::BlobResponse;
use crate::book::BookResponse;
use crate::lease_protocol::LeaseResponse;
use crate::ledger::protocol::LedgerResponse;

/// Requests and messages that may be open in all.
const MAX_OPEN: usize = 2048;

/// Requests and messages of one node that may be open.
const MAX_OPEN_PER_PEER: usize = 256;

/// Something that a part of the node has finished.
pub(super) enum Answer {
    Ledger(ResponseChannel<LedgerResponse>, LedgerResponse),
    Lease(ResponseChannel<LeaseResponse>, LeaseResponse),
    Blob(ResponseChannel<BlobResponse>, BlobResponse),
    Book(ResponseChannel<BookResponse>, BookResponse),
    Gossip(MessageId, PeerId, Judgement),
}

/// All that is owed.
#[derive(Default)]
pub(super) struct Answers {
    open: FuturesUnordered<BoxFuture<'static, (PeerId, Option<Answer>)>>,
    per_peer: HashMap<PeerId, usize>,
}

impl Answers {
    /// Tells whether one more of this peer may be opened, and else whose fault that is.
    pub(super) fn room_for(&self, peer: &PeerId) -> Result<(), Offence> {
        let of_peer = self.per_peer.get(peer).copied().unwrap_or_default();
        if of_peer >= MAX_OPEN_PER_PEER {
            return Err(Offence::Flood);
        }
        match self.open.len() < MAX_OPEN {
            true => Ok(()),
            false => Err(Offence::Busy),
        }
    }

    /// Waits for the answer to a request. Where it is dropped, so is the channel, which closes the
    /// stream.
    pub(super) fn owe<T: Send + 'static>(
        &mut self,
        peer: PeerId,
        answer: oneshot::Receiver<T>,
        finish: impl FnOnce(T) -> Answer + Send + 'static,
    ) {
        *self.per_peer.entry(peer).or_default() += 1;
        self.open.push(Box::pin(
            async move { (peer, answer.await.ok().map(finish)) },
        ));
    }

    /// Waits for the judgement on a message; silence ignores it.
    pub(super) fn owe_judgement(
        &mut self,
        peer: PeerId,
        message: MessageId,
        judgement: oneshot::Receiver<Judgement>,
    ) {
        *self.per_peer.entry(peer).or_default() += 1;
        self.open.push(Box::pin(async move {
            let judgement = judgement.await.unwrap_or(Judgement::Ignore);
            (peer, Some(Answer::Gossip(message, peer, judgement)))
        }));
    }

    /// Waits for whatever is finished next; `None` at once where nothing is open. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Option<Answer>> {
        let (peer, answer) = self.open.next().await?;
        if let Some(open) = self.per_peer.get_mut(&peer) {
            *open -= 1;
            if *open == 0 {
                self.per_peer.remove(&peer);
            }
        }
        Some(answer)
    }
}
