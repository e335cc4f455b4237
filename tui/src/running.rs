//! Owns a node with its roles in this process: what is started, in which order, and how it stops.
//!
//! Never holds a rule of buying or selling; it puts handles of `market-node`, `provider` and `consumer`
//! together and serves their endpoints.

mod orders;

use std::pin::Pin;
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use consumer::{Buyer, LeftOpen, consumer_router};
use gpu_probe::Effort;
use market::gpu::GpuClass;
use market::lease::Phase;
use market_node::api::{
    ApiResult, ApiServer, BestPrice, BidState, ProviderState, RunId, StatusView, balance_of,
    node_router, serve,
};
use market_node::blobs::Swept;
use market_node::config::Config;
use market_node::home::Home;
use market_node::lease::Takers;
use market_node::node::{Node, NodeConfig, NodeTasks};
use market_node::recover::Leftovers;
use provider::{Seller, SellerConfig, SellerHandle, measure, provider_router, yielding};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

use crate::awake;
use crate::exit::Ending;
use crate::readiness::{self, News};

use orders::OrderParts;

/// How long a stopping node waits for what it sells and buys to be settled.
const DRAIN: Duration = Duration::from_secs(10);

/// Offers to this node's bids that wait for an answer; further ones are told that it is busy.
const WAITING_OFFERS: usize = 32;

/// How long it then waits for its own parts to end.
const CLOSE: Duration = Duration::from_secs(5);

/// The most that a stop takes, for messages: both of the above and what the runtime waits for at the end.
const STOP_SECONDS: u64 = 20;

/// What the help of commands that run a node says about their end.
pub(crate) const STOPPING: &str = "\
Ctrl-C (SIGINT) or SIGTERM stops the node in order, within 20 s: a lease that is sold is yielded, claimed and \
closed; what was bought goes on when the node starts again. A second signal forces. It logs into \
logs/nightshift.log of its home folder.";

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

/// How a node stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// Everything was settled, or is safely on disk.
    InOrder,
    /// Something was not settled in time; the next start settles it.
    Unsettled,
    /// A second signal came.
    Forced,
}

/// Starts a node: the network first, then the measurement where it sells, then the local API.
pub(crate) async fn start(home: Home, roles: Roles) -> anyhow::Result<RunningNode> {
    let (reservations_in, reservations) = provider::reservation_channel();
    let (offers_in, offers) = mpsc::channel(WAITING_OFFERS);
    let config = NodeConfig {
        home: home.clone(),
        settings: roles.settings,
        operator_interval_ms: roles.operator_interval_ms,
        takers: Takers {
            seller: roles.sell.map(|_| reservations_in),
            bidder: Some(offers_in),
        },
    };
    let (node, mut tasks) = Node::start(config).await?;
    let mut leftovers = Leftovers::read(&node).context("reading what an earlier run left open")?;
    let buyer = Buyer::new(node.clone());
    sweep_blobs(&node, &buyer, &leftovers).await;
    let seller = match roles.sell {
        None => None,
        Some(config) => {
            let kept = home.clone();
            let gauge = tokio::task::spawn_blocking(move || measure(Effort::Quick, &kept))
                .await
                .context("measuring this machine")?
                .context("this machine cannot sell")?;
            let adapter = gauge.report.adapter.clone();
            let policy = yielding::policy(&node.settings.sell);
            let (handle, seller) = Seller::new(node.clone(), gauge, config, reservations);
            tasks.spawn(seller.run());
            tasks.spawn(yielding::watch(adapter, policy, handle.clone()));
            Some(handle)
        }
    };
    let left_open = LeftOpen {
        jobs: leftovers.take_jobs(&node),
        openings: leftovers.take_openings(&node),
    };
    let is_selling = occupation(seller.clone());
    let settling = leftovers.settle(node.clone(), is_selling);
    tasks.spawn(async move {
        settling.await;
        // A task of the node that ends is a failure.
        std::future::pending::<()>().await;
    });
    buyer.resume(left_open);
    buyer.answer_offers(offers);
    let sleep = stay_awake(seller.as_ref(), &mut tasks);
    let parts = Parts {
        node: node.clone(),
        buyer: buyer.clone(),
        seller: seller.clone(),
        sleep,
    };
    let api = serve(&home, router(parts))?;
    Ok(RunningNode {
        node,
        seller,
        buyer,
        tasks,
        api,
    })
}

/// Removes the files of jobs that a killed node left: all but those that runs need which go on.
async fn sweep_blobs(node: &Node, buyer: &Buyer, leftovers: &Leftovers) {
    let mut needed = match buyer.needed_blobs() {
        Ok(needed) => needed,
        Err(error) => return tracing::warn!(%error, "files of ended jobs stay for now"),
    };
    needed.extend(leftovers.wanted_blobs());
    let blobs = node.blobs.clone();
    let swept = tokio::task::spawn_blocking(move || blobs.sweep(&needed)).await;
    match swept {
        Ok(Ok(swept)) if swept == Swept::default() => {}
        Ok(Ok(swept)) => tracing::info!(?swept, "removed files that a killed node left"),
        Ok(Err(error)) => tracing::warn!(%error, "files of ended jobs stay for now"),
        Err(_stopping) => {}
    }
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

/// Keeps the system awake while this node sells a lease. Returns where it is shown why that fails.
fn stay_awake(
    seller: Option<&SellerHandle>,
    tasks: &mut NodeTasks,
) -> watch::Receiver<Option<String>> {
    let (problem_in, problem) = watch::channel(None);
    if let Some(seller) = seller {
        let occupancy = seller.occupancy();
        tasks.spawn(awake::keep(awake::INHIBIT.as_ref(), occupancy, problem_in));
    }
    problem
}

/// Runs a node that serves until a signal, or a failure of a part of it, and stops it in order.
///
/// Fails where a part failed, and where a second signal forced the end.
pub(crate) async fn serve_until_stopped(
    running: RunningNode,
    mut signals: StopSignals,
) -> anyhow::Result<()> {
    let mut running = running;
    readiness::tell(News::Ready);
    let result = tokio::select! {
        () = signals.next() => Ok(()),
        () = running.tasks.failed() => {
            Err(anyhow::anyhow!("a part of the node stopped; the log says why"))
        }
    };
    readiness::tell(News::Stopping);
    eprintln!(
        "Stopping within {STOP_SECONDS} s: a lease that is sold is yielded, claimed and closed first. \
         Ctrl-C again to force."
    );
    match running.stop(&mut signals).await {
        Stopped::InOrder | Stopped::Unsettled => result,
        Stopped::Forced => result.and(Err(Ending::Interrupted(
            "forced to stop before everything was settled",
        )
        .into())),
    }
}

impl RunningNode {
    /// Yields a lease that is sold and claims its pay, lets go of what was bought, and stops. What is not
    /// settled in time, or forced by a second signal, is settled by the next start, and this says so.
    pub(crate) async fn stop(self, signals: &mut StopSignals) -> Stopped {
        let bought = self.unfinished_runs();
        let drained = async {
            let paused = async {
                if let Some(seller) = &self.seller {
                    let _stopped = seller.pause().await;
                }
            };
            tokio::join!(paused, self.buyer.stop());
            let sold = async {
                if let Some(seller) = &self.seller {
                    seller.idle().await;
                }
            };
            // Nothing is offered and nothing is bid any more; others hear of it before this node is gone.
            tokio::join!(sold, self.node.book.take_leave());
        };
        let stopped = tokio::select! {
            drained = tokio::time::timeout(DRAIN, drained) => match drained {
                Ok(_) => Stopped::InOrder,
                Err(_) => Stopped::Unsettled,
            },
            () = signals.next() => Stopped::Forced,
        };
        if stopped != Stopped::InOrder {
            eprintln!(
                "Stopped before everything was settled; the next start of this node settles the rest."
            );
        }
        tell_unfinished(&bought, &self.unfinished_runs());
        tell_waiting(&self.waiting_bids());
        drop(self.api);
        drop(self.seller);
        tokio::select! {
            closed = tokio::time::timeout(CLOSE, self.tasks.stop()) => if closed.is_err() {
                tracing::warn!("a part of the node does not end; it is left behind");
            },
            () = signals.next() => return Stopped::Forced,
        }
        stopped
    }

    /// Lists the bids that stand.
    fn waiting_bids(&self) -> Vec<RunId> {
        let bids = self.buyer.standing_bids().unwrap_or_default();
        let waiting = bids
            .iter()
            .filter(|bid| matches!(bid.state, BidState::Waiting | BidState::Filling));
        waiting.map(|bid| bid.run).collect()
    }

    /// Lists the runs that were bought and are not over.
    fn unfinished_runs(&self) -> Vec<RunId> {
        let jobs = self.buyer.jobs().unwrap_or_default();
        let unfinished = jobs.iter().filter(|job| job.outcome.is_none());
        unfinished.map(|job| job.run).collect()
    }
}

/// Says what becomes of runs that were not over: some ended with the node, the others go on.
fn tell_unfinished(before: &[RunId], after: &[RunId]) {
    for run in before {
        match after.contains(run) {
            true => eprintln!(
                "Run {run} goes on when this node starts again; its provider waits for some minutes."
            ),
            false => eprintln!("Run {run} ended; what was done is paid, the rest comes back."),
        }
    }
}

/// Says what becomes of bids that nobody has filled.
fn tell_waiting(bids: &[RunId]) {
    for run in bids {
        eprintln!("Bid {run} is out of the book; it stands there again when this node starts.");
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
    /// Why the system may go to sleep while a lease runs, where it may.
    sleep: watch::Receiver<Option<String>>,
}

fn router(parts: Parts) -> Router {
    let Parts {
        node,
        buyer,
        seller,
        ..
    } = parts.clone();
    let own = Router::new()
        .route("/v1/status", get(status))
        .with_state(parts);
    let orders = orders::router(OrderParts {
        node: node.clone(),
        seller: seller.clone(),
        buyer: buyer.clone(),
    });
    let router = own.merge(node_router(node)).merge(consumer_router(buyer));
    let router = router.merge(orders);
    match seller {
        Some(seller) => router.merge(provider_router(seller)),
        None => router,
    }
}

async fn status(State(parts): State<Parts>) -> ApiResult<StatusView> {
    let Parts {
        node,
        buyer,
        seller,
        sleep,
    } = parts;
    let balance = balance_of(&node).await.ok();
    let best_prices = best_prices(&node).await;
    let provider = match &seller {
        Some(seller) => seller.view().await,
        None => None,
    };
    let jobs = buyer.jobs().unwrap_or_default();
    let bids = buyer.standing_bids().unwrap_or_default();
    let revoked = node.standing.known().map(|revoked| revoked.to_string());
    Ok(Json(StatusView {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        market: node.membership.genesis.name.clone(),
        chain: node.chain(),
        account: node.identity.account,
        node: node.identity.node(),
        peers: node.network.peers().await.len(),
        height: node.clock.height(),
        protocol_time: node.clock.now(),
        operator_reachable: balance
            .as_ref()
            .is_some_and(|known| known.stale_s.is_none()),
        offers: best_prices.iter().map(|best| best.offers).sum(),
        balance,
        provider,
        jobs: jobs
            .into_iter()
            .filter(|job| job.phase != Phase::Ended || job.pending_refund.is_some())
            .collect(),
        bids: bids.into_iter().filter(|bid| bid.state.stands()).collect(),
        notes: sleep
            .borrow()
            .iter()
            .cloned()
            .chain(withheld(&node))
            .chain(revoked.clone())
            .collect(),
        revoked,
        best_prices,
    }))
}

/// Says which transactions the operator seems to keep out of its blocks.
fn withheld(node: &Node) -> Vec<String> {
    let since = |(id, height): (market::TxId, u64)| {
        format!(
            "the operator has not taken transaction {id} since block {height}, and goes on making blocks: it keeps it \
             out, or cannot be reached from here"
        )
    };
    node.ledger.withheld().into_iter().map(since).collect()
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
