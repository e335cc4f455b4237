//! Owns auditing one account from outside: its whole history, added up and held against proofs.
//!
//! Never believes the history itself, which is the operator's word: each movement that a transaction made must stand
//! in a receipt that is proved, what fell due by itself must have its channel proved closed, and the sum must be the
//! balance that is proved. Where there is no proof, it says so.

use std::collections::BTreeSet;

use market::ledger::{Bucket, Cause, ChannelState, Code, Key, Leaf, Transfer};
use market::{AccountId, Amount, ChannelId, TxId};

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
    /// Whether that is proved, and not the operator's word alone.
    pub is_proved: bool,
    /// Movements into or out of it.
    pub movements: u64,
    /// How many of them stand in a receipt that is proved.
    pub proved: u64,
    /// How many of the rest are refunds that fell due, of channels that are proved closed and held as much.
    pub due: u64,
    /// Sum of those for which there is the operator's word alone: their channel is not in the state any more.
    pub asserted: Amount,
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
    /// A refund is said to have fallen due that the channel, as proved, did not pay.
    #[error("channel {channel} is not proved to have paid the refund {at:?}")]
    NotDue {
        /// Which movement.
        at: HistoryCursor,
        /// The channel that the history names.
        channel: ChannelId,
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
    let is_proved = proof.is_some();
    let (height, available) = match &proof {
        Some(proof) => match &proof.leaf {
            Leaf::Account(record) => (proof.certified.header.height, record.available),
            _ => (proof.certified.header.height, Amount::ZERO),
        },
        None => (ledger.status().await?.head.header.height, Amount::ZERO),
    };
    let mut auditor = Auditor::new(ledger, account, height);
    (auditor.audit.available, auditor.audit.is_proved) = (available, is_proved);
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
    /// The transaction that was looked up last, and what of its receipt no movement stands for yet.
    current: Option<(TxId, Vec<Transfer>)>,
    /// Those of the same block before it: the movements of one follow each other, so none comes again.
    passed: BTreeSet<TxId>,
    /// Channels whose rest came back. That happens once, by a transaction or when it falls due.
    refunded: BTreeSet<ChannelId>,
    last: Option<HistoryCursor>,
    sum: Amount,
    audit: AccountAudit,
}

impl<'a> Auditor<'a> {
    fn new(ledger: &'a LedgerClient, account: AccountId, height: u64) -> Self {
        Self {
            ledger,
            current: None,
            passed: BTreeSet::new(),
            refunded: BTreeSet::new(),
            last: None,
            sum: Amount::ZERO,
            audit: AccountAudit {
                account,
                height,
                available: Amount::ZERO,
                is_proved: false,
                movements: 0,
                proved: 0,
                due: 0,
                asserted: Amount::ZERO,
                came_in: Amount::ZERO,
                went_out: Amount::ZERO,
                problem: None,
            },
        }
    }

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
        if self.last.is_none_or(|last| last.height < at.height) {
            self.passed.clear();
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

    /// Holds a movement against what can be proved of its cause; notes a problem where that is something else.
    async fn is_proved(&mut self, entry: &HistoryEntry) -> Result<bool, LedgerError> {
        let at = entry.at;
        let problem = match entry.cause {
            Cause::Transaction(tx) => match self.is_in_receipt(entry, tx).await? {
                true => None,
                false => Some(AuditProblem::NotProved { at, tx }),
            },
            Cause::Expiry(channel) | Cause::Deadline(channel) => {
                match self.fell_due(entry, channel).await? {
                    true => None,
                    false => Some(AuditProblem::NotDue { at, channel }),
                }
            }
        };
        self.audit.problem = problem;
        Ok(self.audit.problem.is_none())
    }

    /// Looks a movement up in the proved receipt of its transaction, where each stands for one of the history.
    async fn is_in_receipt(&mut self, entry: &HistoryEntry, tx: TxId) -> Result<bool, LedgerError> {
        if self.current.as_ref().is_none_or(|(of, _)| *of != tx) {
            let before = self.current.take();
            self.passed.extend(before.map(|(of, _)| of));
            if self.passed.contains(&tx) {
                return Ok(false);
            }
            let proof = self.ledger.transaction(tx).await?;
            let proved = proof.filter(|proof| proof.certified.header.height == entry.at.height);
            let transfers = proved.map_or_else(Vec::new, |proof| proof.receipt.transfers);
            self.current = Some((tx, transfers));
        }
        let transfers = self.current.as_mut().map(|(_, transfers)| transfers);
        let place = transfers.and_then(|transfers| {
            let place = transfers.iter().position(|it| *it == entry.transfer)?;
            Some(transfers.remove(place))
        });
        if place.is_none() || !self.refunds_once(&entry.transfer) {
            return Ok(false);
        }
        self.audit.proved += 1;
        Ok(true)
    }

    /// Tells whether a movement is no refund, or the first one of its channel.
    fn refunds_once(&mut self, transfer: &Transfer) -> bool {
        match (transfer.code, transfer.debit) {
            (Code::Refund, Bucket::Channel(channel)) => self.refunded.insert(channel),
            _ => true,
        }
    }

    /// Tells whether a movement can be the refund of a channel that fell due: the channel is proved closed, is this
    /// account's, held as much, and has paid no refund before.
    async fn fell_due(
        &mut self,
        entry: &HistoryEntry,
        channel: ChannelId,
    ) -> Result<bool, LedgerError> {
        let transfer = &entry.transfer;
        let is_refund = transfer.code == Code::Refund
            && transfer.debit == Bucket::Channel(channel)
            && self.refunds_once(transfer);
        if !is_refund {
            return Ok(false);
        }
        let proof = self.ledger.state_of(Key::Channel(channel)).await?;
        let Some(Leaf::Channel(record)) = proof.map(|proof| proof.leaf) else {
            add(&mut self.audit.asserted, transfer.amount);
            return Ok(true);
        };
        self.audit.due += 1;
        let rest = record.deposit.checked_sub(record.claimed);
        Ok(record.payer.account == self.audit.account
            && record.state == ChannelState::Closed
            && rest.is_some_and(|rest| transfer.amount <= rest))
    }
}

/// Adds to a sum that is only shown; one that does not fit shows as the largest amount.
fn add(sum: &mut Amount, amount: Amount) {
    let total = sum.nanocredits().saturating_add(amount.nanocredits());
    *sum = Amount::from_nanocredits(total);
}

#[cfg(test)]
mod tests;
