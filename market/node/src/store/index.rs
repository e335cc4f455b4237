//! Owns the operator's index over the block log: where each block lies, which block holds each
//! transaction, each account's history, and every trade.
//!
//! Never the truth: all of it can be built again from the log, and it is never ahead of the log.

mod trades;

use std::collections::BTreeMap;
use std::path::Path;

use market::ledger::{Block, Bucket, Movement};
use market::{AccountId, Amount, HeaderId, TxId};
use serde::{Deserialize, Serialize};

use super::{Schema, SetAside, StoreError, decode, encode, key};
use crate::ledger::protocol::{
    HistoryCursor, HistoryEntry, HistoryPage, HistoryQuery, MAX_HISTORY_ENTRIES,
};
use crate::log::Position;

pub use trades::TradesHead;

const SCHEMA: Schema = Schema::INDEX;

const HEAD: u8 = 1;
const BLOCK: u8 = 2;
const TRANSACTION: u8 = 3;
const HISTORY: u8 = 4;

/// The newest block that the index knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexHead {
    /// Its height.
    pub height: u64,
    /// Its header.
    pub header: HeaderId,
    /// The state root in it.
    pub root: market::ids::Root,
}

/// Which block holds a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionPlace {
    /// The block's height.
    pub height: u64,
}

/// The operator's index. Cheap to clone; only the operator's task writes.
#[derive(Debug, Clone)]
pub struct OperatorIndex {
    db: sled::Db,
}

impl OperatorIndex {
    /// Opens the index in `directory`, or begins an empty one. An unreadable one is set aside.
    pub fn open(directory: &Path) -> Result<(Self, Option<SetAside>), StoreError> {
        let (db, aside) = super::open(directory, SCHEMA)?;
        Ok((Self { db }, aside))
    }

    /// Sets the index in `directory` aside, which must not be open, and begins an empty one.
    pub fn begin_anew(directory: &Path, why: &str) -> Result<(Self, SetAside), StoreError> {
        let aside = super::set_aside(directory, why.to_owned())?;
        let (index, _) = Self::open(directory)?;
        Ok((index, aside))
    }

    /// Returns the newest block that the index knows, or `None` in an empty one.
    pub fn head(&self) -> Result<Option<IndexHead>, StoreError> {
        self.db.get([HEAD])?.map(|value| decode(&value)).transpose()
    }

    /// Adds the next block, whole or not at all. Not durable before [`OperatorIndex::flush`]. `balance` says what an
    /// account could spend before the block.
    pub fn apply(
        &self,
        block: &Block,
        position: Position,
        balance: impl Fn(&AccountId) -> Result<Amount, StoreError>,
    ) -> Result<(), StoreError> {
        let header = &block.header;
        let mut batch = sled::Batch::default();
        for entry in history_of(block, balance)? {
            batch.insert(history_key(entry.0, entry.1.at), encode(&entry.1)?);
        }
        let place = encode(&TransactionPlace {
            height: header.height,
        })?;
        for id in block.receipts.iter().filter_map(|r| r.transaction()) {
            batch.insert(key(TRANSACTION, &[id.as_bytes()]), place.clone());
        }
        trades::add(&mut batch, block)?;
        batch.insert(block_key(header.height), encode(&position)?);
        let head = IndexHead {
            height: header.height,
            header: header.id(),
            root: header.state_root,
        };
        batch.insert(&[HEAD], encode(&head)?);
        self.db.apply_batch(batch)?;
        Ok(())
    }

    /// Waits until all that was applied is on disk.
    pub fn flush(&self) -> Result<(), StoreError> {
        self.db.flush()?;
        Ok(())
    }

    /// Returns where the block at `height` lies in the log.
    pub fn block(&self, height: u64) -> Result<Option<Position>, StoreError> {
        self.db
            .get(block_key(height))?
            .map(|value| decode(&value))
            .transpose()
    }

    /// Returns which block holds a transaction.
    pub fn transaction(&self, id: TxId) -> Result<Option<TransactionPlace>, StoreError> {
        self.db
            .get(key(TRANSACTION, &[id.as_bytes()]))?
            .map(|value| decode(&value))
            .transpose()
    }

    /// Returns a page of an account's history, in the order asked for.
    pub fn history(&self, query: HistoryQuery) -> Result<Vec<HistoryEntry>, StoreError> {
        let limit = usize::from(query.limit.min(MAX_HISTORY_ENTRIES));
        let oldest = history_key(
            query.account,
            HistoryCursor {
                height: 0,
                index: 0,
            },
        );
        let newest = history_key(
            query.account,
            HistoryCursor {
                height: u64::MAX,
                index: u32::MAX,
            },
        );
        let read = |entry: sled::Result<(sled::IVec, sled::IVec)>| decode(&entry?.1);
        match query.page {
            HistoryPage::After(None) => {
                let range = self.db.range(oldest..=newest);
                range.take(limit).map(read).collect()
            }
            HistoryPage::After(Some(cursor)) => {
                // A key followed by a zero byte is the first one above it.
                let above = [history_key(query.account, cursor), vec![0]].concat();
                if above > newest {
                    return Ok(Vec::new());
                }
                let range = self.db.range(above..=newest);
                range.take(limit).map(read).collect()
            }
            HistoryPage::Before(cursor) => {
                let end = cursor.map_or(newest, |cursor| history_key(query.account, cursor));
                let range = self.db.range(oldest..end);
                range.rev().take(limit).map(read).collect()
            }
        }
    }

    /// Returns what an account could spend after its newest entry.
    pub fn balance(&self, account: AccountId) -> Result<Amount, StoreError> {
        let newest = self.history(HistoryQuery {
            account,
            page: HistoryPage::Before(None),
            limit: 1,
        })?;
        Ok(newest.first().map_or(Amount::ZERO, |entry| entry.balance))
    }
}

/// Returns the history entries that a block adds, each with its account.
fn history_of(
    block: &Block,
    balance: impl Fn(&AccountId) -> Result<Amount, StoreError>,
) -> Result<Vec<(AccountId, HistoryEntry)>, StoreError> {
    let mut balances = BTreeMap::new();
    let mut entries = Vec::new();
    for (index, movement) in block.movements().enumerate() {
        let Movement {
            cause,
            transfer,
            memo,
        } = movement;
        let index = u32::try_from(index)
            .map_err(|_| StoreError::Value("a block has too many movements".to_owned()))?;
        let sides = [
            (transfer.debit, Side::Debit),
            (transfer.credit, Side::Credit),
        ];
        for (bucket, side) in sides {
            let Bucket::Available(account) = bucket else {
                continue;
            };
            let before = match balances.get(&account) {
                Some(balance) => *balance,
                None => balance(&account)?,
            };
            let balance = side.apply(before, transfer.amount)?;
            balances.insert(account, balance);
            let entry = HistoryEntry {
                at: HistoryCursor {
                    height: block.header.height,
                    index,
                },
                time: block.header.time,
                cause,
                transfer,
                memo: memo.clone(),
                balance,
            };
            entries.push((account, entry));
        }
    }
    Ok(entries)
}

#[derive(Clone, Copy)]
enum Side {
    Debit,
    Credit,
}

impl Side {
    fn apply(self, before: Amount, amount: Amount) -> Result<Amount, StoreError> {
        match self {
            Self::Debit => before.checked_sub(amount),
            Self::Credit => before.checked_add(amount),
        }
        .ok_or_else(|| StoreError::Value("the history and the block disagree".to_owned()))
    }
}

fn block_key(height: u64) -> Vec<u8> {
    key(BLOCK, &[&height.to_be_bytes()])
}

fn history_key(account: AccountId, at: HistoryCursor) -> Vec<u8> {
    let (height, index) = (at.height.to_be_bytes(), at.index.to_be_bytes());
    key(HISTORY, &[account.as_bytes(), &height, &index])
}
