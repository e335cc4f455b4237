//! Owns bringing a run's delivered files to a folder: copied where they lie, fetched again where they are
//! missing and the provider still offers them.
//!
//! Never hands out a file that does not match its hash, and never leaves half of one behind.

use std::path::{Path, PathBuf};

use market::job::ArtifactName;
use market_node::api::{ArtefactView, RunId};
use market_node::blobs::Blob;
use market_node::disk::{self, DiskError};
use market_node::node::Node;

use crate::record::{RunRecord, has_ended};
use crate::runs::{FindError, Runs};

/// Why files could not be brought.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// There is no such run.
    #[error(transparent)]
    Find(#[from] FindError),
    /// Nothing was delivered.
    #[error("nothing of run {0} was delivered yet; `nightshift describe {0}` says where it stands")]
    Nothing(RunId),
    /// The folder cannot be used.
    #[error("cannot write to {}: {source}; choose another folder with -o", path.display())]
    Write {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// There is no room.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Some files are gone.
    #[error(
        "{} of {total} files are missing or changed where they were delivered, and no provider offers them \
         any more: {}", names.len(), names.join(", ")
    )]
    Missing {
        /// Their names.
        names: Vec<String>,
        /// Files of the run.
        total: usize,
    },
}

/// Brings all delivered files of a run to `folder`, and returns them as they lie there.
pub(crate) async fn fetch(
    node: &Node,
    runs: &Runs,
    (run, folder): (RunId, PathBuf),
) -> Result<Vec<ArtefactView>, FilesError> {
    let record = runs.record(run);
    let record = record.map_err(|error| FindError::Store(error.to_string()))?;
    let record = record.ok_or_else(|| FindError::Unknown(run.to_string()))?;
    if record.artefacts.is_empty() {
        return Err(FilesError::Nothing(run));
    }
    make_folder(&folder).await?;
    let bytes = record.artefacts.iter().map(|artefact| artefact.bytes);
    let bytes = bytes.fold(0, u64::saturating_add);
    disk::check_room(&folder, node.settings.disk.reserve_bytes(), bytes)?;
    let mut here = Vec::new();
    let mut missing = Vec::new();
    for artefact in &record.artefacts {
        // What was kept is a name that was checked when it was announced; the disk is not trusted further.
        let path = match artefact.name.parse::<ArtifactName>() {
            Ok(name) => folder.join(name.as_str()),
            Err(_) => continue,
        };
        match source_of(node, &record, artefact).await {
            Some(source) => {
                copy(&source, &path).await?;
                let artefact = artefact.clone();
                here.push(ArtefactView { path, ..artefact });
            }
            None => missing.push(artefact.name.clone()),
        }
        forget(node, artefact).await;
    }
    if missing.is_empty() {
        return Ok(here);
    }
    Err(FilesError::Missing {
        names: missing,
        total: record.artefacts.len(),
    })
}

/// Returns where the content of a file lies, verified: imported from where it was delivered, or fetched again
/// from the provider that made it.
async fn source_of(node: &Node, record: &RunRecord, artefact: &ArtefactView) -> Option<PathBuf> {
    let blobs = node.blobs.clone();
    let path = artefact.path.clone();
    let imported = tokio::task::spawn_blocking(move || blobs.import_path(&path));
    match imported.await {
        Ok(Ok(blob)) if blob.hash == artefact.hash => return node.blobs.path(blob.hash),
        Ok(Ok(changed)) => {
            let _kept = node.blobs.remove(changed.hash);
        }
        Ok(Err(error)) => tracing::debug!(%error, "a delivered file is not where it was"),
        Err(_stopping) => return None,
    }
    let blob = Blob {
        hash: artefact.hash,
        size: artefact.bytes,
    };
    let offering = record.attempts.iter().filter(|attempt| !has_ended(attempt));
    for attempt in offering {
        let fetched = node
            .blobs
            .fetch(&node.network, attempt.provider, blob, &mut |_| {})
            .await;
        if let Ok(path) = fetched {
            return Some(path);
        }
    }
    None
}

/// Takes a file out of the blob store again, unless somebody is being given it.
async fn forget(node: &Node, artefact: &ArtefactView) {
    if node.permissions.is_shared(artefact.hash) {
        return;
    }
    let (blobs, hash) = (node.blobs.clone(), artefact.hash);
    let removed = tokio::task::spawn_blocking(move || blobs.remove(hash));
    if let Ok(Err(error)) = removed.await {
        tracing::warn!(%error, "a file stays in the blob store");
    }
}

async fn make_folder(folder: &Path) -> Result<(), FilesError> {
    let made = tokio::fs::create_dir_all(folder).await;
    made.map_err(|source| FilesError::Write {
        path: folder.to_owned(),
        source,
    })
}

/// Copies a file whole or not at all.
async fn copy(source: &Path, path: &Path) -> Result<(), FilesError> {
    let error = |source| FilesError::Write {
        path: path.to_owned(),
        source,
    };
    let folder = path.parent().unwrap_or(path);
    make_folder(folder).await?;
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".part");
    let temporary = folder.join(name);
    let copied = async {
        tokio::fs::copy(source, &temporary).await?;
        tokio::fs::rename(&temporary, path).await
    };
    let copied = copied.await;
    if copied.is_err() {
        let _left_over = tokio::fs::remove_file(&temporary).await;
    }
    copied.map_err(error)
}
