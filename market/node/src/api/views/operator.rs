//! Owns the JSON of the operator.
//!
//! Never computes anything.

use market::{AccountId, Amount, Timestamp};
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
    /// The sums of all money.
    pub audit: AuditView,
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
