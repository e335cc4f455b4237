//! Owns the JSON of the operator.
//!
//! Never computes anything.

use std::collections::BTreeMap;

use market::{AccountId, Amount, NodeId, Timestamp, TxId};
use serde::{Deserialize, Serialize};

/// `POST /v1/operator/issue`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueRequest {
    /// To whom.
    pub to: AccountId,
    /// How much.
    pub amount: Amount,
}

/// `GET /v1/operator/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorView {
    /// What newcomers join with.
    pub join: String,
    /// Newest block.
    pub height: u64,
    /// Its time.
    pub time: Timestamp,
    /// Connected peers.
    pub peers: usize,
    /// Who signs the next block.
    pub operators: Vec<NodeId>,
    /// The first block that they sign.
    pub operators_since: u64,
    /// The newest blocks, newest first.
    #[serde(default)]
    pub last_blocks: Vec<BlockSummary>,
    /// Transactions that became final since the operator's start.
    #[serde(default)]
    pub finals: u64,
    /// Transactions that were refused or not looked at since its start, by the rule or the reason.
    #[serde(default)]
    pub refused: BTreeMap<String, u64>,
    /// The sums of all money.
    pub audit: AuditView,
}

/// A block in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockSummary {
    /// Its height.
    pub height: u64,
    /// Its time.
    pub time: Timestamp,
    /// How many transactions it holds.
    pub transactions: usize,
}

/// `POST /v1/operator/rotate-key`: the answer, once the change is final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotatedView {
    /// The key that signed blocks before.
    pub previous: NodeId,
    /// The key that signs them now.
    pub operator: NodeId,
    /// The first block that it signs.
    pub since: u64,
    /// The transaction that handed over.
    pub tx: TxId,
}

/// The sums of all money; `available + channels + fees = issued - redeemed - burned`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditView {
    /// Spendable in accounts.
    pub available: Amount,
    /// Locked in channels.
    pub channels: Amount,
    /// In the fee pool.
    pub fees: Amount,
    /// Issued ever.
    pub issued: Amount,
    /// Redeemed ever.
    pub redeemed: Amount,
    /// Burned ever.
    pub burned: Amount,
    /// Whether the equation holds.
    pub conserved: bool,
}
