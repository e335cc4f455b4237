//! Owns putting a node together: store, network, ledger, book, market data, blobs, leases and the dispatcher between
//! them, started as a list of named steps.
//!
//! Never sells or buys: `provider` and `consumer` do, with the handles that a [`Node`] holds.

mod dispatcher;
mod steps;

use std::sync::Arc;
use std::time::Duration;

use market::lease::Timing;
use market::{ChainId, HeaderId};
use tokio::task::JoinSet;

use crate::blobs::{BlobError, BlobStore, Permissions};
use crate::book::BookHandle;
use crate::clock::ProtocolClock;
use crate::config::Config;
use crate::home::{Home, HomeError, HomeLock};
use crate::identity::{Identity, IdentityError};
use crate::lease::{LeaseParts, RouterHandle, Takers};
use crate::ledger::client::LedgerError;
use crate::ledger::operator::OperatorError;
use crate::ledger::{LedgerClient, OperatorHandle};
use crate::market_data::MarketData;
use crate::membership::{JoinString, Membership, MembershipError};
use crate::metrics::{self, MetricsError};
use crate::network::{Client, StartError};
use crate::revocation::Standing;
use crate::store::{NodeStore, StoreError};

/// Blocks for which one draw among equal orders holds.
pub const DRAW_BLOCKS: u64 = 60;

/// What a node is started with.
#[derive(Debug)]
pub struct NodeConfig {
    /// Its folder.
    pub home: Home,
    /// Its settings.
    pub settings: Config,
    /// Whether this node orders transactions, and how often at least, in milliseconds.
    pub operator_interval_ms: Option<u64>,
    /// Who takes reservations and offers.
    pub takers: Takers,
}

/// The handles of a running node. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its folder.
    pub home: Home,
    /// Its settings, as the file, the environment and the flags of this process decide them.
    pub settings: Arc<Config>,
    /// Its market.
    pub membership: Arc<Membership>,
    /// Its keys.
    pub identity: Arc<Identity>,
    /// Other nodes.
    pub network: Client,
    /// The order book.
    pub book: BookHandle,
    /// The ledger.
    pub ledger: LedgerClient,
    /// Past trades.
    pub market_data: MarketData,
    /// Inputs and outputs.
    pub blobs: BlobStore,
    /// Who may fetch which blob.
    pub permissions: Permissions,
    /// What must not be lost.
    pub store: NodeStore,
    /// Protocol time.
    pub clock: ProtocolClock,
    /// Where messages of leases come from.
    pub router: RouterHandle,
    /// The operator, where this node is one.
    pub operator: Option<OperatorHandle>,
    /// Whether the account has taken this node's delegation back.
    pub standing: Standing,
}

/// The tasks of a running node; dropping them stops it and lets others use its home.
#[derive(Debug)]
pub struct NodeTasks {
    tasks: JoinSet<()>,
    _lock: HomeLock,
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The home folder failed.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The home has no usable market.
    #[error(transparent)]
    Membership(#[from] MembershipError),
    /// The keys cannot be used.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The blobs cannot be used.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// The network did not come up.
    #[error(transparent)]
    Network(#[from] StartError),
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The operator cannot start.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// The operator's figures cannot be served.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

impl Node {
    /// Starts a node: takes the home, opens what is on disk, then the network, then everything on top.
    pub async fn start(config: NodeConfig) -> Result<(Self, NodeTasks), NodeError> {
        let lock = config.home.lock()?;
        let membership = Arc::new(Membership::load(&config.home)?);
        let identity = Arc::new(Identity::load(&config.home, &membership.chain)?);
        let disk = steps::open_disk(&config.home, &membership.chain, &config.settings)?;
        let mut tasks = JoinSet::new();
        let clock = ProtocolClock::new();
        let operator = match config.operator_interval_ms {
            Some(interval) => Some(steps::start_operator(
                &config.home,
                &membership.genesis,
                steps::OperatorParts {
                    node_key: identity.node_key.clone(),
                    clock: clock.clone(),
                    interval_ms: interval,
                    reserve_bytes: config.settings.disk.reserve_bytes(),
                },
                &mut tasks,
            )?),
            None => None,
        };
        let (network, inbound) =
            steps::start_network(&membership, &identity, &config.settings, &mut tasks).await?;
        let transport = steps::transport(&network, operator.as_ref());
        let ledger = LedgerClient::open(
            transport,
            &membership.genesis,
            disk.store.clone(),
            clock.clone(),
        )
        .await?;
        let book = steps::start_book(&membership, &identity, &clock, &network, &mut tasks);
        let market_data = steps::start_market_data(&ledger, &mut tasks);
        let (router, leases) = crate::lease::LeaseRouter::new(config.takers);
        let chain = membership.chain;
        let standing = Standing::new(ledger.clone(), Arc::clone(&identity), chain);
        tasks.spawn(standing.clone().watch());
        let node = Self {
            home: config.home,
            settings: Arc::new(config.settings),
            membership,
            identity,
            network,
            book,
            ledger,
            market_data,
            blobs: disk.blobs,
            permissions: Permissions::new(),
            store: disk.store,
            clock,
            router,
            operator,
            standing,
        };
        tasks.spawn(dispatcher::run(node.clone(), inbound, leases));
        tasks.spawn(steps::keep_time(node.ledger.clone()));
        if let Some(operator) = node.operator.clone() {
            tasks.spawn(steps::announce_heads(operator, node.network.clone()));
            if let Some(address) = node.settings.operator.metrics_address() {
                tasks.spawn(metrics::serve(node.clone(), address).await?);
            }
        }
        Ok((node, NodeTasks { tasks, _lock: lock }))
    }

    /// Returns the market's chain id.
    pub fn chain(&self) -> ChainId {
        self.membership.chain
    }

    /// Returns what a lease needs of this node.
    pub fn lease_parts(&self) -> LeaseParts {
        LeaseParts {
            network: self.network.clone(),
            router: self.router.clone(),
            store: self.store.clone(),
            clock: self.clock.clone(),
            chain: self.chain(),
        }
    }

    /// Returns the waits of this node's leases: its market's, with its owner's patience.
    pub fn lease_timing(&self) -> Timing {
        let challenge = Duration::from_millis(self.membership.genesis.challenge_ms);
        Timing::for_challenge(challenge).with_patience(self.settings.lease.patience())
    }

    /// Returns the id of the header at the last height that is a multiple of 60, which draws lots among equal orders;
    /// zeros where there is no such block yet.
    ///
    /// # Errors
    /// The operator does not answer, or not as it must.
    pub async fn draw_header(&self) -> Result<HeaderId, LedgerError> {
        let height = self.clock.height().unwrap_or(0);
        let header = self.ledger.header(height - height % DRAW_BLOCKS).await?;
        let none = HeaderId::from_bytes([0; 32]);
        Ok(header.map_or(none, |certified| certified.header.id()))
    }

    /// Returns what a newcomer joins this node's market with, by this node's first address.
    pub async fn join_string(&self) -> Option<JoinString> {
        let address = self
            .network
            .reachable_addresses()
            .await
            .into_iter()
            .next()?;
        let peer = crate::network::peer_of(self.identity.node());
        Some(JoinString {
            chain: self.chain(),
            address: address.with(libp2p::multiaddr::Protocol::P2p(peer)),
        })
    }
}

impl NodeTasks {
    /// Runs another task until the node stops.
    pub fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Waits until a task of the node ends, which none does while all is well.
    pub async fn failed(&mut self) {
        let _ended = self.tasks.join_next().await;
    }

    /// Stops all tasks and waits for them, so that the store is closed when this returns.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}
