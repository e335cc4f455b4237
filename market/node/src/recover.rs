//! Owns what a node does after a restart with the channels that an earlier run left open: what it buys can go on,
//! what was promised to it is claimed, and what it locked for nothing comes back.
//!
//! Never touches a channel of a lease that runs: what it settles was on disk before anything was bought, or was
//! found on the ledger while nothing was being sold.
//!
//! ```text
//!  Leftovers::read ──► take_jobs ──► Purchase::resume ──► the buyer's lease goes on
//!                  │             └─► end_job ──► closed and noted
//!                  ├─► take_openings ──► the buyer's run finds out whether one became an agreement
//!                  └─► settle ──► the rest: closed, claimed, noted
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use market::agreement::Terms;
use market::lease::{Lease, PayerRecord, Phase, ResumeError};
use market::ledger::{ChannelRecord, ChannelState, Operation, SignedTransaction};
use market::receipt::Outcome;
use market::voucher::Voucher;
use market::{AgreementId, BlobHash, ChannelId, Signed, TxId, wire};
use tokio::task::JoinSet;

use crate::api::{JobView, RunId};
use crate::ledger::LedgerClient;
use crate::ledger::client::LedgerError;
use crate::node::Node;
use crate::settle::settle;
use crate::store::{Direction, RecordKind, StoreError};

/// The most bytes of a job's record.
pub(crate) const MAX_JOB_BYTES: usize = 16 << 10;

/// Pauses between questions to the ledger; they double up to the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A lease that this node pays for and that an earlier run did not bring to its end.
#[derive(Debug, Clone)]
pub struct Purchase {
    /// Where it stood.
    pub record: PayerRecord,
    /// The newest voucher that was signed.
    pub voucher: Option<Signed<Voucher>>,
}

impl Purchase {
    /// Returns the agreement.
    pub fn agreement(&self, node: &Node) -> AgreementId {
        self.record.terms.id(&node.chain())
    }

    /// Makes the lease anew, once an operator has said what time it is; give it to [`crate::lease::spawn`],
    /// which lets it go on at once.
    ///
    /// # Errors
    /// Disk and keys do not fit together; [`end_job`] settles it then.
    pub async fn resume(self, node: &Node) -> Result<Lease, ResumeError> {
        let now = loop {
            // By a clock that stands at an old block, or at none, the other side's patience cannot be counted.
            match node.ledger.status().await {
                Ok(_) if let Some(now) = node.clock.now() => break now,
                _ => tokio::time::sleep(FIRST_PAUSE).await,
            }
        };
        let key = node.identity.node_key.clone();
        let lease = Lease::resume(self.record, self.voucher, node.chain(), key, now)?;
        Ok(lease.with_timing(node.lease_timing()))
    }
}

/// What an earlier run of this node left behind.
#[derive(Debug)]
pub struct Leftovers {
    purchases: Vec<Purchase>,
    jobs: Vec<JobView>,
    submissions: Vec<SignedTransaction>,
    /// The runs for which submissions were sent.
    runs: BTreeMap<TxId, RunId>,
    /// Purchases whose record is damaged.
    damaged: BTreeSet<AgreementId>,
}

impl Leftovers {
    /// Reads what the disk says; to be called before this run of the node buys or sells anything.
    ///
    /// # Errors
    /// The store fails.
    pub fn read(node: &Node) -> Result<Self, StoreError> {
        sweep_work(node);
        let (purchases, damaged) = read_purchases(node)?;
        let (records, _) = node.store.whole_records(RecordKind::Job)?;
        let jobs = records
            .into_iter()
            .filter_map(|(_, bytes)| wire::decode::<JobView>(&bytes, MAX_JOB_BYTES).ok())
            .filter(|job| job.phase != Phase::Ended)
            .collect();
        let (records, _) = node.store.whole_records(RecordKind::Submission)?;
        let submissions = records
            .into_iter()
            .filter_map(|(_, bytes)| wire::decode(&bytes, SignedTransaction::MAX_BYTES).ok())
            .collect();
        let (records, _) = node.store.whole_records(RecordKind::Opening)?;
        let runs = records.into_iter().filter_map(|(id, run)| {
            let id = TxId::from_bytes(id.try_into().ok()?);
            Some((id, RunId::from_bytes(run.try_into().ok()?)))
        });
        Ok(Self {
            purchases,
            jobs,
            submissions,
            runs: runs.collect(),
            damaged,
        })
    }

    /// Takes out the openings that were sent for a run and whose fate is not known: whoever takes one finds it
    /// out, or leaves it to [`watch_opening`].
    pub fn take_openings(&mut self, node: &Node) -> Vec<(RunId, SignedTransaction)> {
        let (chain, mut openings) = (node.chain(), Vec::new());
        for submission in std::mem::take(&mut self.submissions) {
            match self.runs.get(&submission.id(&chain)) {
                Some(run) => openings.push((*run, submission)),
                None => self.submissions.push(submission),
            }
        }
        openings
    }

    /// Returns the outputs that the purchases which go on have yet to bring in, or have begun to.
    pub fn wanted_blobs(&self) -> BTreeSet<BlobHash> {
        let purchases = self.purchases.iter();
        let artefacts = purchases.flat_map(|purchase| &purchase.record.artefacts);
        artefacts.map(|artefact| artefact.hash).collect()
    }

    /// Takes out the jobs that are not over, each with its purchase where one is on disk, so that they can go
    /// on: whoever takes a job resumes its purchase or has it ended with [`end_job`].
    pub fn take_jobs(&mut self, node: &Node) -> Vec<(JobView, Option<Purchase>)> {
        let jobs = std::mem::take(&mut self.jobs).into_iter();
        jobs.map(|job| {
            let is_its = |purchase: &Purchase| purchase.agreement(node) == job.agreement;
            let position = self.purchases.iter().position(is_its);
            let purchase = position.map(|position| self.purchases.swap_remove(position));
            (job, purchase)
        })
        .collect()
    }

    /// Settles everything that was not taken, with as many pauses as the ledger needs, and returns when all is
    /// settled. `is_selling` tells whether this node sells or is about to.
    pub async fn settle<F, Answer>(self, node: Node, is_selling: F)
    where
        F: Fn() -> Answer,
        Answer: Future<Output = bool>,
    {
        let mut tasks = JoinSet::new();
        for purchase in self.purchases {
            let node = node.clone();
            tasks.spawn(async move {
                close_purchase(&node, purchase).await;
            });
        }
        if !self.damaged.is_empty() {
            let node = node.clone();
            tasks.spawn(async move { close_damaged(&node, self.damaged).await });
        }
        for job in self.jobs {
            let node = node.clone();
            tasks.spawn(async move {
                end_job(&node, job).await;
            });
        }
        for submission in self.submissions {
            let node = node.clone();
            tasks.spawn(async move { watch_opening(&node, &submission).await });
        }
        for channel in sold_channels(&node, is_selling).await {
            let node = node.clone();
            tasks.spawn(async move { claim(&node, channel.id).await });
        }
        while tasks.join_next().await.is_some() {}
    }
}

/// Reads the purchases with their newest vouchers, and names those whose record is damaged.
fn read_purchases(node: &Node) -> Result<(Vec<Purchase>, BTreeSet<AgreementId>), StoreError> {
    let (records, unreadable) = node.store.whole_records(RecordKind::Purchase)?;
    let mut damaged: BTreeSet<AgreementId> = unreadable.iter().filter_map(agreement_of).collect();
    let mut purchases = Vec::new();
    for (id, bytes) in records {
        let Ok(record) = wire::decode::<PayerRecord>(&bytes, PayerRecord::MAX_BYTES) else {
            damaged.extend(agreement_of(&id));
            continue;
        };
        let channel = record.terms.channel_id(&node.chain());
        let voucher = node.store.latest_voucher(Direction::Sent, channel)?;
        purchases.push(Purchase { record, voucher });
    }
    for agreement in &damaged {
        tracing::error!(%agreement, "the record of a purchase is damaged; its channel is closed");
    }
    Ok((purchases, damaged))
}

fn agreement_of(id: &Vec<u8>) -> Option<AgreementId> {
    let id = <[u8; 32]>::try_from(id.as_slice()).ok()?;
    Some(AgreementId::from_bytes(id))
}

/// Closes the channels of purchases whose record is damaged, as far as the ledger has them open, and forgets
/// the records.
async fn close_damaged(node: &Node, damaged: BTreeSet<AgreementId>) {
    let mut pause = FIRST_PAUSE;
    let found = loop {
        match node.ledger.account(node.identity.account).await {
            Ok(found) => break found,
            Err(error) => tracing::debug!(%error, "the ledger is asked again"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    };
    let me = node.identity.node();
    let ours = |channel: &ChannelRecord| channel.payer.node == me;
    let mut closing = JoinSet::new();
    for channel in found.channels.into_iter().filter(ours) {
        if damaged.contains(&channel.agreement) {
            let node = node.clone();
            closing.spawn(async move {
                close_bought(&node, channel.id).await;
                forget_purchase(&node, channel.agreement).await;
            });
        }
    }
    while closing.join_next().await.is_some() {}
    for agreement in damaged {
        forget_purchase(node, agreement).await;
    }
}

/// Removes the unfinished files of an earlier run: nothing of this run writes any yet.
fn sweep_work(node: &Node) {
    let Ok(folder) = node.home.folder("work") else {
        return; // Whoever needs the folder says what is wrong with it.
    };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let removed = match entry.file_type() {
            Ok(kind) if kind.is_dir() => std::fs::remove_dir_all(&path),
            _ => std::fs::remove_file(&path),
        };
        if let Err(error) = removed {
            tracing::warn!(path = %path.display(), %error, "an unfinished file of an earlier run stays");
        }
    }
}

/// Closes what a purchase locked, waits until the ledger has paid it out, and forgets the purchase. Returns the
/// closed channel; `None` when there never was one.
async fn close_purchase(node: &Node, purchase: Purchase) -> Option<ChannelRecord> {
    let channel = purchase.record.terms.channel_id(&node.chain());
    let closed = close_bought(node, channel).await;
    forget_purchase(node, purchase.agreement(node)).await;
    closed
}

/// Removes the record of a purchase whose lease is over and noted as such.
pub async fn forget_purchase(node: &Node, agreement: AgreementId) {
    let removed = node
        .store
        .remove_record(RecordKind::Purchase, agreement.as_bytes());
    if let Err(error) = removed.await {
        tracing::warn!(%error, "the record of a purchase stays; the next start looks at it again");
    }
}

/// Returns the live channels that pay this node and belong to no lease that runs.
async fn sold_channels<F, Answer>(node: &Node, is_selling: F) -> Vec<ChannelRecord>
where
    F: Fn() -> Answer,
    Answer: Future<Output = bool>,
{
    let mut pause = FIRST_PAUSE;
    loop {
        // Nothing before and nothing after: no lease of this run can stand behind a channel found between.
        if !is_selling().await
            && let Ok(found) = node.ledger.account(node.identity.account).await
            && !is_selling().await
        {
            let me = node.identity.node();
            let mut channels = found.channels;
            channels.retain(|channel| channel.payee.node == me);
            return channels;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Closes a channel that pays this node, with the newest voucher that was kept.
async fn claim(node: &Node, channel: ChannelId) {
    let voucher = match node.store.latest_voucher(Direction::Received, channel) {
        Ok(voucher) => voucher,
        Err(error) => return tracing::error!(%channel, %error, "the newest voucher is not read"),
    };
    let operation = Operation::CoopClose { channel, voucher };
    let settlement = settle(node, channel, &operation).await;
    match settlement.paid_at_close() {
        Some(paid) => {
            tracing::info!(%channel, %paid, "settled a lease that an earlier run left open");
        }
        None => tracing::warn!(%channel, ?settlement, "a channel of an earlier run stays open"),
    }
}

/// Brings a job of an earlier run to its end: its channel is closed, its record says what it cost, and its
/// purchase is forgotten. Returns the job as it ended.
pub async fn end_job(node: &Node, mut job: JobView) -> JobView {
    job.phase = Phase::Closing;
    keep_job(node, &job).await;
    let Some(record) = close_bought(node, job.channel).await else {
        return job;
    };
    job.phase = Phase::Ended;
    job.outcome = Some(job.outcome.unwrap_or(Outcome::Cancelled));
    job.paid = record.claimed;
    job.refunded = job.deposit.checked_sub(record.claimed);
    keep_job(node, &job).await;
    forget_purchase(node, job.agreement).await;
    tracing::info!(
        agreement = %job.agreement, paid = %job.paid,
        "settled a job that an earlier run left open; the rest of its deposit is back"
    );
    job
}

async fn keep_job(node: &Node, job: &JobView) {
    let (id, bytes) = (job.agreement.as_bytes(), wire::encode(job));
    if let Err(error) = node.store.put_record(RecordKind::Job, id, &bytes).await {
        tracing::error!(agreement = %job.agreement, %error, "the job's end could not be noted");
    }
}

/// Watches an opening that was sent and whose fate is not known, until it can no longer open a channel. A
/// channel that it does open belongs to no lease, and is closed. Then forgets the opening.
pub async fn watch_opening(node: &Node, opening: &SignedTransaction) {
    let chain = node.chain();
    if let Ok(verified) = opening.verify(&chain)
        && let Operation::Open { terms } = &verified.transaction.operation
        && has_opened(
            node,
            terms.channel_id(&chain),
            verified.transaction.valid_until_height,
        )
        .await
    {
        close_unused(node, terms).await;
    }
    forget(node, opening.id(&chain)).await;
}

/// Closes the channel of an agreement that no lease works under. Where this node bought and has noted the job,
/// the channel ends with the job.
async fn close_unused(node: &Node, terms: &Terms) {
    let (chain, me) = (node.chain(), node.identity.node());
    let (channel, agreement) = (terms.channel_id(&chain), terms.id(&chain));
    if terms.payer.node == me {
        let id = agreement.as_bytes();
        let used = [RecordKind::Purchase, RecordKind::Job].map(|kind| node.store.record(kind, id));
        if used.iter().any(|record| !matches!(record, Ok(None))) {
            return;
        }
        if let Some(closed) = close_bought(node, channel).await {
            let paid = closed.claimed;
            tracing::info!(%channel, %paid, "closed a channel that no lease uses; the rest of its deposit is back");
        }
    } else if terms.payee.node == me {
        claim(node, channel).await;
    }
}

/// Waits until a channel exists, or the last block in which it could have been opened is past.
async fn has_opened(node: &Node, channel: ChannelId, last_height: u64) -> bool {
    let mut pause = FIRST_PAUSE;
    loop {
        // The height first: a channel that is not there after that height was asked for never will be.
        let height = node.ledger.status().await;
        let found = node.ledger.channel(channel).await;
        match (height, found) {
            (_, Ok(Some(_))) => return true,
            (Ok(status), Ok(None)) if status.head.header.height > last_height => return false,
            (Err(error), _) | (_, Err(error)) => {
                tracing::debug!(%channel, %error, "the ledger is asked again");
            }
            _ => {}
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Removes the record of a transaction whose fate is known.
pub async fn forget(node: &Node, id: TxId) {
    let removed =
        [RecordKind::Submission, RecordKind::Opening].map(|kind| (kind, &id.as_bytes()[..]));
    let removed = node.store.remove_records(&removed);
    if let Err(error) = removed.await {
        tracing::warn!(%error, "the record of a transaction stays; the next start looks at it again");
    }
}

/// Keeps an opening before it is sent, together with the `record` of the run for which it is, so that a restart
/// finds both or neither.
///
/// # Errors
/// The store fails; the opening must not be sent then.
pub async fn remember_for_run(
    node: &Node,
    opening: &SignedTransaction,
    (run, record): (RunId, &[u8]),
) -> Result<(), StoreError> {
    let id = opening.id(&node.chain());
    let bytes = wire::encode(opening);
    let (id, run) = (&id.as_bytes()[..], &run.as_bytes()[..]);
    node.store
        .put_records(&[
            (RecordKind::Run, run, record),
            (RecordKind::Submission, id, &bytes),
            (RecordKind::Opening, id, run),
        ])
        .await
}

/// Keeps a transaction before it is sent, so that a restart finds it.
///
/// # Errors
/// The store fails; the transaction must not be sent then.
pub async fn remember(node: &Node, transaction: &SignedTransaction) -> Result<(), StoreError> {
    let id = transaction.id(&node.chain());
    let bytes = wire::encode(transaction);
    node.store
        .put_record(RecordKind::Submission, id.as_bytes(), &bytes)
        .await
}

/// Closes a channel that this node pays from, stating what it signed last, and waits until it is closed.
/// `None` when there is no such channel.
async fn close_bought(node: &Node, channel: ChannelId) -> Option<ChannelRecord> {
    let mut pause = FIRST_PAUSE;
    loop {
        match look(&node.ledger, channel).await {
            Ok(None) => return None,
            Ok(Some(record)) if record.state == ChannelState::Closed => return Some(record),
            Ok(Some(record)) if record.state == ChannelState::Open => {
                let operation = payer_close(node, &record);
                let _looked_at_again = settle(node, channel, &operation).await;
                tracing::info!(%channel, "closing what no lease uses any more");
            }
            Ok(Some(_)) => {} // Its window runs.
            Err(error) => tracing::debug!(%channel, %error, "the ledger is asked again"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

async fn look(
    ledger: &LedgerClient,
    channel: ChannelId,
) -> Result<Option<ChannelRecord>, LedgerError> {
    Ok(ledger.channel(channel).await?.map(|found| found.record))
}

/// States the newest voucher that was signed, or what the channel has paid where none was: the first tick is
/// paid when it opens.
fn payer_close(node: &Node, record: &ChannelRecord) -> Operation {
    let newest = node.store.latest_voucher(Direction::Sent, record.id);
    let newest = newest.ok().flatten();
    let stated = newest.and_then(|signed| signed.verify(&node.chain()).ok());
    let (sequence, cumulative) = stated.map_or((record.sequence, record.claimed), |voucher| {
        (voucher.value.sequence, voucher.value.cumulative)
    });
    Operation::PayerClose {
        channel: record.id,
        sequence,
        cumulative: cumulative.max(record.claimed),
    }
}

#[cfg(test)]
mod tests;
