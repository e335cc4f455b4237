//! Owns how the parts of a node use the network: calls, gossip, and who is connected.
//!
//! Never touches the swarm: every wish is a command to the event loop.

use std::sync::Arc;

use libp2p::Multiaddr;
use market::NodeId;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::call::{Call, CallError, Exchange};
use super::gossip::Topic;
use super::offences::{Counts, Offence};
use super::peers::PeerInfo;
use super::report::NetworkReport;
use crate::blobs::{BlobRequest, BlobResponse};
use crate::book::{BookRequest, BookResponse};
use crate::lease_protocol::{LeaseRequest, LeaseResponse};
use crate::ledger::protocol::{LedgerRequest, LedgerResponse};

/// Calls of this node that are on their way at the same time; more wait for their turn.
const MAX_CALLS_IN_FLIGHT: usize = 256;

/// Commands that wait for the event loop.
const COMMAND_QUEUE: usize = 256;

/// Why gossip could not be published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// Nobody who follows the topic is connected.
    #[error("no connected node follows this topic yet; try again when one does")]
    NoPeers,
    /// More bytes than a gossip message may have.
    #[error("{0} bytes are more than a gossip message may have")]
    TooLarge(usize),
    /// The queues to all neighbours are full.
    #[error("the queues to all neighbours are full; try again in a second")]
    Busy,
    /// The same bytes were published within two minutes, here or by another node whose message has arrived.
    #[error("the message is on its way already")]
    Known,
    /// The gossip layer refused the message for a reason of its own.
    #[error("the message was not published: {0}")]
    Other(String),
    /// The network has been shut down.
    #[error("this node's network has stopped")]
    Stopped,
}

/// What a client asks of the event loop.
pub(super) enum Command {
    Call(NodeId, Call),
    Publish(Topic, Vec<u8>, oneshot::Sender<Result<(), PublishError>>),
    Peers(oneshot::Sender<Vec<PeerInfo>>),
    ListenAddresses(oneshot::Sender<Vec<Multiaddr>>),
    Report(oneshot::Sender<NetworkReport>),
    Offence(NodeId, Offence, oneshot::Sender<()>),
    Disconnect(NodeId, oneshot::Sender<()>),
}

/// A handle to the network. Cheap to clone; the event loop ends when the last one is dropped.
#[derive(Clone)]
pub struct Client {
    local: NodeId,
    commands: mpsc::Sender<Command>,
    permits: Arc<Semaphore>,
    counts: Arc<Counts>,
    bootstrap: Arc<[NodeId]>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client(of {})", self.local.short())
    }
}

impl Client {
    pub(super) fn new(
        local: NodeId,
        counts: Arc<Counts>,
        bootstrap: Arc<[NodeId]>,
    ) -> (Self, mpsc::Receiver<Command>) {
        let (commands, receiver) = mpsc::channel(COMMAND_QUEUE);
        let client = Self {
            local,
            commands,
            permits: Arc::new(Semaphore::new(MAX_CALLS_IN_FLIGHT)),
            counts,
            bootstrap,
        };
        (client, receiver)
    }

    /// Returns this node's id.
    pub fn local_node(&self) -> NodeId {
        self.local
    }

    /// Returns the nodes that this node was configured to meet its market at.
    pub fn bootstrap_nodes(&self) -> &[NodeId] {
        &self.bootstrap
    }

    /// Returns how many inbound things were refused because a queue was full, since the start.
    pub fn refused(&self) -> u64 {
        self.counts.of(Offence::Busy)
    }

    /// Returns the addresses that this node listens on, without `/p2p`; empty when it has stopped.
    pub async fn listen_addresses(&self) -> Vec<Multiaddr> {
        self.ask(Command::ListenAddresses).await.unwrap_or_default()
    }

    /// Returns the connected nodes; empty when the network has stopped.
    pub async fn peers(&self) -> Vec<PeerInfo> {
        self.ask(Command::Peers).await.unwrap_or_default()
    }

    /// Returns where this node is met, who is connected and what was refused; `None` when the network has
    /// stopped.
    pub async fn report(&self) -> Option<NetworkReport> {
        self.ask(Command::Report).await
    }

    /// Returns the addresses at which others are told to reach this node, without `/p2p`: the advertised
    /// ones, or where there are none the ones that it listens on.
    pub async fn reachable_addresses(&self) -> Vec<Multiaddr> {
        match self.report().await {
            Some(report) if !report.advertised.is_empty() => report.advertised,
            Some(report) => report.listening,
            None => Vec::new(),
        }
    }

    /// Reports what another node did wrong, where a part of this node found out. Grave or repeated offences
    /// cost the connection.
    pub async fn note_offence(&self, node: NodeId, offence: Offence) {
        let _stopped = self.ask(|done| Command::Offence(node, offence, done)).await;
    }

    /// Closes all connections to a node. A bootstrap node is dialled again later.
    pub async fn disconnect(&self, node: NodeId) {
        let _stopped = self.ask(|done| Command::Disconnect(node, done)).await;
    }

    /// Asks a node's ledger; looks the node up and dials it where it is not connected.
    pub async fn call_ledger(
        &self,
        node: NodeId,
        request: LedgerRequest,
    ) -> Result<LedgerResponse, CallError> {
        self.call(node, request, Call::Ledger).await
    }

    /// Asks a node about a lease; looks the node up and dials it where it is not connected.
    pub async fn call_lease(
        &self,
        node: NodeId,
        request: LeaseRequest,
    ) -> Result<LeaseResponse, CallError> {
        self.call(node, request, Call::Lease).await
    }

    /// Asks a node for a part of a blob; looks the node up and dials it where it is not connected.
    pub async fn call_blob(
        &self,
        node: NodeId,
        request: BlobRequest,
    ) -> Result<BlobResponse, CallError> {
        self.call(node, request, Call::Blob).await
    }

    /// Asks a node about its order book; looks the node up and dials it where it is not connected.
    pub async fn call_book(
        &self,
        node: NodeId,
        request: BookRequest,
    ) -> Result<BookResponse, CallError> {
        self.call(node, request, Call::Book).await
    }

    /// Publishes gossip to all neighbours that follow the topic.
    pub async fn publish(&self, topic: Topic, data: Vec<u8>) -> Result<(), PublishError> {
        self.ask(|done| Command::Publish(topic, data, done))
            .await
            .unwrap_or(Err(PublishError::Stopped))
    }

    /// Sends a command and waits for its result; `None` when the event loop has ended.
    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (done, result) = oneshot::channel();
        self.commands.send(command(done)).await.ok()?;
        result.await.ok()
    }

    async fn call<Req, Resp>(
        &self,
        node: NodeId,
        request: Req,
        kind: fn(Exchange<Req, Resp>) -> Call,
    ) -> Result<Resp, CallError> {
        if node == self.local {
            return Err(CallError::ToItself);
        }
        // Closed only if this code closed it, which it never does.
        let _permit = self
            .permits
            .acquire()
            .await
            .map_err(|_closed| CallError::Stopped)?;
        self.ask(|done| Command::Call(node, kind(Exchange { request, done })))
            .await
            .unwrap_or(Err(CallError::Stopped))
    }
}
