//! Owns the leaves of the state: each fact that execution depends on, under one key.
//!
//! Never holds a fact twice: what can be derived from leaves (schedules, sums) is not a leaf.

use serde::{Deserialize, Serialize};

use super::channel::{ChannelRecord, ChannelState};
use super::tree::{self, Hash};
use crate::amount::Amount;
use crate::ids::{AccountId, ChannelId, NodeId, TxId};
use crate::time::Timestamp;
use crate::wire;

/// What a leaf is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Key {
    /// The supply and the fee pool.
    Supply,
    /// An account.
    Account(AccountId),
    /// A channel.
    Channel(ChannelId),
    /// A nonce that a payer used.
    PayerNonce(AccountId, u64),
    /// A transaction that was applied.
    Applied(TxId),
    /// A delegation, by BLAKE3 of its signed bytes.
    Delegation([u8; 32]),
    /// The operators, where they are not those of the genesis.
    Operators,
    /// What an account has revoked of one node, by [`Key::revocation`].
    Revocation([u8; 32]),
}

impl Key {
    /// Returns the key of what `account` has revoked of `node`: BLAKE3 of a domain and both. A hash, because this
    /// type is copied for every leaf there is and two ids would make it half as large again.
    pub fn revocation(account: &AccountId, node: &NodeId) -> Self {
        let parties = [*account.as_bytes(), *node.as_bytes()].concat();
        Self::Revocation(tree::hash("nightshift/revocation/1", &parties))
    }

    /// Returns the place of this key in the state tree: BLAKE3 of a domain and the encoded key.
    pub(super) fn place(&self) -> Hash {
        tree::hash("nightshift/state-key/1", &wire::encode(self))
    }
}

/// An account that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRecord {
    /// The account.
    pub id: AccountId,
    /// What it can spend; above zero.
    pub available: Amount,
}

/// Money of the market as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Supply {
    /// All that was ever issued.
    pub issued: Amount,
    /// All that was ever redeemed.
    pub redeemed: Amount,
    /// All that was ever destroyed.
    pub burned: Amount,
    /// Fees that were collected.
    pub fee_pool: Amount,
    /// Money on its way in or out; zero between transactions.
    pub treasury: Amount,
    /// The epoch of 24 h on the uptime clock that the next figure is about.
    pub epoch: u64,
    /// What was issued in that epoch.
    pub issued_in_epoch: Amount,
}

impl Supply {
    /// Returns `issued - redeemed - burned`, or `None` if that could not be.
    pub fn outstanding(&self) -> Option<Amount> {
        self.issued
            .checked_sub(self.redeemed)?
            .checked_sub(self.burned)
    }
}

/// One fact of the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leaf {
    /// The supply and the fee pool; always there.
    Supply(Supply),
    /// An account with money.
    Account(AccountRecord),
    /// A channel, kept when closed. In a box, since it is several times as large as the others, which are many more.
    Channel(Box<ChannelRecord>),
    /// A nonce of a payer, kept for ever.
    PayerNonce {
        /// The payer.
        payer: AccountId,
        /// The nonce.
        nonce: u64,
        /// What it opened.
        channel: ChannelId,
    },
    /// A transaction's id, kept while it could be submitted again.
    Applied {
        /// The transaction.
        id: TxId,
        /// The last height at which it is valid.
        valid_until_height: u64,
    },
    /// What was spent under a delegation, kept until it expires.
    Delegation {
        /// BLAKE3 of the delegation's signed bytes.
        id: [u8; 32],
        /// The sum of the deposits opened under it.
        spent: Amount,
        /// When the delegation ends.
        expires_at: Timestamp,
    },
    /// The operators, from their first change on; before it they are those of the genesis.
    Operators {
        /// The first height that they sign.
        since: u64,
        /// The operators, in the order that the validators hash has them.
        operators: Vec<NodeId>,
    },
    /// What an account has revoked of one node: every delegation that ends by `until`. Kept until then, when the
    /// last of those has ended by itself.
    Revocation {
        /// The account that delegated.
        account: AccountId,
        /// The node that it delegated to.
        node: NodeId,
        /// The latest end of a delegation that this revokes.
        until: Timestamp,
    },
}

/// When block execution must look at a leaf by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Due {
    /// From this height on.
    Height(u64),
    /// From this time on, in milliseconds on the uptime clock.
    Uptime(u64),
    /// From this protocol time on.
    Time(Timestamp),
}

impl Leaf {
    /// Returns the key of this leaf.
    pub fn key(&self) -> Key {
        match self {
            Self::Supply(_) => Key::Supply,
            Self::Account(account) => Key::Account(account.id),
            Self::Channel(channel) => Key::Channel(channel.id),
            Self::PayerNonce { payer, nonce, .. } => Key::PayerNonce(*payer, *nonce),
            Self::Applied { id, .. } => Key::Applied(*id),
            Self::Delegation { id, .. } => Key::Delegation(*id),
            Self::Operators { .. } => Key::Operators,
            Self::Revocation { account, node, .. } => Key::revocation(account, node),
        }
    }

    /// Returns the hash of the whole leaf, which the state tree holds at the key's place.
    pub(super) fn hash(&self) -> Hash {
        tree::hash("nightshift/state-leaf/1", &wire::encode(self))
    }

    /// Returns up to which end delegations are revoked, if this leaf says that.
    pub fn revoked_until(&self) -> Option<Timestamp> {
        match self {
            Self::Revocation { until, .. } => Some(*until),
            _ => None,
        }
    }

    /// Returns what this leaf adds to the conservation of money: what it holds, less what the supply
    /// says was issued and not taken out again. The weights of a whole state add up to zero.
    pub(super) fn weight(&self) -> i128 {
        let of = |amount: Amount| i128::from(amount.nanocredits());
        match self {
            Self::Account(account) => of(account.available),
            Self::Channel(channel) => of(channel.balance),
            Self::Supply(supply) => {
                let held = [supply.fee_pool, supply.treasury];
                let gone = [supply.redeemed, supply.burned];
                let counted: i128 = held.into_iter().chain(gone).map(of).sum();
                counted.saturating_sub(of(supply.issued))
            }
            Self::PayerNonce { .. }
            | Self::Applied { .. }
            | Self::Delegation { .. }
            | Self::Operators { .. }
            | Self::Revocation { .. } => 0,
        }
    }

    /// Returns when block execution must look at this leaf, if ever.
    pub(super) fn due(&self) -> Option<Due> {
        match self {
            Self::Channel(channel) => match channel.state {
                ChannelState::Open => Some(Due::Time(channel.expires_at)),
                ChannelState::Closing { deadline_ms } => Some(Due::Uptime(deadline_ms)),
                ChannelState::Closed => None,
            },
            Self::Applied {
                valid_until_height, ..
            } => Some(Due::Height(valid_until_height.saturating_add(1))),
            Self::Delegation { expires_at, .. } => Some(Due::Time(*expires_at)),
            Self::Revocation { until, .. } => Some(Due::Time(*until)),
            Self::Supply(_)
            | Self::Account(_)
            | Self::PayerNonce { .. }
            | Self::Operators { .. } => None,
        }
    }
}
