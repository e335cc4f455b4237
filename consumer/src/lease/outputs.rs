//! Owns which announced outputs are taken, and bringing each to its place: the output folder, or the run's own
//! folder where it only serves going on elsewhere.
//!
//! Never takes more than the job allows, never writes one output over another, and never shows a file that is
//! not whole and verified.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use market::job::{CheckpointFile, Content, JobKind};
use market::lease::{Artefact, Input, Phase};
use market::{NodeId, Timestamp};
use market_node::api::{ArtefactView, RunEvent, RunId};
use market_node::blobs::{Blob, BlobError, FetchError};
use market_node::disk::{self, DiskError};
use market_node::lease::{LeaseHandle, Snapshot};
use market_node::node::Node;
use market_node::store::StoreError;
use tokio::sync::mpsc;

use crate::events::EventLog;
use crate::runs::Runs;

/// How often an output is asked for again.
const RETRY: Duration = Duration::from_millis(500);

/// Why an announced output is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unwanted {
    /// More than the job allows.
    #[error(
        "the provider announces {announced} bytes of outputs, and the job allows {limit}; raise \
         limits.output_bytes if the job needs that"
    )]
    TooMuch {
        /// Bytes of all announced outputs, this one included.
        announced: u64,
        /// What the job allows.
        limit: u64,
    },
    /// It would take the place of another output.
    #[error("the provider announces the output {0} in the place of another one")]
    Taken(String),
}

/// The outputs that a provider has announced so far.
#[derive(Debug)]
pub(crate) struct Announced {
    names: BTreeSet<PathBuf>,
    bytes: u64,
    limit: u64,
}

impl Announced {
    /// Begins with none; `limit` is how many bytes all outputs may have together.
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            names: BTreeSet::new(),
            bytes: 0,
            limit,
        }
    }

    /// Notes what had arrived before this node was restarted.
    pub(crate) fn note_delivered(&mut self, snapshot: &Snapshot) {
        for artefact in &snapshot.artefacts {
            if snapshot.delivered.contains(&artefact.index) {
                self.bytes = self.bytes.saturating_add(artefact.bytes);
                self.names.insert(artefact.name.clone().into());
            }
        }
    }

    /// Notes an output, unless it is one that is not taken.
    pub(super) fn admit(&mut self, artefact: &Artefact) -> Result<(), Unwanted> {
        let announced = self.bytes.saturating_add(artefact.bytes);
        let limit = self.limit;
        if announced > limit {
            return Err(Unwanted::TooMuch { announced, limit });
        }
        let name = Path::new(&artefact.name);
        let clashes = |other: &PathBuf| other.starts_with(name) || name.starts_with(other);
        if self.names.iter().any(clashes) {
            return Err(Unwanted::Taken(artefact.name.clone()));
        }
        self.bytes = announced;
        self.names.insert(name.to_owned());
        Ok(())
    }
}

/// What a text generation makes.
const COMPLETION: &str = "completion.txt";

/// Returns in words what is missing of the outputs of a job that is said to be complete: one that was announced,
/// or one without which the job has no result.
pub(super) fn missing(kind: &JobKind, snapshot: &Snapshot) -> Option<String> {
    let mut arrived = BTreeSet::new();
    for artefact in &snapshot.artefacts {
        let name = artefact.name.as_str();
        if !snapshot.delivered.contains(&artefact.index) {
            return Some(format!("its output {name} has not arrived"));
        }
        arrived.insert(name);
    }
    let needed: &[&str] = match kind {
        JobKind::Train(_) => &[
            CheckpointFile::Config.file_name(),
            CheckpointFile::Weights.file_name(),
        ],
        JobKind::Infer(_) => &[COMPLETION],
    };
    let absent = needed.iter().find(|name| !arrived.contains(*name))?;
    Some(format!("it has delivered no {absent}"))
}

/// One output on its way to its place.
pub(super) struct Delivery {
    pub(super) node: Node,
    pub(super) runs: Runs,
    pub(super) run: RunId,
    pub(super) log: EventLog,
    pub(super) lease: LeaseHandle,
    pub(super) provider: NodeId,
    pub(super) artefact: Artefact,
    /// Where it is to lie.
    pub(super) path: PathBuf,
    /// Where it is written first, on the same file system; no other output has this name.
    pub(super) temporary: PathBuf,
    pub(super) news: mpsc::Sender<News>,
}

/// What a delivery tells the lease's task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum News {
    /// A piece of an output has arrived and was verified.
    Arriving,
    /// An output is in its place.
    Delivered,
    /// The provider gives bytes that are not what it announced.
    Corrupt(String),
    /// This machine cannot take the output now.
    NoRoom(String),
    /// The ledger says that the channel closes, and when that ends, in protocol time.
    Closing(Timestamp),
}

/// Why an output has not arrived yet.
#[derive(Debug, thiserror::Error)]
enum NotYet {
    #[error(transparent)]
    Fetch(#[from] FetchError),
    #[error(transparent)]
    Disk(#[from] DiskError),
    #[error("cannot write the output {}: {source}", path.display())]
    Place {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl NotYet {
    /// Returns what the lease's task must know of it, unless trying again may simply help.
    fn news(&self) -> Option<News> {
        match self {
            Self::Fetch(error @ FetchError::Corrupt { .. }) => {
                Some(News::Corrupt(error.to_string()))
            }
            // Another output of the same content is on its way: it comes for both.
            Self::Fetch(FetchError::Store(BlobError::Active(_))) => None,
            Self::Fetch(FetchError::Store(error)) => Some(News::NoRoom(error.to_string())),
            Self::Fetch(_) => None,
            Self::Disk(_) | Self::Place { .. } | Self::Store(_) => {
                Some(News::NoRoom(self.to_string()))
            }
        }
    }
}

impl Delivery {
    /// Fetches the output until it is here, verified, in its place and noted, or the lease is over.
    pub(super) async fn run(self) {
        while let Err(error) = self.attempt().await {
            let name = &self.artefact.name;
            tracing::warn!(name, %error, "an output has not arrived yet");
            if let Some(news) = error.news() {
                let _over = self.news.send(news).await;
            }
            if self.lease.snapshot().phase == Phase::Ended {
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
        let index = self.artefact.index;
        let _over = self.news.send(News::Delivered).await;
        self.lease.input(Input::ArtefactStored { index }).await;
    }

    async fn attempt(&self) -> Result<(), NotYet> {
        let reserve = self.node.settings.disk.reserve_bytes();
        let place_error = |source| NotYet::Place {
            path: self.path.clone(),
            source,
        };
        if let Some(folder) = self.path.parent() {
            let made = tokio::fs::create_dir_all(folder).await;
            made.map_err(place_error)?;
            disk::check_room(folder, reserve, self.artefact.bytes)?;
        }
        disk::check_room(self.node.home.path(), reserve, self.artefact.bytes)?;
        let blob = Blob {
            hash: self.artefact.hash,
            size: self.artefact.bytes,
        };
        let (blobs, network) = (&self.node.blobs, &self.node.network);
        let mut here = None;
        let mut arriving = |bytes| {
            // The first figure is what was here before. One word less does no harm where many wait.
            if here.replace(bytes).is_some_and(|before| before < bytes) {
                let _full = self.news.try_send(News::Arriving);
            }
        };
        let fetch = blobs.fetch(network, self.provider, blob, &mut arriving);
        let source = fetch.await?;
        let placed = place(&source, &self.temporary, &self.path).await;
        placed.map_err(place_error)?;
        self.note().await
    }

    /// Notes the delivery on disk, and tells of it where it is for the person.
    async fn note(&self) -> Result<(), NotYet> {
        let Artefact {
            name, hash, bytes, ..
        } = self.artefact.clone();
        let content = Content { hash, bytes };
        let state = match CheckpointFile::parse(&name) {
            Some((step, CheckpointFile::State)) => Some(step),
            _ => None,
        };
        let delivered_at = self.node.clock.now();
        let path = self.path.clone();
        let view = ArtefactView {
            name: name.clone(),
            hash,
            bytes,
            path: path.clone(),
            delivered_at: delivered_at.unwrap_or(Timestamp::from_millis(0)),
        };
        let superseded = self.runs.change(self.run, |live| match state {
            Some(step) => live.record.kept_state(step, content),
            None => {
                live.record.delivered(view);
                live.record.superseded_states()
            }
        });
        self.runs.keep(self.run).await?;
        for step in superseded.unwrap_or_default() {
            self.runs.remove_state(self.run, step).await;
        }
        if state.is_none() {
            self.log.tell(RunEvent::Output {
                name,
                hash,
                bytes,
                path,
            });
        }
        Ok(())
    }
}

/// Puts a verified blob into its folder under its name, whole or not at all.
async fn place(source: &Path, temporary: &Path, path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    let placed = async {
        tokio::fs::copy(source, temporary).await?;
        let file = tokio::fs::File::open(temporary).await?;
        file.sync_all().await?;
        tokio::fs::rename(temporary, path).await
    };
    let placed = placed.await;
    if placed.is_err() {
        let _left_over = tokio::fs::remove_file(temporary).await;
    }
    placed
}

#[cfg(test)]
mod tests;
