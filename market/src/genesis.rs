//! Owns the genesis: the few facts that make one market different from every other.
//!
//! Never changes after `operator init`; its hash is the chain id.

use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::ids::{AccountId, ChainId, NodeId};
use crate::time::Timestamp;
use crate::wire;

/// The flat fees of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fees {
    /// Paid by the sender of a transfer.
    pub transfer: Amount,
    /// Paid by the payer of a channel when it opens.
    pub open: Amount,
    /// Share of what a channel pays out that goes to the fee pool, in 1/10^4; 0 to 10,000.
    pub channel_bps: u16,
}

/// The founding facts of a market.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// Version of this form; 1.
    pub version: u16,
    /// A name for people, at most 64 bytes, for example `nightshift-demo`.
    pub name: String,
    /// Protocol time of block 0.
    pub time: Timestamp,
    /// The operators that order transactions at the start; exactly one for now.
    pub operators: Vec<NodeId>,
    /// The keys that may change supply.
    pub treasury: Vec<AccountId>,
    /// How many treasury keys must sign a change of supply; 1 to the number of keys.
    pub treasury_threshold: u16,
    /// The most that may be issued in one epoch of 24 h on the uptime clock.
    pub issue_cap_per_epoch: Amount,
    /// The least that an account may hold to exist.
    pub minimum_balance: Amount,
    /// The fees.
    pub fees: Fees,
    /// How long a closing channel can still be claimed, in milliseconds on the uptime clock.
    pub challenge_ms: u64,
    /// Whether anyone may post asks without a listing certificate (small private markets).
    pub open_posting: bool,
}

/// Why a genesis is not one that a market can start from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GenesisError {
    /// The version is not known.
    #[error("genesis version {0} is not known to this program; install the release that made it")]
    Version(u16),
    /// The name is empty or too long.
    #[error("a market's name has 1 to 64 bytes, this one has {0}")]
    Name(usize),
    /// Not exactly one operator.
    #[error("a market starts with exactly one operator, this genesis names {0}")]
    Operators(usize),
    /// The threshold cannot be met or is zero.
    #[error("{threshold} of {keys} treasury keys can never be met")]
    Treasury {
        /// Signatures wanted.
        threshold: u16,
        /// Keys named.
        keys: usize,
    },
    /// A share above the whole.
    #[error("a channel fee of {0} / 10000 is more than the whole")]
    ChannelFee(u16),
}

impl Genesis {
    /// Returns BLAKE3 of the domain `nightshift/genesis/1` and the canonical bytes.
    pub fn chain_id(&self) -> ChainId {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"nightshift/genesis/1\0");
        hasher.update(&wire::encode(self));
        ChainId::from_bytes(*hasher.finalize().as_bytes())
    }

    /// Checks the ranges that the fields state.
    pub fn validate(&self) -> Result<(), GenesisError> {
        if self.version != 1 {
            return Err(GenesisError::Version(self.version));
        }
        if self.name.is_empty() || self.name.len() > 64 {
            return Err(GenesisError::Name(self.name.len()));
        }
        if self.operators.len() != 1 {
            return Err(GenesisError::Operators(self.operators.len()));
        }
        let threshold = self.treasury_threshold;
        if threshold == 0 || usize::from(threshold) > self.treasury.len() {
            return Err(GenesisError::Treasury {
                threshold,
                keys: self.treasury.len(),
            });
        }
        if self.fees.channel_bps > 10_000 {
            return Err(GenesisError::ChannelFee(self.fees.channel_bps));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
