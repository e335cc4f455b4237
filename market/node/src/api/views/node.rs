//! Owns the JSON of what a node says of itself.
//!
//! Never computes anything.

use market::{AccountId, Amount, ChainId, NodeId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{BestPrice, BidView, JobView, ProviderView};

/// `GET /v1/status`: the node at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StatusView {
    /// Version of the program.
    pub version: String,
    /// Name of the market.
    pub market: String,
    /// Its chain id.
    pub chain: ChainId,
    /// The account in whose name this node deals.
    pub account: AccountId,
    /// This machine.
    pub node: NodeId,
    /// Connected peers.
    pub peers: usize,
    /// Height of the newest verified block.
    pub height: Option<u64>,
    /// Protocol time, where a block was verified.
    pub protocol_time: Option<Timestamp>,
    /// Whether the operator answered last time it was asked.
    pub operator_reachable: bool,
    /// Standing offers in this node's copy of the book.
    pub offers: usize,
    /// The account's money, as last verified.
    pub balance: Option<BalanceView>,
    /// Selling, where this node sells.
    pub provider: Option<ProviderView>,
    /// Jobs that this node bought and that are not over, or whose refund is on its way.
    pub jobs: Vec<JobView>,
    /// Bids of this node that stand.
    #[serde(default)]
    pub bids: Vec<BidView>,
    /// What a person should know now, a line each; empty while all is well.
    pub notes: Vec<String>,
    /// Whether the account has taken this node's delegation back, and what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked: Option<String>,
    /// The best offers, one a class.
    pub best_prices: Vec<BestPrice>,
}

/// An account's money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BalanceView {
    /// Whose.
    pub account: AccountId,
    /// What can be spent.
    pub available: Amount,
    /// What is locked in channels that this account pays from.
    pub in_channels: Amount,
    /// Both together.
    pub total: Amount,
    /// Height of the block that proves it.
    pub height: u64,
    /// Where the operator cannot be reached: how many seconds old this is by protocol time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_s: Option<u64>,
}
