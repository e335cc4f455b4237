//! Owns the single steps of a node's start.
//!
//! Never orders them; `node.rs` does.

use std::time::Duration;

use market::ChainId;
use market::genesis::Genesis;
use market::keys::SecretKey;
use market::wire;
use matching::{Capacity, Posting};
use tokio::task::JoinSet;

use super::NodeError;
use crate::blobs::BlobStore;
use crate::book::{self, BookConfig, BookHandle};
use crate::clock::ProtocolClock;
use crate::config::Config;
use crate::home::Home;
use crate::identity::Identity;
use crate::ledger::client::Transport;
use crate::ledger::{LedgerClient, Operator, OperatorConfig, OperatorHandle};
use crate::market_data::{self, MarketData, MarketDataConfig};
use crate::membership::Membership;
use crate::network::{self, Client, InboundStream, NetworkConfig, Topic};
use crate::operator_keys;
use crate::store::{NodeStore, Recovered};

/// The most bytes of inputs and outputs that a node keeps, 64 GiB.
const BLOB_QUOTA_BYTES: u64 = 64 << 30;

/// How often a node asks for the newest header, beside gossip.
const TIME_REFRESH: Duration = Duration::from_secs(30);

/// How soon it asks again while it has none.
const TIME_RETRY: Duration = Duration::from_millis(500);

pub(super) struct Disk {
    pub(super) store: NodeStore,
    pub(super) blobs: BlobStore,
}

/// Tells the person what opening the store had to repair.
fn tell(recovered: &Recovered) {
    if let Some(torn) = &recovered.torn {
        tracing::warn!(file = %torn.file.display(), bytes = torn.bytes,
            "an unfinished write was cut off this node's journal; nothing acknowledged was in it");
    }
    match &recovered.set_aside {
        Some(aside) if recovered.repaired > 0 => {
            tracing::warn!(renamed_to = %aside.renamed_to.display(), why = aside.why, values = recovered.repaired,
                "this node's store was unreadable; everything in it was made again from the journal");
        }
        Some(aside) => {
            tracing::error!(renamed_to = %aside.renamed_to.display(), why = aside.why,
                "this node's store was unreadable and had no journal: vouchers in it are not claimed by this node");
        }
        None if recovered.repaired > 0 => {
            tracing::info!(
                values = recovered.repaired,
                "this node's store was brought up to its journal"
            );
        }
        None => {}
    }
    if recovered.without_journal > 0 {
        tracing::warn!(
            values = recovered.without_journal,
            "this node's store had no journal; one was begun with what the store holds"
        );
    }
}

pub(super) fn open_disk(
    home: &Home,
    chain: &ChainId,
    settings: &Config,
) -> Result<Disk, NodeError> {
    let (store, recovered) = NodeStore::open(&home.folder("store")?, chain)?;
    tell(&recovered);
    let blobs = BlobStore::open_beside_reserve(
        &home.folder("blobs")?,
        BLOB_QUOTA_BYTES,
        settings.disk.reserve_bytes(),
    )?;
    Ok(Disk { store, blobs })
}

pub(super) struct OperatorParts {
    /// The node's key, which signs blocks until the operator's key is changed.
    pub(super) node_key: SecretKey,
    pub(super) clock: ProtocolClock,
    pub(super) interval_ms: u64,
    pub(super) reserve_bytes: u64,
}

pub(super) fn start_operator(
    home: &Home,
    genesis: &Genesis,
    parts: OperatorParts,
    tasks: &mut JoinSet<()>,
) -> Result<OperatorHandle, NodeError> {
    let ledger = home.folder("ledger")?;
    let mut config = OperatorConfig::new(ledger, genesis.clone(), parts.node_key);
    config.spare_keys = operator_keys::load(home)?;
    config.block_interval = Duration::from_millis(parts.interval_ms);
    config.margin_bytes = config.margin_bytes.min(parts.reserve_bytes);
    config.clock = parts.clock;
    let (handle, operator, recovered) = Operator::open(config)?;
    tracing::info!(
        height = recovered.height,
        from = recovered.replayed_from,
        "the ledger is replayed"
    );
    if let Some(why) = &recovered.unused_snapshot {
        tracing::warn!(
            why,
            "the state beside the block log is not used; the log was replayed from the genesis, and nothing is lost"
        );
    }
    operator_keys::settle(home, recovered.operator)?;
    if let Some(torn) = &recovered.torn {
        tracing::warn!(
            ?torn,
            "an unfinished block was cut off the log; nothing acknowledged was in it"
        );
    }
    tasks.spawn(async move {
        if let Err(error) = operator.run().await {
            tracing::error!(%error, "the operator stopped");
        }
    });
    Ok(handle)
}

pub(super) async fn start_network(
    membership: &Membership,
    identity: &Identity,
    settings: &Config,
    tasks: &mut JoinSet<()>,
) -> Result<(Client, InboundStream), NodeError> {
    let config = NetworkConfig {
        listen: settings.network.listen.clone(),
        advertise: settings.network.advertise.clone(),
        bootstrap: membership.bootstrap.clone(),
        ..NetworkConfig::new(identity.node_key.clone(), membership.chain)
    };
    let (client, inbound, event_loop) = network::start(config).await?;
    tasks.spawn(event_loop.run());
    Ok((client, inbound))
}

pub(super) fn transport(network: &Client, operator: Option<&OperatorHandle>) -> Transport {
    match operator {
        Some(handle) => Transport::Local(handle.clone()),
        None => Transport::Remote(network.clone()),
    }
}

pub(super) fn start_book(
    membership: &Membership,
    identity: &Identity,
    clock: &ProtocolClock,
    network: &Client,
    tasks: &mut JoinSet<()>,
) -> BookHandle {
    let config = BookConfig {
        chain: membership.chain,
        key: identity.node_key.clone(),
        posting: match membership.genesis.open_posting {
            true => Posting::Open,
            false => Posting::Certified,
        },
        capacity: Capacity::default(),
        beacon_interval_s: market::order::DEFAULT_INTERVAL_S,
    };
    let (handle, actor) = book::start(config, clock.clone(), network.clone());
    tasks.spawn(actor.run());
    handle
}

pub(super) fn start_market_data(ledger: &LedgerClient, tasks: &mut JoinSet<()>) -> MarketData {
    let (handle, actor) = market_data::start(MarketDataConfig::default(), ledger.clone());
    tasks.spawn(actor.run());
    handle
}

/// Keeps protocol time verified even where gossip is quiet.
pub(super) async fn keep_time(ledger: LedgerClient) {
    loop {
        let pause = match ledger.status().await {
            Ok(_) => TIME_REFRESH,
            Err(error) => {
                tracing::debug!(%error, "the newest header is not to be had");
                TIME_RETRY
            }
        };
        tokio::time::sleep(pause).await;
    }
}

/// Gossips every new block's header.
pub(super) async fn announce_heads(operator: OperatorHandle, network: Client) {
    let mut heads = operator.heads();
    while heads.changed().await.is_ok() {
        let bytes = wire::encode(&*heads.borrow_and_update());
        if let Err(error) = network.publish(Topic::Headers, bytes).await {
            tracing::trace!(%error, "nobody heard of the new header");
        }
    }
}
