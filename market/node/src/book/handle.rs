//! Owns how the parts of a node use the order book.
//!
//! Never waits where it hands on what other nodes sent: a full mailbox drops it.

use std::time::Duration;

use market::gpu::GpuClass;
use market::order::{Ask, Order, OrderBody, Register, Slot};
use market::reputation::Reputation;
use market::{HeaderId, NodeId, OrderId, Signed, Timestamp};
use matching::{Book, ClassSummary, Misfit, Need, Offer, Quote, Refused, Standing};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use super::protocol::{BookRequest, BookResponse};
use crate::network::{Reply, Verdict};

/// Why the book could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BookError {
    /// Protocol time is not known yet.
    #[error(
        "protocol time is not known yet, because no operator has answered since this node started; \
         check the connection and `nightshift status`, or try again later"
    )]
    NoTime,
    /// The book's task has ended.
    #[error("this node's order book has stopped")]
    Stopped,
}

/// Why an order was not posted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// The book cannot be used now.
    #[error(transparent)]
    Book(#[from] BookError),
    /// This node's own book did not take it.
    #[error("the order is not one that the book takes: {0}")]
    Refused(#[from] Refused),
}

/// A read of the book at a protocol time.
pub(super) type Read = Box<dyn FnOnce(Result<(&Book, Timestamp), BookError>) + Send>;

/// An order of this node that its book has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostedOrder {
    /// Its id.
    pub id: OrderId,
    /// As it was signed: whoever is shown it need not wait for gossip to bring it.
    pub signed: Signed<Order>,
}

/// An order to be signed and posted.
pub(super) struct Post {
    pub(super) slot: Slot,
    pub(super) body: OrderBody,
    pub(super) lifetime: Duration,
    pub(super) done: oneshot::Sender<Result<PostedOrder, PostError>>,
}

/// What the book's task is told.
pub(super) enum Ingress {
    Gossip(Vec<u8>, Verdict),
    Request(NodeId, BookRequest, Reply<BookResponse>),
    Follower(NodeId),
    Learnt(Vec<matching::Message>),
    Read(Read),
    Post(Post),
    Take(
        Box<matching::Message>,
        oneshot::Sender<Result<(), PostError>>,
    ),
    Rate(Vec<(NodeId, Reputation)>),
    Leave(oneshot::Sender<()>),
}

/// An ask in the book, detached from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskView {
    /// Where it stands; its node is whom to ask.
    pub register: Register,
    /// The id of the signed ask, which an agreement names.
    pub order: OrderId,
    /// Whether its claims were proved.
    pub standing: Standing,
    /// When it ends, in protocol time.
    pub expires_at: Timestamp,
    /// What is offered.
    pub ask: Ask,
}

/// A handle to the order book. Cheap to clone; the book ends when the last one is dropped.
#[derive(Clone)]
pub struct BookHandle {
    pub(super) mailbox: mpsc::Sender<Ingress>,
    pub(super) version: watch::Receiver<u64>,
}

impl std::fmt::Debug for BookHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BookHandle(version {})", *self.version.borrow())
    }
}

impl BookHandle {
    /// Hands on a gossip message of the topic of orders. Does not wait.
    pub fn on_gossip(&self, data: Vec<u8>, verdict: Verdict) {
        self.offer(Ingress::Gossip(data, verdict));
    }

    /// Hands on the request of node `from`. Does not wait.
    pub fn on_request(&self, from: NodeId, request: BookRequest, reply: Reply<BookResponse>) {
        self.offer(Ingress::Request(from, request, reply));
    }

    /// Says that a connected node follows the topic of orders: its book may hold news. Does not wait.
    pub fn on_follower(&self, node: NodeId) {
        self.offer(Ingress::Follower(node));
    }

    fn offer(&self, ingress: Ingress) {
        if self.mailbox.try_send(ingress).is_err() {
            tracing::debug!("the order book is behind; something for it was dropped");
        }
    }

    /// Signs an order with this node's key, puts it into the own book and publishes it; beacons keep it
    /// alive until it expires, `lifetime` from now and at most 24 h.
    pub async fn post(
        &self,
        slot: Slot,
        body: OrderBody,
        lifetime: Duration,
    ) -> Result<OrderId, PostError> {
        let posted = self.post_signed(slot, body, lifetime).await?;
        Ok(posted.id)
    }

    /// Does what [`Self::post`] does, and returns the signed order too.
    pub async fn post_signed(
        &self,
        slot: Slot,
        body: OrderBody,
        lifetime: Duration,
    ) -> Result<PostedOrder, PostError> {
        let (done, result) = oneshot::channel();
        let post = Post {
            slot,
            body,
            lifetime,
            done,
        };
        let sent = self.mailbox.send(Ingress::Post(post)).await;
        sent.map_err(|_| BookError::Stopped)?;
        result.await.map_err(|_| BookError::Stopped)?
    }

    /// Cancels what stands in a slot of this node.
    pub async fn cancel(&self, slot: Slot) -> Result<OrderId, PostError> {
        let lifetime = market::order::MAX_LIFETIME;
        self.post(slot, OrderBody::Empty, lifetime).await
    }

    /// Takes one message of another node that came by another way than gossip, with its signature checked. It is
    /// judged as gossip is, and passed on where gossip would be.
    ///
    /// # Errors
    /// The book has nothing new of it, or does not take it.
    pub async fn take(&self, message: matching::Message) -> Result<(), PostError> {
        let (done, result) = oneshot::channel();
        let sent = self
            .mailbox
            .send(Ingress::Take(Box::new(message), done))
            .await;
        sent.map_err(|_| BookError::Stopped)?;
        result.await.map_err(|_| BookError::Stopped)?
    }

    /// Says what this node thinks of sellers that it has dealt with: their offers rank by it from now on.
    pub async fn rate(&self, opinions: Vec<(NodeId, Reputation)>) {
        let _stopped = self.mailbox.send(Ingress::Rate(opinions)).await;
    }

    /// Takes all orders of this node out of the book, and waits until its neighbours have them out of theirs, at
    /// most for a few seconds. For a node that is about to stop; a later [`Self::post`] begins anew.
    pub async fn take_leave(&self) {
        let (done, said) = oneshot::channel();
        if self.mailbox.send(Ingress::Leave(done)).await.is_ok() {
            let _stopped = said.await;
        }
    }

    /// Reads the book at protocol time: `read` runs in the book's task and must be quick.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Book, Timestamp) -> T + Send + 'static,
    ) -> Result<T, BookError> {
        let (done, result) = oneshot::channel();
        let read: Read = Box::new(move |book| {
            let _reader_gone = done.send(book.map(|(book, now)| read(book, now)));
        });
        let sent = self.mailbox.send(Ingress::Read(read)).await;
        sent.map_err(|_| BookError::Stopped)?;
        result.await.map_err(|_| BookError::Stopped)?
    }

    /// Ranks the offers for `need`; `header` is the id of the header at the last height that is a
    /// multiple of 60, which decides among equals.
    pub async fn quote(&self, need: Need, header: HeaderId) -> Result<Quote, BookError> {
        self.read(move |book, now| matching::quote(book, &need, &header, now))
            .await
    }

    /// Judges one ask as [`Self::quote`] judges all: the offer where it fits, else the first reason against it.
    /// `None` where no such ask stands.
    pub async fn fit(
        &self,
        need: Need,
        order: OrderId,
    ) -> Result<Option<Result<Offer, Misfit>>, BookError> {
        self.read(move |book, now| matching::fit(book, &need, order, now))
            .await
    }

    /// Returns all asks that stand, in the order of their registers.
    pub async fn asks(&self) -> Result<Vec<AskView>, BookError> {
        self.read(|book, now| book.asks(now).map(AskView::from).collect())
            .await
    }

    /// Returns the ask with this id, where it stands.
    pub async fn find_ask(&self, order: OrderId) -> Result<Option<AskView>, BookError> {
        self.read(move |book, now| book.find_ask(order, now).map(AskView::from))
            .await
    }

    /// Returns every class with an order that stands.
    pub async fn classes(&self) -> Result<Vec<(GpuClass, ClassSummary)>, BookError> {
        self.read(|book, now| book.classes(now).into_iter().collect())
            .await
    }

    /// Returns a watch that changes whenever the book takes a message or forgets one; its value counts the changes.
    /// That an order stands no more because its time has come is no change.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.version.clone()
    }
}

impl From<matching::ListedAsk<'_>> for AskView {
    fn from(listed: matching::ListedAsk<'_>) -> Self {
        Self {
            register: listed.register,
            order: listed.order,
            standing: listed.standing,
            expires_at: listed.expires_at,
            ask: listed.ask.clone(),
        }
    }
}
