//! Owns the journal: every movement of money in the order of the ledger, with what both of its sides hold after it.
//!
//! Never decides what is allowed; it adds up what blocks say, beside the state and without it.

use std::collections::BTreeMap;

use super::block::Block;
use super::leaf::Leaf;
use super::state::State;
use super::transaction::{Memo, Operation};
use super::transfer::{Bucket, Cause, Code, Transfer};
use crate::amount::Amount;

/// One movement of money in a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Movement {
    /// What made it happen.
    pub cause: Cause,
    /// What moved from where to where, and why.
    pub transfer: Transfer,
    /// The note of the transaction, where it has one.
    pub memo: Option<Memo>,
}

/// A movement, and what both of its sides hold after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// What moved.
    pub movement: Movement,
    /// What the side holds that the money left. For [`Bucket::Issued`] all that was ever issued.
    pub debit_balance: Amount,
    /// What the side holds that the money went to. For the counters of what left the market, all that ever did.
    pub credit_balance: Amount,
}

/// A movement that the entries before it do not allow: the ledger's own rules were broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{bucket:?} holds {balance}, and {amount} is to {direction} it")]
pub struct JournalError {
    /// Which side.
    pub bucket: Bucket,
    /// What it holds.
    pub balance: Amount,
    /// What was to move.
    pub amount: Amount,
    /// `leave` or `enter`.
    pub direction: &'static str,
}

/// What every bucket holds, by the movements so far alone.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    balances: BTreeMap<Bucket, Amount>,
}

impl Journal {
    /// Adds a movement and returns it with both balances.
    ///
    /// # Errors
    /// A side does not hold enough, or more than there can be; the journal is as before then.
    pub fn enter(&mut self, movement: Movement) -> Result<JournalEntry, JournalError> {
        let Transfer {
            debit,
            credit,
            amount,
            ..
        } = movement.transfer;
        let held = self.balance(debit);
        let debited = match debit {
            // A counter, which rises with what comes in.
            Bucket::Issued => held.checked_add(amount),
            _ => held.checked_sub(amount),
        };
        let error = |bucket, balance, direction| JournalError {
            bucket,
            balance,
            amount,
            direction,
        };
        let debit_balance = debited.ok_or_else(|| error(debit, held, "leave"))?;
        self.keep(debit, debit_balance);
        let holds = self.balance(credit);
        let Some(credit_balance) = holds.checked_add(amount) else {
            self.keep(debit, held);
            return Err(error(credit, holds, "enter"));
        };
        self.keep(credit, credit_balance);
        Ok(JournalEntry {
            movement,
            debit_balance,
            credit_balance,
        })
    }

    fn keep(&mut self, bucket: Bucket, balance: Amount) {
        match balance {
            Amount::ZERO => self.balances.remove(&bucket),
            balance => self.balances.insert(bucket, balance),
        };
    }

    /// Tells whether the movements add up to what a state holds, bucket for bucket.
    pub fn agrees_with(&self, state: &State) -> bool {
        let supply = state.supply();
        let sums = [
            (Bucket::FeePool, supply.fee_pool),
            (Bucket::Treasury, supply.treasury),
            (Bucket::Issued, supply.issued),
            (Bucket::Redeemed, supply.redeemed),
            (Bucket::Burned, supply.burned),
        ];
        let held = state.leaves().filter_map(|leaf| match leaf {
            Leaf::Account(account) => Some((Bucket::Available(account.id), account.available)),
            Leaf::Channel(channel) => Some((Bucket::Channel(channel.id), channel.balance)),
            _ => None,
        });
        let held = sums.into_iter().chain(held);
        let held = held.filter(|(_, balance)| *balance != Amount::ZERO);
        let held: BTreeMap<Bucket, Amount> = held.collect();
        held == self.balances
    }

    /// Returns what a bucket holds.
    pub fn balance(&self, bucket: Bucket) -> Amount {
        self.balances.get(&bucket).copied().unwrap_or_default()
    }
}

impl Block {
    /// Returns every movement of money in the block, in order. The seals of its transactions are not looked at again:
    /// whoever executed or replayed the block has done that.
    pub fn movements(&self) -> impl Iterator<Item = Movement> + '_ {
        // What fell due comes before the transactions.
        let due = self.receipts.len().saturating_sub(self.transactions.len());
        let receipts = self.receipts.iter().enumerate();
        receipts.flat_map(move |(index, receipt)| {
            // Only transfers have notes.
            let is_transfer = receipt.transfers.iter().any(|t| t.code == Code::Transfer);
            let memo = index
                .checked_sub(due)
                .filter(|_| is_transfer)
                .and_then(|index| self.memo(index));
            receipt.transfers.iter().map(move |transfer| Movement {
                cause: receipt.cause,
                transfer: *transfer,
                memo: memo.clone().filter(|_| transfer.code == Code::Transfer),
            })
        })
    }

    /// Returns the note of a transaction, where it has one.
    fn memo(&self, index: usize) -> Option<Memo> {
        match self.transactions.get(index)?.claimed().ok()?.operation {
            Operation::Transfer { memo, .. } if memo != Memo::default() => Some(memo),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
