//! Owns what can be proved of what made a page's money move: the operation of a transaction, the sides of a channel.
//!
//! Never asks about what the movement itself says: a transfer names the other account, a deposit its channel.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};
use market::ledger::{Bucket, Cause, ChannelRecord, Code, FinalityProof, Operation, Transfer};
use market::{ChainId, ChannelId, TxId};

use crate::ledger::LedgerClient;
use crate::ledger::client::LedgerError;
use crate::ledger::protocol::HistoryEntry;

/// How many questions about one page wait for the operator at a time.
const QUESTIONS_AT_A_TIME: usize = 8;

/// By what a channel paid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PaidBy {
    /// Its opening pays the first tick.
    Opening,
    /// A voucher, while it went on.
    Claim,
    /// The payee closed it.
    Close,
    /// The payer closed it alone.
    PayerClose,
}

/// What is proved of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Proved {
    height: u64,
    transfers: Vec<Transfer>,
    paid_by: Option<PaidBy>,
    channel: Option<ChannelId>,
}

/// What is known beside the movements of a page.
#[derive(Debug, Default)]
pub(super) struct Causes {
    transactions: BTreeMap<TxId, Proved>,
    /// The channel of each transaction of the page that moved a deposit: the fee beside it does not name it.
    deposits: BTreeMap<TxId, ChannelId>,
    channels: BTreeMap<ChannelId, ChannelRecord>,
}

impl Causes {
    /// Asks the ledger about the entries of a page. What cannot be asked now stays unknown: a history without all
    /// names is worth more than none.
    ///
    /// # Errors
    /// A proof does not hold, or nothing is asked of the ledger any more.
    pub(super) async fn of(
        entries: &[HistoryEntry],
        ledger: &LedgerClient,
    ) -> Result<Self, LedgerError> {
        let mut causes = Self::among(entries);
        let chain = ledger.trusted().chain;
        let unclear = causes.unclear(entries).into_iter();
        let answers = unclear.map(|id| async move { (id, ledger.transaction(id).await) });
        let answers = stream::iter(answers).buffer_unordered(QUESTIONS_AT_A_TIME);
        for (id, answer) in answers.collect::<Vec<_>>().await {
            if let Some(proof) = unless_temporary(answer)? {
                causes.learn(id, &proof, &chain);
            }
        }
        let unknown = causes.unknown(entries).into_iter();
        let answers = stream::iter(unknown.map(|id| ledger.channel(id)))
            .buffer_unordered(QUESTIONS_AT_A_TIME);
        for answer in answers.collect::<Vec<_>>().await {
            if let Some(channel) = unless_temporary(answer)? {
                let record = channel.record;
                causes.channels.insert(record.id, record);
            }
        }
        Ok(causes)
    }

    /// Reads off what the entries say of each other.
    fn among(entries: &[HistoryEntry]) -> Self {
        let deposits = entries
            .iter()
            .filter(|entry| entry.transfer.code == Code::Deposit);
        let deposits =
            deposits.filter_map(|entry| Some((transaction(entry)?, named_channel(entry)?)));
        Self {
            deposits: deposits.collect(),
            ..Self::default()
        }
    }

    /// Returns the transactions that say what their movements do not: by what a channel paid out, and which channel
    /// the fee of an opening is of where the deposit is on another page.
    fn unclear(&self, entries: &[HistoryEntry]) -> BTreeSet<TxId> {
        let is_unclear = |entry: &&HistoryEntry| match entry.transfer.code {
            Code::Payout => true,
            Code::OpenFee => self.channel(entry).is_none(),
            _ => false,
        };
        let unclear = entries.iter().filter(is_unclear);
        unclear.filter_map(transaction).collect()
    }

    /// Returns the channels of the entries whose sides are not known yet.
    fn unknown(&self, entries: &[HistoryEntry]) -> BTreeSet<ChannelId> {
        let channels = entries.iter().filter_map(|entry| self.channel(entry));
        let unknown = channels.filter(|id| !self.channels.contains_key(id));
        unknown.collect()
    }

    /// Takes in what a transaction was and the channel that it was about.
    fn learn(&mut self, id: TxId, proof: &FinalityProof, chain: &ChainId) {
        let verified = proof.transaction.verify(chain);
        let receipt = &proof.receipt;
        let proved = Proved {
            height: proof.certified.header.height,
            transfers: receipt.transfers.clone(),
            paid_by: verified
                .ok()
                .and_then(|verified| paid_by(&verified.transaction.operation)),
            channel: receipt.channel.as_ref().map(|record| record.id),
        };
        self.transactions.insert(id, proved);
        let channel = receipt.channel.iter();
        self.channels
            .extend(channel.map(|record| (record.id, record.clone())));
    }

    /// Returns what is proved of an entry's transaction, if that made the entry: the history could name any.
    fn proved(&self, entry: &HistoryEntry) -> Option<&Proved> {
        let proved = self.transactions.get(&transaction(entry)?)?;
        let made_it =
            proved.height == entry.at.height && proved.transfers.contains(&entry.transfer);
        made_it.then_some(proved)
    }

    /// Returns by what a channel paid an entry out.
    pub(super) fn paid_by(&self, entry: &HistoryEntry) -> Option<PaidBy> {
        self.proved(entry)?.paid_by
    }

    /// Returns the channel that an entry belongs to.
    pub(super) fn channel(&self, entry: &HistoryEntry) -> Option<ChannelId> {
        let of_fee = || match entry.transfer.code {
            Code::OpenFee => {
                let beside = self.deposits.get(&transaction(entry)?).copied();
                beside.or_else(|| self.proved(entry)?.channel)
            }
            _ => None,
        };
        named_channel(entry).or_else(of_fee)
    }

    /// Returns what is proved of the channel that an entry belongs to.
    pub(super) fn record(&self, entry: &HistoryEntry) -> Option<&ChannelRecord> {
        self.channels.get(&self.channel(entry)?)
    }
}

/// Returns the transaction that made an entry; `None` where the ledger acted by itself.
pub(super) fn transaction(entry: &HistoryEntry) -> Option<TxId> {
    match entry.cause {
        Cause::Transaction(id) => Some(id),
        Cause::Expiry(_) | Cause::Deadline(_) => None,
    }
}

/// Returns the channel that an entry's money went into or came out of.
fn named_channel(entry: &HistoryEntry) -> Option<ChannelId> {
    let sides = [entry.transfer.debit, entry.transfer.credit];
    sides.into_iter().find_map(|bucket| match bucket {
        Bucket::Channel(id) => Some(id),
        _ => None,
    })
}

fn paid_by(operation: &Operation) -> Option<PaidBy> {
    match operation {
        Operation::Open { .. } => Some(PaidBy::Opening),
        Operation::Claim { .. } => Some(PaidBy::Claim),
        Operation::CoopClose { .. } => Some(PaidBy::Close),
        Operation::PayerClose { .. } => Some(PaidBy::PayerClose),
        _ => None,
    }
}

/// Makes nothing of an answer that did not come now and may come later.
fn unless_temporary<T>(answer: Result<Option<T>, LedgerError>) -> Result<Option<T>, LedgerError> {
    match answer {
        Err(error) if error.is_temporary() => {
            tracing::debug!(%error, "an entry of the history stays without its other side");
            Ok(None)
        }
        answer => answer,
    }
}
