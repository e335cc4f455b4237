//! Owns bringing a job's inputs into the blob store: local files, and addresses with a pinned hash. It brings
//! them anew where they are damaged or gone before they are offered.
//!
//! Never uses content that does not match its pinned hash, never keeps more than the limit, and leaves no half of a
//! download behind.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use market::BlobHash;
use market::job::{
    ArtifactName, Input, JobError, JobKind, JobSpec, MAX_INPUT_BYTES, MAX_INPUTS, NameError,
};
use market_node::blobs::{Blob, BlobError, BlobStore};
use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;

use crate::job_file::{DATA_NAME, JobFile, Source, Task};

/// Numbers the downloads of this process.
static DOWNLOADS: AtomicU64 = AtomicU64::new(0);

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
    /// It is damaged or gone in the store, and where it came from has something else now.
    #[error(
        "the input {name} is not whole in this node's store ({reason}), and {origin} has other content now; \
         buy the job anew"
    )]
    Lost {
        /// The input.
        name: String,
        /// What is wrong with it.
        reason: BlobError,
        /// Where it came from.
        origin: String,
    },
    /// The store's thread failed.
    #[error("storing the inputs was interrupted")]
    Interrupted,
}

/// A job, and where each of its inputs came from.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) job: JobSpec,
    /// In the order of the job's inputs.
    pub(crate) sources: Vec<Source>,
}

/// Hears of each blob that is being brought in, also when nobody waits for it any more: reading a large file into
/// the store goes on after whoever wanted it has left.
pub(crate) type Brought = mpsc::Sender<BlobHash>;

/// Makes one of these, for the inputs of one job.
pub(crate) fn brought() -> (Brought, mpsc::Receiver<BlobHash>) {
    mpsc::channel(MAX_INPUTS)
}

/// A file that is being downloaded; gone with this, whoever drops it.
struct Download(PathBuf);

impl Drop for Download {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_file(&self.0)
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.0.display(), "a download stays behind");
        }
    }
}

/// Brings all inputs in and returns the job that names them by hash.
pub(crate) async fn resolve(
    file: &JobFile,
    blobs: &BlobStore,
    scratch: &Path,
    brought: &Brought,
) -> Result<Resolved, InputError> {
    let (named, kind) = match &file.task {
        Task::Train { data, spec } => {
            let source = match data {
                Source::Path(path) => Source::Path(file.folder.join(path)),
                Source::Url { .. } => data.clone(),
            };
            let named = vec![(DATA_NAME.parse()?, source)];
            (named, JobKind::Train(spec.clone()))
        }
        Task::Infer { model, spec } => {
            let folder = file.folder.join(model);
            let place = |name: &ArtifactName| Source::Path(folder.join(name.as_str()));
            let names = [&spec.config, &spec.weights];
            let named = names.map(|name| (name.clone(), place(name))).to_vec();
            (named, JobKind::Infer(spec.clone()))
        }
    };
    let (mut inputs, mut sources) = (Vec::new(), Vec::new());
    for (name, source) in named {
        let blob = bring(&source, blobs, scratch, brought).await?;
        inputs.push(input(name, blob));
        sources.push(source);
    }
    let job = JobSpec {
        inputs,
        kind,
        limits: file.limits,
    };
    job.validate()?;
    Ok(Resolved { job, sources })
}

/// Checks inputs before they are offered, and brings those anew that are damaged or gone, from where they came.
/// Returns a line for each of those.
///
/// # Errors
/// Where one came from there is nothing, or something else.
pub(crate) async fn check(
    (inputs, sources): (&[Input], &[Source]),
    blobs: &BlobStore,
    scratch: &Path,
) -> Result<Vec<String>, InputError> {
    let mut lines = Vec::new();
    for (input, source) in inputs.iter().zip(sources) {
        let Err(reason) = check_blob(blobs, input.hash).await? else {
            continue;
        };
        // The run needs it for as long as it lives, whoever waits for it.
        let blob = bring(source, blobs, scratch, &brought().0).await?;
        let (name, origin) = (input.name.to_string(), words(source));
        if blob.hash != input.hash {
            let _not_wanted = blobs.remove(blob.hash);
            return Err(InputError::Lost {
                name,
                reason,
                origin,
            });
        }
        lines.push(format!(
            "the input {name} was not whole in this node's store ({reason}); it was brought anew from {origin}"
        ));
    }
    Ok(lines)
}

fn words(source: &Source) -> String {
    match source {
        Source::Path(path) => path.display().to_string(),
        Source::Url { url, .. } => url.clone(),
    }
}

async fn check_blob(
    blobs: &BlobStore,
    hash: BlobHash,
) -> Result<Result<Blob, BlobError>, InputError> {
    let blobs = blobs.clone();
    let checked = tokio::task::spawn_blocking(move || blobs.check(hash)).await;
    checked.map_err(|_| InputError::Interrupted)
}

async fn bring(
    source: &Source,
    blobs: &BlobStore,
    scratch: &Path,
    brought: &Brought,
) -> Result<Blob, InputError> {
    match source {
        Source::Path(path) => import(blobs, path.clone(), brought).await,
        Source::Url { url, hash } => download(blobs, (url, *hash), scratch, brought).await,
    }
}

fn input(name: ArtifactName, blob: Blob) -> Input {
    Input {
        name,
        hash: blob.hash,
        bytes: blob.size,
    }
}

async fn import(blobs: &BlobStore, path: PathBuf, brought: &Brought) -> Result<Blob, InputError> {
    let (blobs, brought) = (blobs.clone(), brought.clone());
    let imported = tokio::task::spawn_blocking(move || {
        let result = blobs.import_path(&path);
        if let Ok(blob) = &result {
            // There is room for each input of a job, and nobody hears it where nobody removes it.
            let _heard = brought.try_send(blob.hash);
        }
        result.map_err(|source| InputError::File { path, source })
    });
    imported.await.map_err(|_| InputError::Interrupted)?
}

async fn download(
    blobs: &BlobStore,
    (url, pinned): (&str, BlobHash),
    scratch: &Path,
    brought: &Brought,
) -> Result<Blob, InputError> {
    if let Ok(blob) = check_blob(blobs, pinned).await? {
        return Ok(blob);
    }
    // Two jobs may want the same content at once.
    let number = DOWNLOADS.fetch_add(1, Ordering::Relaxed);
    let file = Download(scratch.join(format!("download-{}-{number}", pinned.short())));
    fetch_to(url, &file.0).await?;
    let blob = import(blobs, file.0.clone(), brought).await?;
    drop(file);
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
    // At once, so that it is made before it can be removed.
    let file = std::fs::File::create(path).map_err(write_error)?;
    let mut file = tokio::fs::File::from_std(file);
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
