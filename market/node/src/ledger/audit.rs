//! Owns auditing one account from outside: its whole history, added up and held against proofs.
//!
//! Never believes the history itself, which is the operator's word: each movement that a transaction made must stand
//! in a receipt that is proved, and the sum must be the balance that is proved.

use std::collections::BTreeMap;

use market::ledger::{Bucket, Cause, Key, Leaf, Transfer};
use market::{AccountId, Amount, TxId};

use super::client::{LedgerClient, LedgerError};
use super::protocol::{
    HistoryCursor, HistoryEntry, HistoryPage, HistoryQuery, MAX_HISTORY_ENTRIES,
};

/// What an account's history comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountAudit {
    /// Whose.
    pub account: AccountId,
    /// The block as of which it was audited.
    pub height: u64,
    /// What it can spend: proved, or zero where the operator says that it holds nothing.
    pub available: Amount,
    /// Movements into or out of it.
    pub movements: u64,
    /// How many of them stand in a receipt that is proved. The rest fell due by itself, for which there is no proof.
    pub proved: u64,
    /// Sum of what came in.
    pub came_in: Amount,
    /// Sum of what went out.
    pub went_out: Amount,
    /// What does not fit, where something does not; the rest was not looked at then.
    pub problem: Option<AuditProblem>,
}

/// What does not fit in an account's history.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuditProblem {
    /// A movement comes before one that it should follow.
    #[error("the movement {at:?} comes after a later one")]
    Order {
        /// Which.
        at: HistoryCursor,
    },
    /// A movement is of other accounts.
    #[error("the movement {at:?} is not one of this account")]
    Stranger {
        /// Which.
        at: HistoryCursor,
    },
    /// The balances do not follow from each other.
    #[error(
        "after the movement {at:?} the history says {said}, and the movements add up to {sum:?}"
    )]
    Balance {
        /// Which.
        at: HistoryCursor,
        /// What the history says.
        said: Amount,
        /// What the movements add up to; none for a sum below zero, or above all the money that there can be.
        sum: Option<Amount>,
    },
    /// A transaction is not final, or did not move this.
    #[error("transaction {tx} is not proved to have made the movement {at:?}")]
    NotProved {
        /// Which movement.
        at: HistoryCursor,
        /// The transaction that the history names.
        tx: TxId,
    },
    /// The whole history does not come to what is proved.
    #[error("the history comes to {sum}, and {proved} is proved as of block {height}")]
    Sum {
        /// The block.
        height: u64,
        /// What the history comes to.
        sum: Amount,
        /// What is proved.
        proved: Amount,
    },
}

/// Audits an account as of the newest block. Asks the operator once for each page of 256 movements, and once for each
/// transaction.
///
/// # Errors
/// The operator cannot be asked, or a proof does not hold.
pub async fn audit(ledger: &LedgerClient, account: AccountId) -> Result<AccountAudit, LedgerError> {
    let proof = ledger.state_of(Key::Account(account)).await?;
    let (height, available) = match &proof {
        Some(proof) => match &proof.leaf {
            Leaf::Account(record) => (proof.certified.header.height, record.available),
            _ => (proof.certified.header.height, Amount::ZERO),
        },
        None => (ledger.status().await?.head.header.height, Amount::ZERO),
    };
    let mut auditor = Auditor {
        ledger,
        receipts: BTreeMap::new(),
        last: None,
        sum: Amount::ZERO,
        audit: AccountAudit {
            account,
            height,
            available,
            movements: 0,
            proved: 0,
            came_in: Amount::ZERO,
            went_out: Amount::ZERO,
            problem: None,
        },
    };
    auditor.read_all().await?;
    let mut audit = auditor.audit;
    if audit.problem.is_none() && auditor.sum != available {
        audit.problem = Some(AuditProblem::Sum {
            height,
            sum: auditor.sum,
            proved: available,
        });
    }
    Ok(audit)
}

struct Auditor<'a> {
    ledger: &'a LedgerClient,
    /// The movements of the transaction that was looked up last: those of one follow each other.
    receipts: BTreeMap<TxId, Vec<Transfer>>,
    last: Option<HistoryCursor>,
    sum: Amount,
    audit: AccountAudit,
}

impl Auditor<'_> {
    /// Reads page after page, up to the block as of which is audited.
    async fn read_all(&mut self) -> Result<(), LedgerError> {
        loop {
            let page = self.ledger.history(HistoryQuery {
                account: self.audit.account,
                page: HistoryPage::After(self.last),
                limit: MAX_HISTORY_ENTRIES,
            });
            let page = page.await?;
            let is_last = page.len() < usize::from(MAX_HISTORY_ENTRIES);
            for entry in page {
                if entry.at.height > self.audit.height {
                    return Ok(());
                }
                if let Err(problem) = self.enter(&entry) {
                    self.audit.problem = Some(problem);
                    return Ok(());
                }
                if !self.is_proved(&entry).await? {
                    return Ok(());
                }
            }
            if is_last {
                return Ok(());
            }
        }
    }

    /// Adds a movement up.
    fn enter(&mut self, entry: &HistoryEntry) -> Result<(), AuditProblem> {
        let at = entry.at;
        if self.last.is_some_and(|last| at <= last) {
            return Err(AuditProblem::Order { at });
        }
        self.last = Some(at);
        let Transfer {
            debit,
            credit,
            amount,
            ..
        } = entry.transfer;
        let own = Bucket::Available(self.audit.account);
        let audit = &mut self.audit;
        let sum = if credit == own {
            add(&mut audit.came_in, amount);
            self.sum.checked_add(amount)
        } else if debit == own {
            add(&mut audit.went_out, amount);
            self.sum.checked_sub(amount)
        } else {
            return Err(AuditProblem::Stranger { at });
        };
        let said = entry.balance;
        match sum {
            Some(sum) if sum == said => {
                self.sum = sum;
                audit.movements += 1;
                Ok(())
            }
            sum => Err(AuditProblem::Balance { at, said, sum }),
        }
    }

    /// Looks a movement up in the proved receipt of its transaction; notes a problem where it is not there.
    async fn is_proved(&mut self, entry: &HistoryEntry) -> Result<bool, LedgerError> {
        let Cause::Transaction(tx) = entry.cause else {
            return Ok(true);
        };
        if !self.receipts.contains_key(&tx) {
            let proof = self.ledger.transaction(tx).await?;
            let proved = proof.filter(|proof| proof.certified.header.height == entry.at.height);
            let transfers = proved.map_or_else(Vec::new, |proof| proof.receipt.transfers);
            self.receipts = BTreeMap::from([(tx, transfers)]);
        }
        // Each proved movement stands for one of the history.
        let transfers = self.receipts.entry(tx).or_default();
        match transfers.iter().position(|it| *it == entry.transfer) {
            Some(place) => {
                transfers.remove(place);
                self.audit.proved += 1;
                Ok(true)
            }
            None => {
                let at = entry.at;
                self.audit.problem = Some(AuditProblem::NotProved { at, tx });
                Ok(false)
            }
        }
    }
}

/// Adds to a sum that is only shown; one that does not fit shows as the largest amount.
fn add(sum: &mut Amount, amount: Amount) {
    let total = sum.nanocredits().saturating_add(amount.nanocredits());
    *sum = Amount::from_nanocredits(total);
}

#[cfg(test)]
mod tests;
