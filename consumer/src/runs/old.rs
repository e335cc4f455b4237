//! Owns how much runs that are over may keep: the newest thousand, and a gibibyte of folders. Older ones are
//! forgotten when the node starts.
//!
//! Never touches a run that is not over and settled, nor what was delivered to the person.

use std::path::Path;

use market::AgreementId;
use market_node::api::RunId;
use market_node::store::{RecordKind, StoreError};

use super::Runs;
use crate::record::RunRecord;

/// The most runs that are over and still listed.
const MAX_RUNS: usize = 1_000;

/// The most bytes of their folders: events, mostly.
const MAX_BYTES: u64 = 1 << 30;

/// A run that is over and settled.
#[derive(Debug)]
struct Old {
    run: RunId,
    agreements: Vec<AgreementId>,
    /// Bytes of its folder.
    bytes: u64,
}

impl Runs {
    /// Forgets the oldest runs beyond the bounds, and the folders of those that never bought anything.
    pub(crate) async fn prune(&self) {
        let pruned = async {
            let records = self.records()?;
            let forgotten = self.forget_oldest(&records).await?;
            self.remove_strays(&records).await;
            Ok::<usize, StoreError>(forgotten)
        };
        match pruned.await {
            Ok(0) => {}
            Ok(forgotten) => tracing::info!(
                forgotten,
                "the oldest runs were forgotten, so that at most {MAX_RUNS} with {} MiB are kept; their outputs \
                 stay where they are",
                MAX_BYTES >> 20
            ),
            Err(error) => tracing::warn!(%error, "old runs could not be forgotten"),
        }
    }

    /// `records` stand with the newest first.
    async fn forget_oldest(&self, records: &[RunRecord]) -> Result<usize, StoreError> {
        let over = records
            .iter()
            .filter(|record| record.outcome.is_some() && record.is_settled());
        let old: Vec<Old> = over.map(|record| self.old(record)).collect();
        let sizes: Vec<u64> = old.iter().map(|old| old.bytes).collect();
        let kept = kept_of(&sizes);
        for old in &old[kept..] {
            self.forget_old(old).await?;
        }
        Ok(old.len() - kept)
    }

    fn old(&self, record: &RunRecord) -> Old {
        let attempts = record.attempts.iter();
        let folder = self.folder(record.run);
        Old {
            run: record.run,
            agreements: attempts.map(|attempt| attempt.agreement).collect(),
            bytes: folder.map_or(0, |folder| folder_bytes(&folder)),
        }
    }

    /// The run's own record goes last, so that what a stop interrupts is done at the next start.
    async fn forget_old(&self, old: &Old) -> Result<(), StoreError> {
        self.remove_folder(old.run).await;
        let store = &self.node.store;
        for agreement in &old.agreements {
            let id = agreement.as_bytes();
            store.remove_record(RecordKind::Job, id).await?;
        }
        let id = old.run.as_bytes();
        store.remove_record(RecordKind::Run, id).await
    }

    /// Removes folders of runs of which nothing is kept: the node was stopped before they had bought anything.
    async fn remove_strays(&self, records: &[RunRecord]) {
        let Ok(folder) = self.node.home.folder("runs") else {
            return;
        };
        let Ok(entries) = std::fs::read_dir(folder) else {
            return;
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let runs: Vec<RunId> = names.filter_map(|name| name.parse().ok()).collect();
        for run in runs {
            let is_known = records.iter().any(|record| record.run == run);
            // One that has just begun is live before it has a folder.
            if !is_known && self.live(run).is_none() {
                self.remove_folder(run).await;
            }
        }
    }

    pub(super) async fn remove_folder(&self, run: RunId) {
        if let Some(folder) = self.folder(run)
            && let Err(error) = tokio::fs::remove_dir_all(&folder).await
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, folder = %folder.display(), "the folder of an old run stays");
        }
    }
}

/// Returns how many of the newest stay, where `sizes` are the bytes of their folders, the newest first.
fn kept_of(sizes: &[u64]) -> usize {
    let mut bytes = 0_u64;
    let fits = |size: &&u64| {
        bytes = bytes.saturating_add(**size);
        bytes <= MAX_BYTES
    };
    sizes.iter().take(MAX_RUNS).take_while(fits).count()
}

/// Returns the bytes of a folder's files; what cannot be read counts nothing.
fn folder_bytes(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let sizes = entries.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()));
    sizes.fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests;
