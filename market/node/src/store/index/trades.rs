//! Owns the trades in an operator's index: one for each channel that a block settled, in the order of the ledger.
//!
//! Never holds a trade of a block that the index does not have, and never lacks one: both are written in one batch.
//! An index that an earlier release wrote has none of its older blocks; these are noted once, from the log.

use market::ledger::Block;
use matching::{Trade, TradePlace};
use serde::{Deserialize, Serialize};

use super::super::{StoreError, decode, encode, key};
use super::OperatorIndex;
use crate::ledger::protocol::{MAX_TRADES, TradesPage, TradesQuery};

const TRADE: u8 = 5;
const TRADES_HEAD: u8 = 6;

/// The newest block whose trades the index has, all older ones included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradesHead {
    /// Its height.
    pub height: u64,
}

/// Adds the trades of a block to the batch that adds the block.
pub(super) fn add(batch: &mut sled::Batch, block: &Block) -> Result<(), StoreError> {
    for trade in Trade::in_block(block) {
        batch.insert(trade_key(trade.place), encode(&trade)?);
    }
    let head = TradesHead {
        height: block.header.height,
    };
    batch.insert(&[TRADES_HEAD], encode(&head)?);
    Ok(())
}

impl OperatorIndex {
    /// Returns the height up to which the index has all trades; 0 where it has none.
    pub fn trades_head(&self) -> Result<u64, StoreError> {
        let Some(value) = self.db.get([TRADES_HEAD])? else {
            return Ok(0);
        };
        decode::<TradesHead>(&value).map(|head| head.height)
    }

    /// Adds the trades of a block that the index has without them, whole or not at all. The blocks before it must have
    /// theirs. Not durable before [`OperatorIndex::flush`].
    pub fn note_trades(&self, block: &Block) -> Result<(), StoreError> {
        let mut batch = sled::Batch::default();
        add(&mut batch, block)?;
        self.db.apply_batch(batch)?;
        Ok(())
    }

    /// Returns a page of trades in the order of the ledger.
    pub fn trades(&self, query: TradesQuery) -> Result<TradesPage, StoreError> {
        // Before the page, so that every trade up to there is in it or was before it.
        let height = self.trades_head()?;
        let last = TradePlace {
            height: u64::MAX,
            index: u32::MAX,
        };
        let begin = match query.after {
            None => trade_key(TradePlace::default()),
            // A key followed by a zero byte is the first one above it.
            Some(place) if place < last => [trade_key(place), vec![0]].concat(),
            Some(_) => {
                let trades = Vec::new();
                return Ok(TradesPage { height, trades });
            }
        };
        let limit = usize::from(query.limit.min(MAX_TRADES));
        let range = self.db.range(begin..=trade_key(last)).take(limit);
        let mut trades = Vec::new();
        for entry in range {
            let trade: Trade = decode(&entry?.1)?;
            // One of a block that was made meanwhile is of the next page.
            if trade.place.height > height {
                break;
            }
            trades.push(trade);
        }
        Ok(TradesPage { height, trades })
    }

    /// Puts trades into the index that no block has, as an operator that lies would.
    #[cfg(test)]
    pub(crate) fn plant(&self, trades: &[Trade]) {
        for trade in trades {
            let value = encode(trade).expect("a trade is small");
            let planted = self.db.insert(trade_key(trade.place), value);
            planted.expect("the index takes it");
        }
        self.flush().expect("the disk has room");
    }

    /// Takes all trades out, as they are missing from the index of a release that had none.
    #[cfg(test)]
    pub(crate) fn forget_trades(&self) {
        for kind in [TRADE, TRADES_HEAD] {
            let keys = self.db.scan_prefix([kind]).keys();
            for key in keys.collect::<Vec<_>>() {
                let key = key.expect("the index is readable");
                self.db.remove(key).expect("the index takes it");
            }
        }
        self.flush().expect("the disk has room");
    }
}

fn trade_key(place: TradePlace) -> Vec<u8> {
    let (height, index) = (place.height.to_be_bytes(), place.index.to_be_bytes());
    key(TRADE, &[&height, &index])
}
