//! Owns what other nodes ask of this one and tell it, on its way to the part of the node that answers.
//!
//! Never waits for a slow part: each kind has a queue of fixed length, and a full queue refuses.

use std::sync::Arc;

use market::NodeId;
use tokio::sync::{mpsc, oneshot};

use super::gossip::Topic;
use super::offences::{Counts, Offence};
use crate::blobs::{BlobRequest, BlobResponse};
use crate::book::{BookRequest, BookResponse};
use crate::lease_protocol::{LeaseRequest, LeaseResponse};
use crate::ledger::protocol::{LedgerRequest, LedgerResponse};

/// Something that arrived from another node.
#[derive(Debug)]
pub enum Inbound {
    /// A question to the ledger.
    Ledger {
        /// Who asks; the connection proves it.
        from: NodeId,
        /// What is asked.
        request: LedgerRequest,
        /// Where the answer goes.
        reply: Reply<LedgerResponse>,
    },
    /// A step of a lease.
    Lease {
        /// Who asks; the connection proves it.
        from: NodeId,
        /// What is asked.
        request: LeaseRequest,
        /// Where the answer goes.
        reply: Reply<LeaseResponse>,
    },
    /// A wish for a part of a blob.
    Blob {
        /// Who asks; the connection proves it.
        from: NodeId,
        /// What is asked.
        request: BlobRequest,
        /// Where the answer goes.
        reply: Reply<BlobResponse>,
    },
    /// A question about the order book.
    Book {
        /// Who asks; the connection proves it.
        from: NodeId,
        /// What is asked.
        request: BookRequest,
        /// Where the answer goes.
        reply: Reply<BookResponse>,
    },
    /// A gossip message, which is passed on only when the verdict says so.
    Gossip {
        /// What it is about.
        topic: Topic,
        /// The neighbour that passed it on, which need not be its author.
        from: NodeId,
        /// The message.
        data: Vec<u8>,
        /// Where the judgement goes.
        verdict: Verdict,
    },
    /// A node is connected now. These three kinds are hints and may be lost where nobody listens;
    /// [`super::Client::peers`] tells the truth.
    Connected(NodeId),
    /// The last connection to a node is closed.
    Disconnected(NodeId),
    /// A connected node follows a topic, so that gossip on it reaches this node.
    Subscribed {
        /// Who follows it.
        node: NodeId,
        /// The topic.
        topic: Topic,
    },
}

/// Takes the answer to one request. Dropping it closes the stream without an answer.
#[derive(Debug)]
pub struct Reply<T>(oneshot::Sender<T>);

impl<T> Reply<T> {
    pub(super) fn new() -> (Self, oneshot::Receiver<T>) {
        let (sender, receiver) = oneshot::channel();
        (Self(sender), receiver)
    }

    /// Sends the answer. Nothing happens where the other side has gone meanwhile.
    pub fn send(self, answer: T) {
        let _gone = self.0.send(answer);
    }

    /// Tells whether nobody waits for the answer any more.
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }
}

/// What is thought of a gossip message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Good and new: it is passed on.
    Accept,
    /// Useless here, for example old or unproven: not passed on, and no fault of the sender.
    Ignore,
    /// Undecodable, oversized or badly signed: not passed on, and the sender's score falls.
    Reject,
}

/// Takes the judgement on one gossip message. Dropping it ignores the message.
#[derive(Debug)]
pub struct Verdict(oneshot::Sender<Judgement>);

impl Verdict {
    pub(super) fn new() -> (Self, oneshot::Receiver<Judgement>) {
        let (sender, receiver) = oneshot::channel();
        (Self(sender), receiver)
    }

    /// Reports the judgement.
    pub fn give(self, judgement: Judgement) {
        let _stopped = self.0.send(judgement);
    }

    /// Passes the message on.
    pub fn accept(self) {
        self.give(Judgement::Accept);
    }

    /// Drops the message without a penalty.
    pub fn ignore(self) {
        self.give(Judgement::Ignore);
    }

    /// Drops the message and lowers the sender's score.
    pub fn reject(self) {
        self.give(Judgement::Reject);
    }
}

/// The kinds of inbound things; each has its own queue.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Ledger,
    Lease,
    Blob,
    Book,
    Gossip,
    Peer,
}

/// How many things of each kind wait, in the order of [`Kind`].
const QUEUE_LENGTHS: [usize; 6] = [256, 256, 64, 64, 1024, 1024];

impl Inbound {
    fn kind(&self) -> Kind {
        match self {
            Self::Ledger { .. } => Kind::Ledger,
            Self::Lease { .. } => Kind::Lease,
            Self::Blob { .. } => Kind::Blob,
            Self::Book { .. } => Kind::Book,
            Self::Gossip { .. } => Kind::Gossip,
            Self::Connected(_) | Self::Disconnected(_) | Self::Subscribed { .. } => Kind::Peer,
        }
    }
}

/// The event loop's end of the queues.
pub(super) struct InboundSender {
    queues: [mpsc::Sender<Inbound>; 6],
    counts: Arc<Counts>,
}

impl InboundSender {
    /// Hands something on, or drops it where its queue is full or nobody listens.
    pub(super) fn offer(&self, inbound: Inbound) {
        let kind = inbound.kind();
        if self.queues[kind as usize].try_send(inbound).is_err() {
            self.count(Offence::Busy);
            tracing::debug!(
                ?kind,
                "refused: the part of the node that answers is behind"
            );
        }
    }

    pub(super) fn count(&self, offence: Offence) {
        self.counts.add(offence);
    }
}

/// Where inbound things are taken from, fairly among their kinds.
pub struct InboundStream {
    queues: [mpsc::Receiver<Inbound>; 6],
}

impl InboundStream {
    /// Waits for the next inbound thing; `None` when the event loop has ended. Cancel-safe.
    pub async fn recv(&mut self) -> Option<Inbound> {
        let [ledger, lease, blob, book, gossip, peer] = &mut self.queues;
        tokio::select! {
            Some(inbound) = ledger.recv() => Some(inbound),
            Some(inbound) = lease.recv() => Some(inbound),
            Some(inbound) = blob.recv() => Some(inbound),
            Some(inbound) = book.recv() => Some(inbound),
            Some(inbound) = gossip.recv() => Some(inbound),
            Some(inbound) = peer.recv() => Some(inbound),
            else => None,
        }
    }
}

pub(super) fn queues(counts: Arc<Counts>) -> (InboundSender, InboundStream) {
    let pairs = QUEUE_LENGTHS.map(mpsc::channel);
    let senders = pairs.each_ref().map(|(sender, _)| sender.clone());
    let receivers = pairs.map(|(_, receiver)| receiver);
    (
        InboundSender {
            queues: senders,
            counts,
        },
        InboundStream { queues: receivers },
    )
}

#[cfg(test)]
mod tests;
