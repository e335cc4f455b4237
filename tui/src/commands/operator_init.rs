//! Owns `nightshift operator init`: founds a market.
//!
//! Never founds a second one in the same home.

use market::genesis::{Fees, Genesis};
use market::{AccountId, Amount};
use market_node::clock::wall_now;
use market_node::home::Home;
use market_node::identity::{Identity, load_or_create};
use market_node::membership::{Membership, MembershipError};
use serde::Serialize;

use crate::cli::Context;

/// Arguments of `operator init`.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Args {
    /// A name for people
    #[arg(long, default_value = "nightshift")]
    pub(crate) name: String,
    /// The address of one more treasury key, as `operator treasury-key` printed it at its holder's; may be given several
    /// times
    #[arg(long = "treasury", value_name = "ADDRESS")]
    pub(crate) treasuries: Vec<AccountId>,
    /// How many treasury keys must sign to issue or redeem
    #[arg(long, default_value_t = 1, value_name = "N")]
    pub(crate) treasury_threshold: u16,
    /// The most credits that may be issued in 24 hours
    #[arg(long, default_value = "1000000", value_name = "AMOUNT")]
    pub(crate) issue_cap: Amount,
    /// Fee of a transfer, in credits
    #[arg(long, default_value = "0.0001", value_name = "AMOUNT")]
    pub(crate) transfer_fee: Amount,
    /// Fee of opening a channel, in credits
    #[arg(long, default_value = "0.0001", value_name = "AMOUNT")]
    pub(crate) open_fee: Amount,
    /// Share of what channels pay out that is a fee, in 1/10000
    #[arg(long, default_value_t = 100, value_name = "BPS", value_parser = clap::value_parser!(u16).range(0..=10_000))]
    pub(crate) channel_fee_bps: u16,
    /// Seconds during which a channel that its payer closes alone can still be claimed
    #[arg(long, default_value_t = 86_400, value_name = "SECONDS")]
    pub(crate) challenge_seconds: u64,
}

#[derive(Serialize)]
struct Founded {
    market: String,
    chain: market::ChainId,
    operator: market::NodeId,
    treasury: AccountId,
    treasury_threshold: u16,
}

/// Founds a market in this home.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let home = context.home()?;
    let membership = found(&home, &args)?;
    let genesis = membership.genesis;
    let founded = Founded {
        market: genesis.name,
        chain: membership.chain,
        operator: genesis.operators[0],
        treasury: genesis.treasury[0],
        treasury_threshold: genesis.treasury_threshold,
    };
    context.print(&founded, |founded| {
        format!(
            "Founded {} in {}\n  chain     {}\n  operator  {}\n  treasury  {}\nNext: `nightshift operator \
             run`. Keep keys/treasury.key safe: {}.\nWith one operator, that \
             operator orders every transaction: those who join trust it with the money that they lock.",
            founded.market,
            home.path().display(),
            founded.chain,
            founded.operator,
            founded.treasury,
            match founded.treasury_threshold {
                1 => "it alone can issue credits".to_owned(),
                threshold => format!("{threshold} such keys together can issue credits"),
            }
        )
    })
}

/// Makes the keys and the genesis.
pub(crate) fn found(home: &Home, args: &Args) -> anyhow::Result<Membership> {
    let _lock = home.lock()?;
    match Membership::load(home) {
        Ok(present) => anyhow::bail!(
            "{} already holds market {} ({}); use another --home DIR for a new one",
            home.path().display(),
            present.genesis.name,
            present.chain
        ),
        Err(MembershipError::NotJoined) => {}
        Err(error) => return Err(error.into()),
    }
    let now = wall_now();
    let genesis = Genesis {
        version: 1,
        name: args.name.clone(),
        time: now,
        operators: vec![load_or_create(home, "node")?.node()],
        treasury: std::iter::once(load_or_create(home, "treasury")?.account())
            .chain(args.treasuries.iter().copied())
            .collect(),
        treasury_threshold: args.treasury_threshold,
        issue_cap_per_epoch: args.issue_cap,
        minimum_balance: Amount::from_nanocredits(1_000_000),
        fees: Fees {
            transfer: args.transfer_fee,
            open: args.open_fee,
            channel_bps: args.channel_fee_bps,
        },
        challenge_ms: args.challenge_seconds.saturating_mul(1_000),
        open_posting: true,
    };
    let membership = Membership::create(home, genesis, Vec::new())?;
    Identity::create(home, &membership.chain, now)?;
    Ok(membership)
}
