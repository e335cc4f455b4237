//! Owns the list of runs: the live ones in memory with their events, all of them on disk.
//!
//! Never changes a lease; it shows what the run's tasks report.

mod bids;
mod old;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use market::lease::Phase;
use market::ledger::SignedTransaction;
use market::receipt::Outcome;
use market::{AgreementId, BlobHash, wire};
use market_node::api::{JobView, PendingRefund, RunDetail, RunId};
use market_node::lease::LeaseHandle;
use market_node::node::Node;
use market_node::recover::{end_job, remember, remember_for_run};
use market_node::store::{RecordKind, StoreError};
use tokio::sync::watch;

use crate::events::EventLog;
use crate::record::RunRecord;
use crate::standing::Standing;

/// The name of a run's events in its folder.
const EVENTS_FILE: &str = "events.ndjson";

/// The least characters by which a run can be named.
const MIN_PREFIX: usize = 4;

/// The most bytes of one attempt's record.
const MAX_JOB_BYTES: usize = 16 << 10;

/// Why no run was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// Nothing was bought yet.
    #[error("this node has bought nothing yet; `nightshift run JOB.toml` buys a job")]
    None,
    /// No run has that name.
    #[error("no run is named {0}; `nightshift ps --all` lists them")]
    Unknown(String),
    /// More than one run begins so.
    #[error("{matches} runs begin with {prefix}; give more of the name")]
    Ambiguous {
        /// What was given.
        prefix: String,
        /// How many begin with it.
        matches: usize,
    },
    /// Too short to name anything.
    #[error(
        "{0} is too short; give at least {MIN_PREFIX} characters of the run's name, or `latest`"
    )]
    Short(String),
    /// The store failed.
    #[error("the list of runs cannot be read: {0}")]
    Store(String),
}

/// What a live run is reached by.
#[derive(Debug, Clone)]
pub(crate) struct Live {
    pub(crate) record: RunRecord,
    pub(crate) log: EventLog,
    pub(crate) cancel: watch::Sender<bool>,
    /// Whether its record is on disk: from the first opening on that was sent.
    pub(crate) is_kept: bool,
    pub(crate) leases: BTreeMap<AgreementId, LeaseHandle>,
    /// What was brought into the blob store for it, and leaves with it.
    pub(crate) blobs: BTreeSet<BlobHash>,
    /// Its bid, while that stands.
    pub(crate) standing: Option<Standing>,
}

/// The runs of this node. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Runs {
    node: Node,
    // A mutex and no owning task: each run's tasks write their own entry, views read all, and the lock is held
    // for a few instructions only.
    live: Arc<Mutex<BTreeMap<RunId, Live>>>,
    // Likewise; those whose job file and inputs are being read, with the wish to cancel them.
    preparing: Arc<Mutex<BTreeMap<RunId, watch::Sender<bool>>>>,
    // Held over reading a record and writing it down, so that an older one never replaces a newer one on disk.
    writing: Arc<tokio::sync::Mutex<()>>,
}

impl Runs {
    pub(crate) fn new(node: Node) -> Self {
        Self {
            node,
            live: Arc::default(),
            preparing: Arc::default(),
            writing: Arc::default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<RunId, Live>> {
        // Every change is one insertion, removal or assignment, so a poisoned lock still holds a whole map.
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_preparing(&self) -> MutexGuard<'_, BTreeMap<RunId, watch::Sender<bool>>> {
        self.preparing
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a name to a run that is being prepared. Returns where it hears that it is not wanted any more, which
    /// goes with it when it begins.
    pub(crate) fn prepare(&self, run: RunId) -> watch::Sender<bool> {
        let (cancel, _) = watch::channel(false);
        self.lock_preparing().insert(run, cancel.clone());
        cancel
    }

    /// Ends preparing a run, whether it begins or not.
    pub(crate) fn prepared(&self, run: RunId) {
        self.lock_preparing().remove(&run);
    }

    /// Says to a run that is being prepared that it is not wanted any more; others hear nothing.
    pub(crate) fn stop_preparing(&self, run: RunId) {
        if let Some(cancel) = self.lock_preparing().get(&run) {
            cancel.send_replace(true);
        }
    }

    /// Takes a run in that is beginning or going on.
    pub(crate) fn begin(&self, live: Live) {
        self.lock().insert(live.record.run, live);
    }

    /// Lets a run go whose record is on disk and will not change any more, or that bought nothing.
    pub(crate) async fn forget(&self, run: RunId) {
        let gone = self.lock().remove(&run);
        let Some(gone) = gone else { return };
        if gone.is_kept && gone.record.attempts.is_empty() {
            let _writing = self.writing.lock().await;
            let removed = self
                .node
                .store
                .remove_record(RecordKind::Run, run.as_bytes());
            match removed.await {
                Ok(()) => self.remove_folder(run).await,
                Err(error) => {
                    tracing::warn!(%error, %run, "the record of a run that bought nothing stays");
                }
            }
        }
        self.remove_blobs(gone.blobs).await;
    }

    /// Lets a run go if it is over and every channel of it is settled, and with it what was brought into the
    /// blob store for it.
    pub(crate) async fn forget_settled(&self, run: RunId) {
        let gone = {
            let mut live = self.lock();
            let record = live.get(&run).map(|live| &live.record);
            match record.is_some_and(|record| record.outcome.is_some() && record.is_settled()) {
                true => live.remove(&run),
                false => None,
            }
        };
        if let Some(gone) = gone {
            self.remove_blobs(gone.blobs).await;
        }
    }

    /// Takes blobs out of the store that no other run needs and nobody may fetch.
    pub(crate) async fn remove_blobs(&self, mut blobs: BTreeSet<BlobHash>) {
        for live in self.lock().values() {
            blobs.retain(|hash| !live.blobs.contains(hash));
        }
        blobs.retain(|hash| !self.node.permissions.is_shared(*hash));
        let store = self.node.blobs.clone();
        let removal = tokio::task::spawn_blocking(move || {
            for hash in blobs {
                if let Err(error) = store.remove(hash) {
                    tracing::warn!(%error, "an input stays in the blob store");
                }
            }
        });
        let _stopping = removal.await;
    }

    /// Changes a live run in memory, and returns what the change returns.
    pub(crate) fn change<T>(&self, run: RunId, change: impl FnOnce(&mut Live) -> T) -> Option<T> {
        self.lock().get_mut(&run).map(change)
    }

    /// Returns a live run.
    pub(crate) fn live(&self, run: RunId) -> Option<Live> {
        self.lock().get(&run).cloned()
    }

    /// Returns what is on its way back to this node, from all runs.
    pub(crate) fn pending_refunds(&self) -> Vec<PendingRefund> {
        let live = self.lock();
        let attempts = live.values().flat_map(|live| &live.record.attempts);
        attempts
            .filter_map(|attempt| attempt.pending_refund)
            .collect()
    }

    /// Returns the names of all live runs.
    pub(crate) fn all_live(&self) -> Vec<RunId> {
        self.lock().keys().copied().collect()
    }

    /// Keeps an opening of a live run on disk, and the run with it, in one write. To be done before the opening
    /// is sent.
    ///
    /// # Errors
    /// The store fails.
    pub(crate) async fn keep_opening(
        &self,
        run: RunId,
        opening: &SignedTransaction,
    ) -> Result<(), StoreError> {
        let _writing = self.writing.lock().await;
        let record = self.change(run, |live| {
            live.is_kept = true;
            live.record.encode()
        });
        match record {
            Some(record) => remember_for_run(&self.node, opening, (run, &record)).await,
            None => remember(&self.node, opening).await,
        }
    }

    /// Keeps a live run's record on disk; one that has sent no opening is not kept.
    ///
    /// # Errors
    /// The store fails.
    pub(crate) async fn keep(&self, run: RunId) -> Result<(), StoreError> {
        let _writing = self.writing.lock().await;
        let Some(live) = self.live(run).filter(|live| live.is_kept) else {
            return Ok(());
        };
        let bytes = live.record.encode();
        let id = run.as_bytes();
        self.node
            .store
            .put_record(RecordKind::Run, id, &bytes)
            .await
    }

    /// Keeps what a restart must find of one attempt. The run comes first: an attempt that only the run knows of is
    /// settled at the next start, and an end that the run did not know of would be bought once more.
    ///
    /// # Errors
    /// The store fails.
    pub(crate) async fn keep_attempt(
        &self,
        run: RunId,
        agreement: AgreementId,
    ) -> Result<(), StoreError> {
        self.keep(run).await?;
        let chain = self.node.chain();
        let _writing = self.writing.lock().await;
        let live = self.live(run);
        let job = live.and_then(|live| live.record.attempt_job(agreement, &chain));
        let Some(job) = job else { return Ok(()) };
        let (id, bytes) = (agreement.as_bytes(), wire::encode(&job));
        self.node
            .store
            .put_record(RecordKind::Job, id, &bytes)
            .await
    }

    /// Closes an attempt on which no lease works, and notes what it cost.
    pub(crate) async fn settle_alone(&self, run: RunId, job: JobView, reason: String) {
        let agreement = job.agreement;
        let job = end_job(&self.node, job).await;
        self.change(run, |live| {
            live.leases.remove(&agreement);
            if let Some(attempt) = live.record.attempt_mut(agreement) {
                attempt.phase = job.phase;
                attempt.outcome = Some(Outcome::Lost);
                (attempt.paid, attempt.refunded) = (job.paid, job.refunded);
                attempt.pending_refund = None;
                attempt.lost.get_or_insert(reason);
            }
        });
        if let Err(error) = self.keep(run).await {
            tracing::error!(%error, %run, "where a run stands could not be noted");
        }
        self.forget_settled(run).await;
    }

    /// Reads all records, the live ones as they are now.
    ///
    /// # Errors
    /// The store fails.
    pub(crate) fn records(&self) -> Result<Vec<RunRecord>, StoreError> {
        let mut records = BTreeMap::new();
        for (_, bytes) in self.node.store.records(RecordKind::Run)? {
            match RunRecord::decode(&bytes) {
                Ok(record) => {
                    records.insert(record.run, record);
                }
                Err(error) => tracing::warn!(%error, "the record of a run cannot be read"),
            }
        }
        for live in self.lock().values() {
            records.insert(live.record.run, live.record.clone());
        }
        let mut records: Vec<RunRecord> = records.into_values().collect();
        records.sort_by_key(|record| std::cmp::Reverse((record.started_at, record.run)));
        Ok(records)
    }

    /// Returns a run's record.
    ///
    /// # Errors
    /// The store fails.
    pub(crate) fn record(&self, run: RunId) -> Result<Option<RunRecord>, StoreError> {
        if let Some(live) = self.live(run) {
            return Ok(Some(live.record));
        }
        let bytes = self.node.store.record(RecordKind::Run, run.as_bytes())?;
        let record = bytes.map(|bytes| RunRecord::decode(&bytes));
        let record = record.transpose();
        record.map_err(|error| StoreError::Value(error.to_string()))
    }

    /// Returns all runs that bought something, the newest first.
    ///
    /// # Errors
    /// The store fails.
    pub(crate) fn list(&self) -> Result<Vec<JobView>, StoreError> {
        let chain = self.node.chain();
        let records = self.records()?;
        let mut jobs: Vec<JobView> = records
            .iter()
            .filter_map(|record| record.view(&chain))
            .collect();
        jobs.extend(self.older_jobs(&records)?);
        jobs.sort_by_key(|job| std::cmp::Reverse((job.started_at, job.run)));
        Ok(jobs)
    }

    /// Reads the ended jobs of releases that kept no runs: of those there is what `ps` shows and no more.
    fn older_jobs(&self, records: &[RunRecord]) -> Result<Vec<JobView>, StoreError> {
        let known: BTreeSet<RunId> = records.iter().map(|record| record.run).collect();
        let jobs = self.node.store.records(RecordKind::Job)?.into_iter();
        let jobs = jobs.filter_map(|(_, bytes)| wire::decode(&bytes, MAX_JOB_BYTES).ok());
        let is_older = |job: &JobView| job.phase == Phase::Ended && !known.contains(&job.run);
        Ok(jobs.filter(is_older).collect())
    }

    /// Returns everything that is known of a run; `None` before it has bought something, unless it bids.
    ///
    /// # Errors
    /// The store fails.
    pub(crate) fn detail(&self, run: RunId) -> Result<Option<RunDetail>, StoreError> {
        let Some(record) = self.record(run)? else {
            return Ok(None);
        };
        let (chain, events) = (self.node.chain(), self.log(run));
        let events = events.map_or((0, 0), |log| log.range());
        if let Some(job) = record.detail(&chain, events) {
            return Ok(Some(RunDetail::Job(Box::new(job))));
        }
        let bid = record.bid_detail(&chain, self.in_book(run), events);
        Ok(bid.map(|bid| RunDetail::Bid(Box::new(bid))))
    }

    /// Finds a run by its name, by the beginning of one, or as `latest`.
    ///
    /// # Errors
    /// Nothing or too much fits.
    pub(crate) fn find(&self, name: &str) -> Result<RunId, FindError> {
        if let Ok(run) = name.parse()
            && (self.live(run).is_some() || self.lock_preparing().contains_key(&run))
        {
            return Ok(run);
        }
        let records = self.records();
        let records = records.map_err(|error| FindError::Store(error.to_string()))?;
        let runs: Vec<RunId> = records.iter().map(|record| record.run).collect();
        find_in(&runs, name)
    }

    /// Returns the events of a run: those of a live one, or what lies on disk of one that is over.
    pub(crate) fn log(&self, run: RunId) -> Option<EventLog> {
        if let Some(live) = self.live(run) {
            return Some(live.log);
        }
        let path = self.events_path(run)?;
        let log = path.exists().then(|| EventLog::open_to_read(&path))?;
        match log {
            Ok(log) => Some(log),
            Err(error) => {
                tracing::warn!(%error, %run, "the events of a run cannot be read");
                None
            }
        }
    }

    /// Returns where a run's events lie.
    pub(crate) fn events_path(&self, run: RunId) -> Option<PathBuf> {
        Some(self.folder(run)?.join(EVENTS_FILE))
    }

    /// Returns where the training state of a step lies.
    pub(crate) fn state_path(&self, run: RunId, step: u32) -> Option<PathBuf> {
        Some(self.folder(run)?.join(format!("step-{step:06}.training")))
    }

    /// Removes the training state of a step, which nothing needs any more.
    pub(crate) async fn remove_state(&self, run: RunId, step: u32) {
        if let Some(path) = self.state_path(run, step)
            && let Err(error) = tokio::fs::remove_file(&path).await
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %path.display(), "a training state stays behind");
        }
    }

    fn folder(&self, run: RunId) -> Option<PathBuf> {
        match self.node.home.folder("runs") {
            Ok(folder) => Some(folder.join(run.to_string())),
            Err(error) => {
                tracing::warn!(%error, "the folder of the runs cannot be used");
                None
            }
        }
    }
}

/// Finds a run among `runs`, which stand with the newest first.
fn find_in(runs: &[RunId], name: &str) -> Result<RunId, FindError> {
    let newest = *runs.first().ok_or(FindError::None)?;
    if name == "latest" {
        return Ok(newest);
    }
    if name.len() < MIN_PREFIX {
        return Err(FindError::Short(name.to_owned()));
    }
    let prefix = name.to_ascii_lowercase();
    let fits = |run: &&RunId| run.to_string().starts_with(&prefix);
    let found: Vec<&RunId> = runs.iter().filter(fits).collect();
    match found.as_slice() {
        [run] => Ok(**run),
        [] => Err(FindError::Unknown(name.chars().take(80).collect())),
        several => Err(FindError::Ambiguous {
            prefix,
            matches: several.len(),
        }),
    }
}

#[cfg(test)]
mod tests;
