//! Owns `nightshift init`: joins a market and makes this node's keys.
//!
//! Never overwrites a key and never takes a genesis that the join string does not name.

use std::time::Duration;

use anyhow::Context as _;
use market::Amount;
use market::amount::SUPPLY_CAP;
use market_node::clock::wall_now;
use market_node::home::Home;
use market_node::identity::{Identity, Setup, load_or_create};
use market_node::ledger::client::fetch_genesis;
use market_node::membership::{JoinString, Membership};
use market_node::network::node_of;
use market_node::network::{self, NetworkConfig};
use serde::Serialize;

use crate::cli::Context;
use crate::passphrase::PassphraseFlags;

/// How long the bootstrap peer may take to answer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// Arguments of `init`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What `nightshift operator run` printed: the market's hash and an address
    #[arg(long, value_name = "HASH@MULTIADDR")]
    join: JoinString,
    /// The most credits that this machine may lock in agreements for its account, in all [default: no limit]
    #[arg(long, value_name = "AMOUNT", default_value_t = SUPPLY_CAP, hide_default_value = true)]
    spend_cap: Amount,
    #[command(flatten)]
    passphrase: PassphraseFlags,
}

#[derive(Serialize)]
struct Joined {
    market: String,
    chain: market::ChainId,
    account: market::AccountId,
    node: market::NodeId,
}

/// Joins the market and prints who this node is now.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let home = context.home()?;
    let membership = join_market(&home, args.join).await?;
    let is_new = !home.key("account").exists();
    let passphrase = match is_new {
        true => args.passphrase.wanted()?,
        false => None,
    };
    let setup = Setup {
        now: wall_now(),
        spend_cap: args.spend_cap,
        passphrase: passphrase.as_ref(),
    };
    let lock = home.lock()?;
    let identity = Identity::set_up(&home, &membership.chain, &setup)?;
    drop(lock);
    let joined = Joined {
        market: membership.genesis.name,
        chain: membership.chain,
        account: identity.account,
        node: identity.node(),
    };
    context.print(&joined, |joined| {
        format!(
            "Joined {} in {}\n  account  {}\n  node     {}\nNext: `nightshift up --provide` to sell, or \
             `nightshift quote JOB.toml` to buy.\nNobody can restore the account key: keep a copy elsewhere, with \
             `nightshift wallet backup FILE`.",
            joined.market,
            home.path().display(),
            joined.account,
            joined.node
        )
    })
}

/// Fetches the genesis from the join string's peer, checks it, and makes the keys, unencrypted.
pub(crate) async fn join(home: &Home, join: JoinString) -> anyhow::Result<(Membership, Identity)> {
    let membership = join_market(home, join).await?;
    let _lock = home.lock()?;
    let identity = Identity::create(home, &membership.chain, wall_now())?;
    Ok((membership, identity))
}

/// Fetches the genesis from the join string's peer and checks it; makes the node's key, and no account.
pub(super) async fn join_market(home: &Home, join: JoinString) -> anyhow::Result<Membership> {
    let _lock = home.lock()?;
    Membership::check_free(home, join.chain)?;
    let key = load_or_create(home, "node")?;
    let operator = peer_of(&join).context("the join string's address names no usable peer")?;
    let config = NetworkConfig {
        bootstrap: vec![join.address.clone()],
        ..NetworkConfig::new(key, join.chain)
    };
    let (client, _inbound, event_loop) = network::start(config).await?;
    let running = tokio::spawn(event_loop.run());
    let fetched = tokio::time::timeout(TIMEOUT, fetch_genesis(&client, operator, join.chain)).await;
    running.abort();
    let genesis = fetched
        .with_context(|| format!("{} did not answer within {TIMEOUT:?}", join.address))?
        .with_context(|| {
            let (market, address) = (join.chain.short(), &join.address);
            format!(
                "{address} gave no facts of market {market}; compare the whole join string with the one that \
                 `nightshift operator run` prints, because the address may be of another market"
            )
        })?;
    Membership::check_received(&genesis, join.chain)?;
    Ok(Membership::create(home, genesis, vec![join.address])?)
}

fn peer_of(join: &JoinString) -> Option<market::NodeId> {
    let mut parts = join.address.iter();
    parts.find_map(|part| match part {
        network::Protocol::P2p(peer) => node_of(&peer),
        _ => None,
    })
}
