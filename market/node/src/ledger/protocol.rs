//! Owns the messages of the ledger protocol: what any node may ask an operator, and its answers.
//!
//! Never trusts an answer: what matters is proved by a `FinalityProof` or a `StateProof`, which the
//! asker checks against its own trusted set (see `ledger/client.rs`). History and absence are the
//! operator's word only, and say so.
//!
//! Versioned by the protocol id under which they travel; encoded by `market::wire` alone.

use market::genesis::Genesis;
use market::ledger::{
    Audit, Cause, CertifiedHeader, EpochProof, FinalityProof, Key, Memo, Rejected,
    SignedTransaction, StateProof, Transfer,
};
use market::{AccountId, Amount, Timestamp, TxId};
use matching::{Trade, TradePlace};
use serde::{Deserialize, Serialize};

/// The most bytes of an encoded request.
pub const MAX_REQUEST_BYTES: usize = 8 << 10;

/// The most bytes of an encoded answer.
pub const MAX_RESPONSE_BYTES: usize = 256 << 10;

/// The most entries of one page of history.
pub const MAX_HISTORY_ENTRIES: u16 = 256;

/// The most trades of one page, some 150 bytes each.
pub const MAX_TRADES: u16 = 256;

/// The most channels in one view of an account.
pub const MAX_ACCOUNT_CHANNELS: usize = 64;

/// The most changes of the operators in one answer; some 430 bytes each with one operator, 1,200 with the most.
pub const MAX_EPOCHS: usize = 64;

/// What is asked of an operator.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum LedgerRequest {
    /// The genesis, which a joining node checks against the chain id that it was given.
    Genesis,
    /// The newest block and the sums of all money.
    Status,
    /// Puts a transaction into a block and waits until it is final. Idempotent: submitting one that
    /// is final already answers with its original proof.
    Submit(Box<SignedTransaction>),
    /// The proof of a transaction that is final already.
    Transaction(TxId),
    /// A fact of the newest state, with its proof.
    StateOf(Key),
    /// An account and the live channels that it pays from or is paid by, with their proofs.
    Account(AccountId),
    /// A page of an account's history.
    History(HistoryQuery),
    /// The header and certificate at a height.
    Header(u64),
    /// The changes of the operators from a height on, which whoever trusts the set of that height needs to follow.
    Epochs(u64),
    /// A page of the trades of all classes.
    Trades(TradesQuery),
}

/// An operator's answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum LedgerResponse {
    /// To [`LedgerRequest::Genesis`].
    Genesis(Box<Genesis>),
    /// To [`LedgerRequest::Status`].
    Status(Box<LedgerStatus>),
    /// The transaction is final.
    Final(Box<FinalityProof>),
    /// The transaction changed nothing, and why.
    Rejected(Rejected),
    /// To [`LedgerRequest::StateOf`].
    State(Box<StateProof>),
    /// There is no such fact, transaction or block as of this height. Not proved: the state tree
    /// proves what is there, so an absence is the operator's word.
    Absent {
        /// Height of the newest block.
        height: u64,
    },
    /// To [`LedgerRequest::Account`].
    Account(Box<AccountView>),
    /// To [`LedgerRequest::History`], in the order asked for.
    History(Vec<HistoryEntry>),
    /// To [`LedgerRequest::Header`].
    Header(Box<CertifiedHeader>),
    /// The request was not looked at; asking again later, or elsewhere, is safe.
    Unavailable(Unavailable),
    /// To [`LedgerRequest::Epochs`], oldest first, at most [`MAX_EPOCHS`].
    Epochs(Vec<EpochProof>),
    /// To [`LedgerRequest::Trades`].
    Trades(TradesPage),
}

/// Why an operator did not look at a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Unavailable {
    /// This node is not an operator of this chain.
    #[error("the node is not an operator of this market")]
    NotOperator,
    /// As many requests are waiting as it takes.
    #[error("the operator is busy; try again in a moment")]
    Busy,
    /// Its disk has no room for another block.
    #[error(
        "the operator's disk is full: nothing new becomes final until its people make room; what is final stays"
    )]
    DiskFull,
    /// It is stopping, or its disk failed.
    #[error("the operator is stopping or its disk failed")]
    Stopped,
    /// The key that signed has as many transactions waiting as one may have.
    #[error(
        "this key has as many transactions waiting as the operator takes of one; wait for one of them to be final"
    )]
    SubmitterBusy,
    /// It has not the key of the operators that a transaction hands over to, so that no block would follow.
    #[error(
        "this operator hands over only to one key that it has; rotate it with `nightshift operator rotate-key`"
    )]
    NoKey,
}

/// The newest block and the sums of all money as of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerStatus {
    /// Header and certificate of the newest block.
    pub head: CertifiedHeader,
    /// All sums; the operator's word, the state root commits to them.
    pub audit: Audit,
}

/// An account's money, as far as it can be proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// Header and certificate of the newest block.
    pub head: CertifiedHeader,
    /// Proof of what it can spend, or `None` where the account does not exist.
    pub account: Option<StateProof>,
    /// Proofs of the channels that it is payer or payee of and that are not closed, at most
    /// [`MAX_ACCOUNT_CHANNELS`]. The operator could leave one out; it cannot make one up.
    pub channels: Vec<StateProof>,
}

/// The payload of the header gossip topic: the newest header, signed by the operators.
pub type HeaderAnnouncement = CertifiedHeader;

/// Which page of an account's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryQuery {
    /// Whose history.
    pub account: AccountId,
    /// From where, and in which direction.
    pub page: HistoryPage,
    /// The most entries to return; more than [`MAX_HISTORY_ENTRIES`] counts as that.
    pub limit: u16,
}

/// From where and in which direction history is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HistoryPage {
    /// Oldest first, strictly after this entry, or from the beginning.
    After(Option<HistoryCursor>),
    /// Newest first, strictly before this entry, or from the newest.
    Before(Option<HistoryCursor>),
}

/// The place of a movement of money in the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HistoryCursor {
    /// The block's height.
    pub height: u64,
    /// The movement's place among all of the block's movements, from 0.
    pub index: u32,
}

/// Which page of the trades of all classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradesQuery {
    /// Strictly after this place, or from the first.
    pub after: Option<TradePlace>,
    /// The most trades to return; more than [`MAX_TRADES`] counts as that.
    pub limit: u16,
}

/// Trades in the order in which they settled.
///
/// What was traded by whom at which price can be held against the proof of each channel. That it settled in this block
/// at this time, and that none is left out, is the operator's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradesPage {
    /// The newest block whose trades are counted: where fewer came than were asked for, these are all up to it.
    pub height: u64,
    /// The trades, none of a newer block, at most [`MAX_TRADES`].
    pub trades: Vec<Trade>,
}

/// One movement of money into or out of an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// Where it stands in the ledger.
    pub at: HistoryCursor,
    /// The block's protocol time.
    pub time: Timestamp,
    /// What made it happen.
    pub cause: Cause,
    /// What moved from where to where, and why.
    pub transfer: Transfer,
    /// The note of the transaction, where it has one.
    pub memo: Option<Memo>,
    /// What the account could spend after it.
    pub balance: Amount,
}
