//! Owns the JSON of what the ledger has under a name.
//!
//! Never computes anything.

use market::ledger::{ChannelRecord, Operation, Transfer};
use market::{AccountId, Amount, HeaderId, NodeId, Timestamp, TxId, ids::Root};
use serde::{Deserialize, Serialize};

/// `GET /v1/ledger/{what}`: a block by its height, an account by its address, a transaction or a channel by its 64 digits,
/// or `operators`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum LedgerEntry {
    /// A block's header.
    Block(BlockEntry),
    /// A transaction that is final.
    Transaction(Box<TransactionEntry>),
    /// An account that has money, or has had some.
    Account(AccountEntry),
    /// A channel, which stays when it is closed.
    Channel(Box<ChannelEntry>),
    /// Who signs blocks.
    Operators(OperatorsEntry),
}

/// Who signs blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorsEntry {
    /// The operators.
    pub operators: Vec<NodeId>,
    /// The first block that they sign.
    pub since: u64,
    /// The newest block.
    pub height: u64,
    /// That this is so; none while they are those that the market began with.
    pub proof: Option<ProofEntry>,
}

/// A proof that this node has checked against the operators that it trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProofEntry {
    /// The height of the block that it is by.
    pub height: u64,
    /// Its encoded length in bytes.
    pub bytes: usize,
    /// Its bytes, in hexadecimal digits; left out where they were not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hex: Option<String>,
}

/// The header of a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockEntry {
    /// Blocks since the genesis.
    pub height: u64,
    /// The header's hash.
    pub id: HeaderId,
    /// The header before it.
    pub prev_id: HeaderId,
    /// Protocol time.
    pub time: Timestamp,
    /// The uptime clock, in milliseconds.
    pub uptime_ms: u64,
    /// Root over its transactions.
    pub tx_root: Root,
    /// Root over its receipts.
    pub receipts_root: Root,
    /// Root of the state after it.
    pub state_root: Root,
    /// The operator that made it.
    pub proposer: NodeId,
    /// How many operators have signed it.
    pub votes: usize,
    /// Whether others sign from the next block on.
    pub hands_over: bool,
}

/// A transaction and what it moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransactionEntry {
    /// Its id.
    pub tx: TxId,
    /// Its block.
    pub height: u64,
    /// The block's time.
    pub time: Timestamp,
    /// What it asked for.
    pub operation: Operation,
    /// What it moved, in order.
    pub transfers: Vec<Transfer>,
    /// The part of that which was a fee.
    pub fee: Amount,
    /// The channel that it concerned, as it was after it.
    pub channel: Option<ChannelRecord>,
    /// That it is final.
    pub proof: ProofEntry,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountEntry {
    /// Whose.
    pub account: AccountId,
    /// What it can spend.
    pub available: Amount,
    /// What is locked in live channels that it pays from.
    pub in_channels: Amount,
    /// The live channels that it pays from or is paid by.
    pub channels: Vec<ChannelRecord>,
    /// The newest block.
    pub height: u64,
    /// Of what it can spend. None where it has nothing: that an account is absent is the operator's word.
    pub proof: Option<ProofEntry>,
}

/// A channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChannelEntry {
    /// As the ledger has it.
    pub channel: ChannelRecord,
    /// That this is so.
    pub proof: ProofEntry,
}

/// `GET /v1/ledger/{account}/audit`: an account's whole history, added up and held against proofs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountAuditEntry {
    /// Whose.
    pub account: AccountId,
    /// The block as of which it was audited.
    pub height: u64,
    /// What it can spend.
    pub available: Amount,
    /// Whether that is proved; otherwise the operator says that it has nothing, and no proof holds it to that.
    pub is_proved: bool,
    /// Movements into or out of it.
    pub movements: u64,
    /// How many of them stand in a receipt that is proved.
    pub proved: u64,
    /// How many of the rest are refunds that fell due, of channels that are proved closed and held as much.
    pub due: u64,
    /// Sum of those for which there is the operator's word alone.
    pub asserted: Amount,
    /// Sum of what came in.
    pub came_in: Amount,
    /// Sum of what went out.
    pub went_out: Amount,
    /// What does not fit, where something does not.
    pub problem: Option<String>,
}
