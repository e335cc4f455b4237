//! Owns bringing a job's inputs into the blob store: local files, and addresses with a pinned hash.
//!
//! Never uses content that does not match its pinned hash, and never keeps more than the limit.

use std::path::{Path, PathBuf};
use std::time::Duration;

use market::BlobHash;
use market::job::{ArtifactName, Input, JobError, JobKind, JobSpec, MAX_INPUT_BYTES, NameError};
use market_node::blobs::{Blob, BlobError, BlobStore};
use tokio::io::AsyncWriteExt;

use crate::job_file::{DATA_NAME, JobFile, Source, Task};

/// How long an address may be silent.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Why an input could not be brought in.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// A file could not be read or kept.
    #[error(
        "the input {} cannot be read: {source}; paths in a job file are relative to its folder",
        path.display()
    )]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: BlobError,
    },
    /// A download could not be written down.
    #[error("cannot write {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An address could not be fetched.
    #[error("{url} cannot be fetched: {source}")]
    Fetch {
        /// The address.
        url: String,
        /// Why.
        source: reqwest::Error,
    },
    /// An address has more than a job may take in.
    #[error("{url} has more than the {MAX_INPUT_BYTES} bytes that a job may take in")]
    TooLarge {
        /// The address.
        url: String,
    },
    /// The content of an address is not what the job file pins.
    #[error("{url} has the content {actual}, not {pinned} as the job file says; check both")]
    Changed {
        /// The address.
        url: String,
        /// The hash in the job file.
        pinned: BlobHash,
        /// The hash of what arrived.
        actual: BlobHash,
    },
    /// A name that a job cannot use.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The job is out of range.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The store's thread failed.
    #[error("storing the inputs was interrupted")]
    Interrupted,
}

/// Brings all inputs in and returns the job that names them by hash.
pub(crate) async fn resolve(
    file: &JobFile,
    blobs: &BlobStore,
    scratch: &Path,
) -> Result<JobSpec, InputError> {
    let (inputs, kind) = match &file.task {
        Task::Train { data, spec } => {
            let blob = match data {
                Source::Path(path) => import(blobs, file.folder.join(path)).await?,
                Source::Url { url, hash } => download(blobs, url, *hash, scratch).await?,
            };
            let input = input(DATA_NAME.parse()?, blob);
            (vec![input], JobKind::Train(spec.clone()))
        }
        Task::Infer { model, spec } => {
            let folder = file.folder.join(model);
            let mut inputs = Vec::new();
            for name in [&spec.config, &spec.weights] {
                let blob = import(blobs, folder.join(name.as_str())).await?;
                inputs.push(input(name.clone(), blob));
            }
            (inputs, JobKind::Infer(spec.clone()))
        }
    };
    let spec = JobSpec {
        inputs,
        kind,
        limits: file.limits,
    };
    spec.validate()?;
    Ok(spec)
}

fn input(name: ArtifactName, blob: Blob) -> Input {
    Input {
        name,
        hash: blob.hash,
        bytes: blob.size,
    }
}

async fn import(blobs: &BlobStore, path: PathBuf) -> Result<Blob, InputError> {
    let blobs = blobs.clone();
    let imported = tokio::task::spawn_blocking(move || {
        let result = blobs.import_path(&path);
        result.map_err(|source| InputError::File { path, source })
    });
    imported.await.map_err(|_| InputError::Interrupted)?
}

async fn download(
    blobs: &BlobStore,
    url: &str,
    pinned: BlobHash,
    scratch: &Path,
) -> Result<Blob, InputError> {
    if let Some(size) = blobs.size(pinned) {
        return Ok(Blob { hash: pinned, size });
    }
    let path = scratch.join(format!("download-{}", pinned.short()));
    fetch_to(url, &path).await?;
    let imported = import(blobs, path.clone()).await;
    let _left_over = tokio::fs::remove_file(&path).await;
    let blob = imported?;
    if blob.hash != pinned {
        let _kept = blobs.remove(blob.hash);
        return Err(InputError::Changed {
            url: url.to_owned(),
            pinned,
            actual: blob.hash,
        });
    }
    Ok(blob)
}

async fn fetch_to(url: &str, path: &Path) -> Result<(), InputError> {
    let fetch_error = |source| InputError::Fetch {
        url: url.to_owned(),
        source,
    };
    let write_error = |source| InputError::Write {
        path: path.to_owned(),
        source,
    };
    let client = reqwest::Client::builder()
        .read_timeout(READ_TIMEOUT)
        .connect_timeout(READ_TIMEOUT)
        .build()
        .map_err(fetch_error)?;
    let response = client.get(url).send().await.map_err(fetch_error)?;
    let mut response = response.error_for_status().map_err(fetch_error)?;
    let mut file = tokio::fs::File::create(path).await.map_err(write_error)?;
    let mut total = 0u64;
    while let Some(chunk) = response.chunk().await.map_err(fetch_error)? {
        total = total.saturating_add(chunk.len() as u64);
        if total > MAX_INPUT_BYTES {
            let url = url.to_owned();
            return Err(InputError::TooLarge { url });
        }
        file.write_all(&chunk).await.map_err(write_error)?;
    }
    file.flush().await.map_err(write_error)
}

#[cfg(test)]
mod tests;
