//! Owns the JSON of the wallet.
//!
//! Never computes anything.

use market::ledger::{Code, SignedTransaction};
use market::{AccountId, AgreementId, Amount, ChannelId, Timestamp, TxId, wire};
use serde::{Deserialize, Serialize};

use super::run_id::RunId;

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

/// `GET /v1/wallet/history?limit=N&before=HEIGHT:INDEX`: a page of what came in and what went out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryView {
    /// Whose history.
    pub account: AccountId,
    /// The entries, newest first.
    pub entries: Vec<HistoryRow>,
    /// What `before` is for the next page, `HEIGHT:INDEX`; `None` where nothing came before.
    pub next: Option<String>,
}

/// One entry of an account's history. That money moved is the operator's word; who stands on the other side of a
/// channel, and by which operation it paid, is proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// Block.
    pub height: u64,
    /// Its place among the block's movements, from 0; `HEIGHT:INDEX` names it.
    pub index: u32,
    /// The block's time.
    pub time: Timestamp,
    /// What it was, for example `transfer`, `channel opened` or `claim`.
    pub what: String,
    /// Why the ledger moved the money, by its own name.
    pub code: Code,
    /// `+0.25` or `-0.25`, in credits.
    pub change: String,
    /// What the account could spend after it.
    pub balance: Amount,
    /// Who paid or was paid: the other account of a transfer, the other side of a channel. `None` for what went to
    /// or came from nobody, such as the fee of a transfer or an issue, and for a channel that could not be asked
    /// about.
    pub counterparty: Option<AccountId>,
    /// The channel that it belongs to.
    pub channel: Option<ChannelId>,
    /// The agreement that the channel pays for.
    pub agreement: Option<AgreementId>,
    /// The run for which this node bought it, where it did.
    pub run: Option<RunId>,
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
