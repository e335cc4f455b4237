//! Owns making market data again from the ledger: every page from the first, and the proof of every trade's channel.
//!
//! Never takes a trade that is not what its channel proves, and never tells which of two contradicting words is the
//! right one: a proof is.

use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use market::ChannelId;
use matching::{Misstated, Tape, TapeCapacity, Trade, TradePlace};

use super::handle::MarketDataError;
use crate::ledger::LedgerClient;
use crate::ledger::client::LedgerError;
use crate::ledger::protocol::{MAX_TRADES, TradesPage, TradesQuery};

/// Proofs that are asked for at the same time.
const PROOFS_AT_ONCE: usize = 16;

/// What a rebuild came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rebuilding {
    /// The newest block whose trades were read.
    pub height: u64,
    /// Trades that are held now; each was held against the proof of its channel.
    pub trades: usize,
    /// Digest of what was known before, brought up to the same block.
    pub digest_before: [u8; 32],
    /// Digest of what is held now.
    pub digest: [u8; 32],
}

/// Why market data were not made again. They are as they were before.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// A trade is not what its channel proves.
    #[error(
        "the operator's trade {place} says something else of channel {channel} than the ledger proves: {why}. Nothing \
         was changed here. The operator's index is damaged, or it lies: tell its people, and believe no price of it \
         until then"
    )]
    Misstated {
        /// Where the operator says that it stands.
        place: TradePlace,
        /// Its channel.
        channel: ChannelId,
        /// What the proof says.
        why: Misstated,
    },
    /// There is no channel of that trade.
    #[error(
        "the operator's trade {place} is of channel {channel}, which it cannot prove. Nothing was changed here. The \
         operator's index is damaged, or it lies: tell its people, and believe no price of it until then"
    )]
    Unproved {
        /// Where the operator says that it stands.
        place: TradePlace,
        /// The channel that is not to be had.
        channel: ChannelId,
    },
    /// A channel settles once.
    #[error(
        "the operator's trade {place} is of channel {channel}, which an earlier one had settled already. Nothing was \
         changed here. The operator's index is damaged, or it lies: tell its people, and believe no price of it \
         until then"
    )]
    Twice {
        /// Where the operator says that it stands.
        place: TradePlace,
        /// The channel.
        channel: ChannelId,
    },
    /// The ledger gave no answer.
    #[error("market data were not made again, and are as they were: {0}")]
    Ledger(#[from] LedgerError),
    /// One at a time.
    #[error("market data are being made again already; wait for that to end")]
    UnderWay,
    /// The task has ended.
    #[error(transparent)]
    MarketData(#[from] MarketDataError),
}

/// All trades, and up to where they are all.
pub(super) struct Rebuilt {
    pub(super) tape: Tape,
    pub(super) cursor: Option<TradePlace>,
    pub(super) height: u64,
}

/// Reads all trades anew and proves those that a tape holds.
pub(super) async fn rebuild(
    ledger: &LedgerClient,
    capacity: TapeCapacity,
) -> Result<Rebuilt, RebuildError> {
    let mut rebuilt = Rebuilt {
        tape: Tape::new(capacity),
        cursor: None,
        height: 0,
    };
    loop {
        let page = next_page(ledger, rebuilt.cursor).await?;
        let is_last = is_last(&page);
        rebuilt.height = page.height;
        rebuilt.cursor = page.trades.last().map(|last| last.place).or(rebuilt.cursor);
        page.trades
            .into_iter()
            .for_each(|trade| rebuilt.tape.record(trade));
        if is_last {
            break;
        }
    }
    prove(ledger, &rebuilt.tape).await?;
    Ok(rebuilt)
}

/// Asks for the trades after `after`.
pub(super) async fn next_page(
    ledger: &LedgerClient,
    after: Option<TradePlace>,
) -> Result<TradesPage, LedgerError> {
    let limit = MAX_TRADES;
    ledger.trades(TradesQuery { after, limit }).await
}

/// Tells whether there was no more after this page.
pub(super) fn is_last(page: &TradesPage) -> bool {
    page.trades.len() < usize::from(MAX_TRADES)
}

/// Holds every trade against the proof of its channel, the earliest first.
async fn prove(ledger: &LedgerClient, tape: &Tape) -> Result<(), RebuildError> {
    let mut trades: Vec<Trade> = tape.iter().copied().collect();
    trades.sort_unstable();
    let mut settled = BTreeSet::new();
    let again = |trade: &Trade| !settled.insert(trade.channel);
    let repeated = trades.iter().position(again);
    let twice = repeated.and_then(|index| trades.get(index)).copied();
    trades.truncate(repeated.unwrap_or(trades.len()));
    let proofs = trades.into_iter().map(|trade| prove_one(ledger, trade));
    let proofs = stream::iter(proofs).buffered(PROOFS_AT_ONCE);
    proofs.try_collect::<()>().await?;
    match twice {
        Some(Trade { place, channel, .. }) => Err(RebuildError::Twice { place, channel }),
        None => Ok(()),
    }
}

async fn prove_one(ledger: &LedgerClient, trade: Trade) -> Result<(), RebuildError> {
    let (place, channel) = (trade.place, trade.channel);
    let Some(proved) = ledger.channel(channel).await? else {
        return Err(RebuildError::Unproved { place, channel });
    };
    let checked = trade.check(&proved.record);
    checked.map_err(|why| RebuildError::Misstated {
        place,
        channel,
        why,
    })
}
