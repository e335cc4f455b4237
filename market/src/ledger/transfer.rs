//! Owns the one primitive of the ledger, the transfer between two buckets, and the receipt that
//! lists what an operation moved.
//!
//! Never holds balances; the state does.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::channel::{ChannelRecord, ChannelState};
use crate::amount::Amount;
use crate::ids::{AccountId, ChannelId, TxId};

/// A place that money is in, or a counter that money enters and leaves the market through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bucket {
    /// What an account can spend.
    Available(AccountId),
    /// What a channel holds.
    Channel(ChannelId),
    /// Fees that were collected.
    FeePool,
    /// Money on its way into or out of the market; empty between transactions.
    Treasury,
    /// Counter of all money ever issued; only ever debited.
    Issued,
    /// Counter of all money ever redeemed; only ever credited.
    Redeemed,
    /// Counter of all money ever destroyed; only ever credited.
    Burned,
}

/// Why money moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// An account paid another.
    Transfer,
    /// The flat fee of a transfer.
    TransferFee,
    /// New money.
    Issue,
    /// Money leaving the market.
    Redeem,
    /// A deposit was locked in a channel.
    Deposit,
    /// The flat fee of opening a channel.
    OpenFee,
    /// A channel paid its payee.
    Payout,
    /// The share of a payout that is a fee.
    ChannelFee,
    /// The flat fee of a claim that came before the next free one.
    ClaimFee,
    /// What a closed channel gave back to its payer.
    Refund,
    /// The flat fee of revoking what was delegated to a node.
    RevokeFee,
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Transfer => "transfer",
            Self::TransferFee => "transfer fee",
            Self::Issue => "issue",
            Self::Redeem => "redeem",
            Self::Deposit => "channel deposit",
            Self::OpenFee => "channel opening fee",
            Self::Payout => "channel payout",
            Self::ChannelFee => "channel fee",
            Self::ClaimFee => "early claim fee",
            Self::Refund => "channel refund",
            Self::RevokeFee => "revocation fee",
        })
    }
}

/// A movement of money. Its id is the cause of its receipt and its place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Where the money left.
    pub debit: Bucket,
    /// Where it went.
    pub credit: Bucket,
    /// How much, never zero.
    pub amount: Amount,
    /// Why.
    pub code: Code,
}

/// What made the ledger move.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// A transaction.
    Transaction(TxId),
    /// A channel reached its expiry, which opened its challenge window.
    Expiry(ChannelId),
    /// A channel's challenge window ended, which closed it.
    Deadline(ChannelId),
}

/// What one cause did, as committed to by a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxReceipt {
    /// What made it happen.
    pub cause: Cause,
    /// The movements of money, in order.
    pub transfers: Vec<Transfer>,
    /// The part of them that went to the fee pool.
    pub fee: Amount,
    /// The channel as it is after this, when a channel was concerned.
    pub channel: Option<ChannelRecord>,
}

impl TxReceipt {
    /// Returns the transaction that this receipt is for, or `None` for work the block did itself.
    pub fn transaction(&self) -> Option<TxId> {
        match self.cause {
            Cause::Transaction(id) => Some(id),
            Cause::Expiry(_) | Cause::Deadline(_) => None,
        }
    }

    /// Returns the channel that this closed, whose record is then final: a trade of its class and price.
    pub fn settled(&self) -> Option<&ChannelRecord> {
        self.channel
            .as_ref()
            .filter(|channel| channel.state == ChannelState::Closed)
    }

    /// Returns the accounts whose available money this moved, each once, in order.
    pub fn accounts(&self) -> Vec<AccountId> {
        let sides = self.transfers.iter().flat_map(|t| [t.debit, t.credit]);
        let mut accounts: Vec<AccountId> = sides
            .filter_map(|bucket| match bucket {
                Bucket::Available(account) => Some(account),
                _ => None,
            })
            .collect();
        accounts.sort_unstable();
        accounts.dedup();
        accounts
    }
}
