//! Owns a node with its roles in this process: what is started, in which order, and how it stops.
//!
//! Never holds a rule of buying or selling; it puts handles of `market-node`, `provider` and `consumer`
//! together and serves their endpoints.

use std::pin::Pin;
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use consumer::{Buyer, consumer_router};
use gpu_probe::Effort;
use market::gpu::GpuClass;
use market::lease::Phase;
use market_node::api::{
    ApiResult, ApiServer, BestPrice, ProviderState, StatusView, balance_of, node_router, serve,
};
use market_node::config::Config;
use market_node::home::Home;
use market_node::node::{Node, NodeConfig, NodeTasks};
use market_node::recover::Leftovers;
use provider::{Seller, SellerConfig, SellerHandle, measure, provider_router};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// How long a stopping node waits for what it sells and buys to be settled.
const DRAIN: Duration = Duration::from_secs(10);

/// What a node does.
#[derive(Debug)]
pub(crate) struct Roles {
    /// The node's settings.
    pub(crate) settings: Config,
    /// How it sells, where it does.
    pub(crate) sell: Option<SellerConfig>,
    /// Whether it orders transactions, and how often at least, in milliseconds.
    pub(crate) operator_interval_ms: Option<u64>,
}

/// A node that runs in this process.
#[derive(Debug)]
pub(crate) struct RunningNode {
    /// Its handles.
    pub(crate) node: Node,
    /// Selling, where it sells.
    pub(crate) seller: Option<SellerHandle>,
    buyer: Buyer,
    tasks: NodeTasks,
    api: ApiServer,
}

/// Starts a node: the network first, then the measurement where it sells, then the local API.
pub(crate) async fn start(home: Home, roles: Roles) -> anyhow::Result<RunningNode> {
    let (reservations_in, reservations) = provider::reservation_channel();
    let config = NodeConfig {
        home: home.clone(),
        settings: roles.settings,
        operator_interval_ms: roles.operator_interval_ms,
        seller: roles.sell.map(|_| reservations_in),
    };
    let (node, mut tasks) = Node::start(config).await?;
    let leftovers = Leftovers::read(&node).context("reading what an earlier run left open")?;
    let seller = match roles.sell {
        None => None,
        Some(config) => {
            let gauge = tokio::task::spawn_blocking(|| measure(Effort::Quick))
                .await
                .context("measuring this machine")?
                .context("this machine cannot sell")?;
            let (handle, seller) = Seller::new(node.clone(), gauge, config, reservations);
            tasks.spawn(seller.run());
            Some(handle)
        }
    };
    let is_selling = occupation(seller.clone());
    let settling = leftovers.settle(node.clone(), is_selling);
    tasks.spawn(async move {
        settling.await;
        // A task of the node that ends is a failure.
        std::future::pending::<()>().await;
    });
    let buyer = Buyer::new(node.clone());
    let api = serve(&home, router(&node, &buyer, seller.as_ref()))?;
    Ok(RunningNode {
        node,
        seller,
        buyer,
        tasks,
        api,
    })
}

/// Makes the question whether a lease is sold now.
fn occupation(
    seller: Option<SellerHandle>,
) -> impl Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send {
    move || {
        let seller = seller.clone();
        Box::pin(async move {
            match seller {
                None => false,
                Some(seller) => {
                    let idle = tokio::time::timeout(Duration::ZERO, seller.idle());
                    idle.await.is_err()
                }
            }
        })
    }
}

impl RunningNode {
    /// Waits for SIGINT or SIGTERM, or for a part of the node to fail.
    pub(crate) async fn wait(&mut self) -> anyhow::Result<()> {
        tokio::select! {
            signal = stop_signal() => signal,
            () = self.tasks.failed() => anyhow::bail!("a part of the node stopped; the log says why"),
        }
    }

    /// Yields a running lease and cancels running jobs, waits a moment for their settlement, and stops. A
    /// second signal forces.
    pub(crate) async fn stop(self) {
        let drained = async {
            let sold = async {
                if let Some(seller) = &self.seller {
                    let _stopped = seller.pause().await;
                    seller.idle().await;
                }
            };
            tokio::join!(sold, self.buyer.stop());
        };
        let is_settled = tokio::select! {
            drained = tokio::time::timeout(DRAIN, drained) => drained.is_ok(),
            _ = stop_signal() => false,
        };
        if !is_settled {
            eprintln!(
                "Stopped before everything was settled; the next start of this node settles the rest."
            );
        }
        drop(self.api);
        drop(self.seller);
        self.tasks.stop().await;
    }
}

/// Waits until the person or the system asks the program to stop.
pub(crate) async fn stop_signal() -> anyhow::Result<()> {
    StopSignals::listen()?.next().await;
    Ok(())
}

/// SIGINT and SIGTERM, none of which is missed between two waits.
#[derive(Debug)]
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Listens from now on.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt()).context("listening for SIGINT")?,
            terminate: signal(SignalKind::terminate()).context("listening for SIGTERM")?,
        })
    }

    /// Waits for the next one. Cancel-safe.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[derive(Clone)]
struct Parts {
    node: Node,
    buyer: Buyer,
    seller: Option<SellerHandle>,
}

fn router(node: &Node, buyer: &Buyer, seller: Option<&SellerHandle>) -> Router {
    let parts = Parts {
        node: node.clone(),
        buyer: buyer.clone(),
        seller: seller.cloned(),
    };
    let own = Router::new()
        .route("/v1/status", get(status))
        .with_state(parts);
    let router = own
        .merge(node_router(node.clone()))
        .merge(consumer_router(buyer.clone()));
    match seller {
        Some(seller) => router.merge(provider_router(seller.clone())),
        None => router,
    }
}

async fn status(State(parts): State<Parts>) -> ApiResult<StatusView> {
    let Parts {
        node,
        buyer,
        seller,
    } = parts;
    let balance = balance_of(&node).await.ok();
    let best_prices = best_prices(&node).await;
    let provider = match &seller {
        Some(seller) => seller.view().await,
        None => None,
    };
    let jobs = buyer.jobs().unwrap_or_default();
    Ok(Json(StatusView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        market: node.membership.genesis.name.clone(),
        chain: node.chain(),
        account: node.identity.account,
        node: node.identity.node(),
        peers: node.network.peers().await.len(),
        height: node.clock.height(),
        protocol_time: node.clock.now(),
        operator_reachable: balance.is_some(),
        offers: best_prices.iter().map(|best| best.offers).sum(),
        balance,
        provider,
        jobs: jobs
            .into_iter()
            .filter(|job| job.phase != Phase::Ended)
            .collect(),
        best_prices,
    }))
}

async fn best_prices(node: &Node) -> Vec<BestPrice> {
    let classes = node.book.classes().await.unwrap_or_default();
    let best = |(class, summary): (GpuClass, matching::ClassSummary)| {
        Some(BestPrice {
            class,
            price: summary.best_ask?,
            offers: usize::try_from(summary.asks).unwrap_or(usize::MAX),
        })
    };
    classes.into_iter().filter_map(best).collect()
}

/// Tells whether a provider's state means that it is at work.
pub(crate) fn is_offering(state: ProviderState) -> bool {
    matches!(state, ProviderState::Waiting | ProviderState::Earning)
}
