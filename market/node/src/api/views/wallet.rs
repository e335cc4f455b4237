//! Owns the JSON of the wallet.
//!
//! Never computes anything.

use market::ledger::SignedTransaction;
use market::{Amount, ChannelId, Timestamp, TxId, wire};
use serde::{Deserialize, Serialize};

/// `POST /v1/wallet/submit`: a transaction that was signed elsewhere, so that no key enters the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmitRequest {
    /// The bytes of the signed transaction, in hexadecimal digits.
    pub transaction: String,
}

impl SubmitRequest {
    /// Writes a signed transaction as it travels.
    pub fn of(signed: &SignedTransaction) -> Self {
        Self {
            transaction: hex::encode(wire::encode(signed)),
        }
    }
}

/// A transaction that is final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxView {
    /// The transaction.
    pub tx: TxId,
    /// Its block.
    pub height: u64,
}

/// One row of `GET /v1/wallet/history`, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// Block.
    pub height: u64,
    /// The block's time.
    pub time: Timestamp,
    /// What it was, for example `transfer` or `channel open`.
    pub what: String,
    /// `+0.25` or `-0.25`, in credits.
    pub change: String,
    /// What the account could spend after it.
    pub balance: Amount,
    /// The transaction, unless the ledger acted by itself.
    pub tx: Option<TxId>,
    /// The note.
    pub memo: String,
}

/// A channel as the ledger proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelView {
    /// Which.
    pub channel: ChannelId,
    /// Locked.
    pub deposit: Amount,
    /// Paid.
    pub claimed: Amount,
    /// Open, closing or closed.
    pub state: String,
}
