//! Owns a node of the test's own: keys of a real home, a real swarm, a replica of the book, a client of the
//! ledger. What it answers about leases is up to the test.
//!
//! Never cheats by itself, but for the blobs that it was told to lie about.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use market::ledger::{CertifiedHeader, FinalityProof, Operation, SignedTransaction, Transaction};
use market::order::Ask;
use market::{AgreementId, BlobHash, ChainId, NodeId, wire};
use market_node::blobs::{
    BlobRequest, BlobResponse, BlobServer, BlobStore, Permissions, RangeBytes,
};
use market_node::book::{self, BookConfig, BookHandle};
use market_node::clock::ProtocolClock;
use market_node::home::Home;
use market_node::identity::{Identity, fresh_nonce};
use market_node::lease_protocol::{LeaseRequest, LeaseResponse};
use market_node::ledger::LedgerClient;
use market_node::ledger::client::{LedgerError, Transport};
use market_node::ledger::protocol::{LedgerResponse, Unavailable};
use market_node::membership::Membership;
use market_node::network::{
    self, Client, Inbound, InboundStream, NetworkConfig, Reply, Topic, Versions,
};
use market_node::store::NodeStore;
use matching::{Capacity, Posting};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::market::{LISTEN, Market};
use crate::program;

/// How long anything may take that a stranger waits for.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Calls about leases that wait for the test.
const CALLS: usize = 1_024;

/// For how many blocks what a stranger signs can be submitted.
const VALID_BLOCKS: u64 = 1_000;

/// A question about a lease, which the test answers.
pub(crate) struct LeaseCall {
    pub(crate) request: LeaseRequest,
    pub(crate) reply: Reply<LeaseResponse>,
}

/// What others ask of a stranger about leases, in the order of arrival.
pub(crate) type Inbox = mpsc::Receiver<LeaseCall>;

/// A node of the test's own. Cheap to clone; all clones are one.
#[derive(Clone)]
pub(crate) struct Stranger {
    pub(crate) network: Client,
    pub(crate) book: BookHandle,
    pub(crate) ledger: LedgerClient,
    pub(crate) clock: ProtocolClock,
    pub(crate) identity: Arc<Identity>,
    pub(crate) chain: ChainId,
    pub(crate) blobs: BlobStore,
    pub(crate) permissions: Permissions,
    // Shared by the test, which fills it, and the task that answers.
    lies: Arc<Mutex<BTreeMap<BlobHash, Lie>>>,
}

/// What a stranger does instead of giving away a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Gives bytes that are not it.
    Garbage,
    /// Lets those who ask wait.
    Silence,
}

/// A stranger and the threads that it lives on.
pub(crate) struct Peer {
    pub(crate) stranger: Stranger,
    runtime: Runtime,
}

impl Peer {
    /// Joins a market with a home of its own and begins to listen.
    pub(crate) fn join(market: &Market, name: &str) -> (Self, Inbox) {
        Self::join_speaking(market, name, Versions::default())
    }

    /// Joins, and speaks these versions of the protocols.
    pub(crate) fn join_speaking(market: &Market, name: &str, versions: Versions) -> (Self, Inbox) {
        let folder = market.folder.path().join(name);
        program::run(&folder, &["init", "--join", &market.join]).succeeded();
        let home = Home::at(folder).expect("a fresh home can be used");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime can be made");
        let (stranger, inbox) = runtime.block_on(start(&home, versions));
        (Self { stranger, runtime }, inbox)
    }

    /// Does something as this peer and waits for it.
    pub(crate) fn act<T>(&self, act: impl Future<Output = T>) -> T {
        self.runtime
            .block_on(async { tokio::time::timeout(LIMIT, act).await })
            .expect("a stranger does not wait for ever")
    }

    /// Does something as this peer beside the test.
    pub(crate) fn begin<T: Send + 'static>(
        &self,
        act: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.runtime.spawn(act)
    }

    /// Goes without a word: every connection and every listener is closed.
    pub(crate) fn vanish(self) {
        drop(self.stranger);
        self.runtime.shutdown_timeout(Duration::from_secs(5));
    }
}

/// Asks again and again until there is an answer.
pub(crate) async fn soon<T, F, Answer>(what: &str, mut ask: F) -> T
where
    F: FnMut() -> Answer,
    Answer: Future<Output = Option<T>>,
{
    let mut again = tokio::time::interval(Duration::from_millis(50));
    let asked = async {
        loop {
            again.tick().await;
            if let Some(answer) = ask().await {
                return answer;
            }
        }
    };
    let answer = tokio::time::timeout(LIMIT, asked).await;
    answer.unwrap_or_else(|_| panic!("{what} did not come within {LIMIT:?}"))
}

async fn start(home: &Home, versions: Versions) -> (Stranger, Inbox) {
    let membership = Membership::load(home).expect("the home has joined");
    let identity = Identity::load(home, &membership.chain).expect("the home has keys");
    let config = NetworkConfig {
        listen: vec![LISTEN.parse().expect("an address")],
        bootstrap: membership.bootstrap.clone(),
        versions,
        ..NetworkConfig::new(identity.node_key.clone(), membership.chain)
    };
    let (network, inbound, event_loop) = network::start(config).await.expect("it listens");
    tokio::spawn(event_loop.run());
    let folder = |area: &str| home.folder(area).expect("a folder can be made");
    let (store, _) =
        NodeStore::open(&folder("store"), &membership.chain).expect("a fresh store opens");
    let clock = ProtocolClock::new();
    let transport = Transport::Remote(network.clone());
    let ledger = LedgerClient::open(transport, &membership.genesis, store, clock.clone()).await;
    let config = BookConfig {
        chain: membership.chain,
        key: identity.node_key.clone(),
        posting: Posting::Open,
        capacity: Capacity::default(),
        beacon_interval_s: market::order::DEFAULT_INTERVAL_S,
    };
    let (book, actor) = book::start(config, clock.clone(), network.clone());
    tokio::spawn(actor.run());
    let stranger = Stranger {
        network,
        book,
        ledger: ledger.expect("a fresh client opens"),
        clock,
        identity: Arc::new(identity),
        chain: membership.chain,
        blobs: BlobStore::open(&folder("blobs"), 1 << 30).expect("a fresh store opens"),
        permissions: Permissions::new(),
        lies: Arc::default(),
    };
    let (calls, inbox) = mpsc::channel(CALLS);
    tokio::spawn(answer(stranger.clone(), inbound, calls));
    let status = || async { stranger.ledger.status().await.ok() };
    soon("the operator's answer", status).await;
    (stranger, inbox)
}

/// Answers what any honest node would, and hands on what is about leases.
async fn answer(stranger: Stranger, mut inbound: InboundStream, calls: mpsc::Sender<LeaseCall>) {
    let server = BlobServer::new(stranger.blobs.clone(), stranger.permissions.clone());
    let mut unanswered = Vec::new();
    while let Some(arrived) = inbound.recv().await {
        match arrived {
            Inbound::Lease { request, reply, .. } => {
                let call = LeaseCall { request, reply };
                let _nobody_listens = calls.try_send(call);
            }
            Inbound::Blob {
                from,
                request,
                reply,
            } => match stranger.lie(&request) {
                None => server.serve(from, request, reply),
                Some(Lie::Silence) => unanswered.push(reply),
                Some(Lie::Garbage) => {
                    let BlobRequest::Range { length, .. } = request;
                    let length = usize::try_from(length).expect("a range is short");
                    reply.send(BlobResponse::Range(RangeBytes(vec![0x5a; length])));
                }
            },
            Inbound::Book {
                from,
                request,
                reply,
            } => stranger.book.on_request(from, request, reply),
            Inbound::Gossip {
                topic: Topic::Orders,
                data,
                verdict,
                ..
            } => stranger.book.on_gossip(data, verdict),
            Inbound::Gossip { data, verdict, .. } => {
                if let Ok(header) = wire::decode::<CertifiedHeader>(&data, 64 << 10) {
                    let _known = stranger.ledger.observe(&header).await;
                    verdict.accept();
                }
            }
            Inbound::Subscribed {
                node,
                topic: Topic::Orders,
            } => stranger.book.on_follower(node),
            Inbound::Ledger { reply, .. } => {
                reply.send(LedgerResponse::Unavailable(Unavailable::NotOperator));
            }
            Inbound::Connected(_) | Inbound::Disconnected(_) | Inbound::Subscribed { .. } => {}
        }
    }
}

impl Stranger {
    /// Returns this node's id.
    pub(crate) fn node(&self) -> NodeId {
        self.identity.node()
    }

    /// From now on, who asks for this blob does not get it.
    pub(crate) fn lie_about(&self, blob: BlobHash, lie: Lie) {
        let mut lies = self.lies.lock().unwrap_or_else(PoisonError::into_inner);
        lies.insert(blob, lie);
    }

    fn lie(&self, request: &BlobRequest) -> Option<Lie> {
        let BlobRequest::Range { hash, .. } = request;
        let lies = self.lies.lock().unwrap_or_else(PoisonError::into_inner);
        lies.get(hash).copied()
    }

    /// Waits for an ask of someone else and returns it with its maker.
    pub(crate) async fn ask_of(&self, wanted: impl Fn(&NodeId) -> bool) -> book::AskView {
        let find = || async {
            let asks = self.book.asks().await.ok()?;
            let mut asks = asks.into_iter();
            asks.find(|ask| ask.register.node != self.node() && wanted(&ask.register.node))
        };
        soon("an ask in the book", find).await
    }

    /// Signs an operation as this node, in its account's name.
    pub(crate) fn sign(&self, operation: Operation) -> SignedTransaction {
        let transaction = Transaction {
            nonce: fresh_nonce().expect("the system has entropy"),
            valid_until_height: self.clock.height().unwrap_or(0) + VALID_BLOCKS,
            operation,
        };
        SignedTransaction::sign(&transaction, &self.identity.node_key, &self.chain)
            .with_delegation(self.identity.delegation.clone())
    }

    /// Signs an operation and submits it.
    pub(crate) async fn submit(&self, operation: Operation) -> Result<FinalityProof, LedgerError> {
        self.ledger.submit(&self.sign(operation)).await
    }

    /// Sends a message of a lease to `node` and returns the answer.
    pub(crate) async fn say(
        &self,
        node: NodeId,
        agreement: AgreementId,
        message: market::lease::Message,
    ) -> Result<LeaseResponse, network::CallError> {
        let request = LeaseRequest::Message { agreement, message };
        self.network.call_lease(node, request).await
    }

    /// Makes an ask like another one, at this node's own price.
    pub(crate) fn like(&self, other: &Ask, price: market::PricePerHour) -> Ask {
        Ask {
            account: self.identity.account,
            price,
            ..other.clone()
        }
    }
}
