//! Owns the JSON of what an account has delegated.
//!
//! Never computes anything.

use market::delegation::Permission;
use market::{AccountId, Amount, NodeId, Timestamp};
use serde::{Deserialize, Serialize};

/// `GET /v1/wallet/delegations`: what this node can know of the account's delegations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelegationsView {
    /// Whose.
    pub account: AccountId,
    /// Protocol time, which delegations end by.
    pub time: Timestamp,
    /// This node's own first, then those that were met on the ledger, newest first.
    pub delegations: Vec<DelegationRow>,
    /// How many transactions of the account were looked through.
    pub looked_through: usize,
    /// Whether there are older ones, which were not.
    pub has_older: bool,
}

/// A delegation, or a node that was revoked and whose delegation was never met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DelegationRow {
    /// The node.
    pub node: NodeId,
    /// Whether it is this home's node.
    pub own: bool,
    /// What the node may do and until when, where a delegation is known.
    pub held: Option<HeldView>,
    /// The latest end of a delegation to this node that is revoked.
    pub revoked_until: Option<Timestamp>,
    /// Whether that takes in this one.
    pub revoked: bool,
}

/// What a delegation says, and what was opened under it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldView {
    /// What the node may do.
    pub permission: Permission,
    /// The most that deposits under it may add up to.
    pub spend_cap: Amount,
    /// What they add up to.
    pub spent: Amount,
    /// When it ends, in protocol time.
    pub expires_at: Timestamp,
}
