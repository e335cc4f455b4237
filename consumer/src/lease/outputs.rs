//! Owns which announced outputs are taken, and bringing each into the output folder.
//!
//! Never takes more than the job allows, never writes one output over another, and never shows a file that is
//! not whole and verified.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use market::NodeId;
use market::lease::{Artefact, Input, Phase};
use market_node::api::RunEvent;
use market_node::blobs::Blob;
use market_node::lease::LeaseHandle;
use market_node::node::Node;
use tokio::sync::mpsc;

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

/// One output on its way into the output folder.
pub(super) struct Delivery {
    pub(super) node: Node,
    pub(super) lease: LeaseHandle,
    pub(super) provider: NodeId,
    pub(super) artefact: Artefact,
    /// Where it is to lie.
    pub(super) path: PathBuf,
    /// Where it is written first, on the same file system; no other output has this name.
    pub(super) temporary: PathBuf,
    pub(super) stored: mpsc::Sender<RunEvent>,
}

impl Delivery {
    /// Fetches the output until it is here, verified, and in its place, or the lease is over.
    pub(super) async fn run(self) {
        let Artefact {
            index,
            name,
            hash,
            bytes,
        } = self.artefact.clone();
        while let Err(error) = self.attempt().await {
            tracing::warn!(name, error, "an output has not arrived yet");
            if self.lease.snapshot().phase == Phase::Ended {
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
        let event = RunEvent::Output {
            name,
            hash,
            bytes,
            path: self.path,
        };
        let _over = self.stored.send(event).await;
        self.lease.input(Input::ArtefactStored { index }).await;
    }

    async fn attempt(&self) -> Result<(), String> {
        let blob = Blob {
            hash: self.artefact.hash,
            size: self.artefact.bytes,
        };
        let (blobs, network) = (&self.node.blobs, &self.node.network);
        let fetched = blobs.fetch(network, self.provider, blob, &mut |_| {}).await;
        let source = fetched.map_err(|error| error.to_string())?;
        let placed = place(&source, &self.temporary, &self.path).await;
        placed.map_err(|error| error.to_string())
    }
}

/// Puts a verified blob into the output folder under its name, whole or not at all.
async fn place(source: &Path, temporary: &Path, path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    tokio::fs::copy(source, temporary).await?;
    tokio::fs::rename(temporary, path).await
}

#[cfg(test)]
mod tests;
