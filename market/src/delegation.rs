//! Owns the delegation: what an account lets a machine do in its name.
//!
//! Never tracks how much of a cap is spent; the ledger does.

use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::ids::{AccountId, ChainId, NodeId};
use crate::time::Timestamp;
use crate::wire::{Payload, Signed, WireError};

/// What a delegated machine may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Sell compute: countersign agreements as payee, claim, close.
    Sell,
    /// Buy compute: open agreements as payer within the spend cap, sign vouchers, close.
    Buy,
    /// Both of the above.
    SellAndBuy,
}

impl Permission {
    /// Tells whether this permission includes `wanted`.
    pub fn includes(self, wanted: Self) -> bool {
        self == wanted || self == Self::SellAndBuy
    }
}

/// An account's signed statement that a node acts for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delegation {
    /// The account in whose name the node acts.
    pub account: AccountId,
    /// The machine that may act.
    pub node: NodeId,
    /// What it may do.
    pub permission: Permission,
    /// The most that all deposits opened under this delegation may add up to.
    pub spend_cap: Amount,
    /// When it ends, in protocol time.
    pub expires_at: Timestamp,
}

impl Payload for Delegation {
    const NAMESPACE: &'static str = "nightshift/delegation/1";
    const MAX_BYTES: usize = 128;
}

/// Why a delegation does not allow an act.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DelegationError {
    /// The bytes or the signature are wrong.
    #[error("the delegation does not verify: {0}")]
    Wire(#[from] WireError),
    /// It was not signed by the account that it names.
    #[error("the delegation names account {account} but another key signed it")]
    NotByAccount {
        /// The account named.
        account: AccountId,
    },
    /// It is for another account or another machine.
    #[error(
        "the delegation lets node {node} act for account {account}, which is not what is needed"
    )]
    OtherParties {
        /// The account named.
        account: AccountId,
        /// The machine named.
        node: NodeId,
    },
    /// It does not include this permission.
    #[error("the delegation permits {held:?}, but this needs {wanted:?}")]
    NotPermitted {
        /// What it includes.
        held: Permission,
        /// What is needed.
        wanted: Permission,
    },
    /// It has ended.
    #[error("the delegation has expired; sign a new one with the account key")]
    Expired,
}

/// Who acts for whom, and to do what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Act {
    /// The account in whose name the act is done.
    pub account: AccountId,
    /// The machine that does it.
    pub node: NodeId,
    /// The permission that it needs.
    pub wanted: Permission,
}

/// Checks that `signed` lets `act` happen at `now`, and returns what it says.
pub fn authorise(
    signed: &Signed<Delegation>,
    act: Act,
    chain: &ChainId,
    now: Timestamp,
) -> Result<Delegation, DelegationError> {
    let verified = signed.verify(chain)?;
    let delegation = verified.value;
    if verified.signer != *delegation.account.as_bytes() {
        return Err(DelegationError::NotByAccount {
            account: delegation.account,
        });
    }
    if (delegation.account, delegation.node) != (act.account, act.node) {
        return Err(DelegationError::OtherParties {
            account: delegation.account,
            node: delegation.node,
        });
    }
    if !delegation.permission.includes(act.wanted) {
        return Err(DelegationError::NotPermitted {
            held: delegation.permission,
            wanted: act.wanted,
        });
    }
    if now >= delegation.expires_at {
        return Err(DelegationError::Expired);
    }
    Ok(delegation)
}

#[cfg(test)]
mod tests;
