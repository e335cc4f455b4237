//! Owns `nightshift ledger verify`: reads an operator's block log again from the genesis and adds up all money.
//!
//! Never changes the log, and believes nothing but its bytes.

use std::time::Instant;

use anyhow::Context as _;
use market::ledger::Journal;
use market::{Amount, ChainId, ids::Root};
use market_node::ledger::replay::{ReplayError, Replayed, replay};
use market_node::log::LogConfig;
use market_node::membership::Membership;
use serde::Serialize;

use crate::cli::Context;
use crate::table::boxed;

/// Arguments of `ledger verify`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Reads HOME/ledger/blocks, also while the operator runs. A large log takes its time: each \
signature is checked again."
)]
pub(crate) struct Args {}

/// What the log says.
#[derive(Debug, Serialize)]
struct Verified {
    chain: ChainId,
    height: u64,
    transactions: u64,
    movements: u64,
    state_root: Root,
    available: Amount,
    channels: Amount,
    live_channels: u64,
    fees: Amount,
    issued: Amount,
    redeemed: Amount,
    burned: Amount,
    conserved: bool,
    /// Whether the balances that the movements add up to are those of the state.
    journal_agrees: bool,
    /// Bytes at the end that do not verify: an append that was cut off, or a damaged newest block.
    torn_bytes: u64,
    seconds: f64,
}

/// Replays the log of this home.
pub(crate) async fn execute(_args: Args, context: &Context) -> anyhow::Result<()> {
    let (membership, config) = log_of(context)?;
    let verified = tokio::task::spawn_blocking(move || verify(&membership, config));
    let verified = verified.await.context("replaying the log")??;
    context.print(&verified, text)?;
    anyhow::ensure!(
        verified.conserved && verified.journal_agrees,
        "every block verifies and the sums still differ: the ledger's own rules are broken. Stop the operator, keep \
         this folder as it is, and report it"
    );
    Ok(())
}

/// Finds the log of the home that a command is about.
pub(crate) fn log_of(context: &Context) -> anyhow::Result<(Membership, LogConfig)> {
    let home = context.home()?;
    let membership = Membership::load(&home)?;
    let config = LogConfig::of_home(&home, membership.chain).with_context(|| {
        format!(
            "{} holds no block log: operators keep one, others ask them. Name an operator's home with --home, or a \
             copy of it; `nightshift ledger show` asks an operator and checks its proofs",
            home.path().display()
        )
    })?;
    Ok((membership, config))
}

/// Why a log does not add up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VerifyError {
    /// It does not replay.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// Its movements do not follow from each other.
    #[error("the movements of block {height} do not follow from those before: {source}")]
    Journal {
        /// The block.
        height: u64,
        /// What does not follow.
        source: market::ledger::JournalError,
    },
}

fn verify(membership: &Membership, config: LogConfig) -> Result<Verified, VerifyError> {
    let began = Instant::now();
    let (mut journal, mut transactions, mut movements) = (Journal::default(), 0, 0);
    let replayed = replay(config, &membership.genesis, |verified| {
        let block = verified.block;
        transactions += block.transactions.len() as u64;
        for movement in block.movements() {
            let height = block.header.height;
            let entered = journal.enter(movement);
            entered.map_err(|source| VerifyError::Journal { height, source })?;
            movements += 1;
        }
        Ok::<(), VerifyError>(())
    })?;
    let Replayed { state, log, .. } = replayed;
    let audit = state.audit();
    Ok(Verified {
        chain: membership.chain,
        height: audit.height,
        transactions,
        movements,
        state_root: state.root(),
        available: audit.available,
        channels: audit.channels,
        live_channels: audit.live_channels,
        fees: audit.fee_pool,
        issued: audit.issued,
        redeemed: audit.redeemed,
        burned: audit.burned,
        conserved: audit.supply_conserved,
        journal_agrees: journal.agrees_with(&state),
        torn_bytes: log.torn().map_or(0, |torn| torn.bytes),
        seconds: began.elapsed().as_secs_f64(),
    })
}

fn text(verified: &Verified) -> String {
    let yes_or_no = |holds: bool, no: &str| match holds {
        true => "yes".to_owned(),
        false => format!("NO: {no}"),
    };
    let rows = [
        ("chain", verified.chain.to_string()),
        ("blocks", format!("1 to {}", verified.height)),
        ("transactions", verified.transactions.to_string()),
        ("movements", verified.movements.to_string()),
        ("state root", format!("{}, the same", verified.state_root)),
        ("issued", verified.issued.to_string()),
        ("redeemed", verified.redeemed.to_string()),
        ("burned", verified.burned.to_string()),
        ("available", verified.available.to_string()),
        (
            "channels",
            format!("{} in {}", verified.channels, verified.live_channels),
        ),
        ("fees", verified.fees.to_string()),
        (
            "conserved",
            yes_or_no(verified.conserved, "the sums differ"),
        ),
        (
            "balances",
            yes_or_no(verified.journal_agrees, "the movements add up to others"),
        ),
    ];
    let mut text = boxed("ledger", &rows);
    if verified.torn_bytes > 0 {
        text.push_str(&format!(
            "{} bytes at the end do not verify: an append that was cut off, which nobody was told of, or a damaged newest \
             block. Compare height {} with that of `nightshift operator status`.\n",
            verified.torn_bytes, verified.height
        ));
    }
    text.push_str(&format!(
        "Every signature, receipt and root was checked, in {:.1} s.\n",
        verified.seconds
    ));
    text
}
