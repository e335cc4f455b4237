//! Owns bringing a blob in from another node, part by part, each checked before it is written.
//!
//! Never fetches more than the size that was agreed on, and never holds more than a few parts in memory.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, stream};
use market::{BlobHash, NodeId};

use super::files::{open_private, remove_if_there};
use super::protocol::{BlobRequest, BlobResponse, GROUP_BYTES, MAX_RANGE_BYTES};
use super::store::{Blob, BlobError, BlobStore, io_error};
use super::usage::Coming;
use super::verify::{self, Rejection};
use crate::network::{CallError, Client, Offence};

/// Requests of one fetch that are under way at the same time.
const REQUESTS_IN_FLIGHT: usize = 4;

/// How often a request that was not answered is repeated.
const RETRIES: u32 = 5;

/// The pause before the first repetition; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Why a blob did not arrive. What was checked stays, and the next attempt goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The other node did not answer.
    #[error("the node that has the blob did not answer: {0}")]
    Call(#[from] CallError),
    /// The other node does not share the blob with this one.
    #[error("blob {0} is not shared with this node by the node that should have it")]
    NotShared(BlobHash),
    /// The other node has the blob but could not read it, or says that the part is not in it.
    #[error("the node that has blob {hash} could not give the part at {offset}")]
    Unreadable {
        /// Which blob.
        hash: BlobHash,
        /// Where the part begins, in bytes.
        offset: u64,
    },
    /// The other node sent bytes that are not part of the blob, or the blob has another size.
    #[error("the part of blob {hash} at {offset} does not match its hash; do not trust that node")]
    Corrupt {
        /// Which blob.
        hash: BlobHash,
        /// Where the part begins, in bytes.
        offset: u64,
    },
    /// It could not be stored here.
    #[error(transparent)]
    Store(#[from] BlobError),
}

/// Keeps the reserved space of a fetch, and gives back what is not used.
struct Reservation<'a> {
    store: &'a BlobStore,
    hash: BlobHash,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let path = self.store.partial(self.hash);
        let left = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
        self.store.usage().end_fetch(self.hash, left);
    }
}

/// A partial file and how much of it is there.
struct Partial {
    path: PathBuf,
    file: Arc<File>,
    resumed_at: u64,
}

impl BlobStore {
    /// Brings a blob in from `from`, or goes on where an earlier attempt stopped, and returns its file.
    ///
    /// `progress` hears how many bytes of the blob are here and checked. Cancel-safe: what is checked
    /// stays. One fetch of a blob runs at a time.
    #[tracing::instrument(name = "blob", skip_all, fields(hash = %blob.hash.short(), peer = %from.short()))]
    pub async fn fetch(
        &self,
        client: &Client,
        from: NodeId,
        blob: Blob,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<PathBuf, FetchError> {
        if let Some(path) = self.complete(blob)? {
            progress(blob.size);
            return Ok(path);
        }
        self.make_room(Coming::Fetch(blob.hash, blob.size))?;
        let reservation = Reservation {
            store: self,
            hash: blob.hash,
        };
        let fetched = self.fetch_rest(client, from, blob, progress).await;
        let resumed_at = self.note_failure(client, from, blob, fetched).await?;
        match self.complete_from_partial(blob).await {
            // What an earlier attempt left had been damaged on disk: once more, from the beginning.
            Err(BlobError::Damaged(_)) if resumed_at > 0 => {
                let path = self.partial(blob.hash);
                remove_if_there(&path).map_err(io_error("remove", &path))?;
                let fetched = self.fetch_rest(client, from, blob, progress).await;
                self.note_failure(client, from, blob, fetched).await?;
                self.complete_from_partial(blob).await?;
            }
            result => result?,
        }
        drop(reservation);
        let path = self.complete(blob)?;
        Ok(path.ok_or(BlobError::Damaged(blob.hash))?)
    }

    /// Counts a corrupt part against who sent it; gives the room of the partial file back where the disk is
    /// full.
    async fn note_failure(
        &self,
        client: &Client,
        from: NodeId,
        blob: Blob,
        fetched: Result<u64, FetchError>,
    ) -> Result<u64, FetchError> {
        match &fetched {
            Err(FetchError::Corrupt { .. }) => {
                client.note_offence(from, Offence::CorruptBlob).await;
            }
            Err(FetchError::Store(BlobError::DiskFull(_))) => {
                let path = self.partial(blob.hash);
                remove_if_there(&path).map_err(io_error("remove", &path))?;
            }
            _ => {}
        }
        fetched
    }

    /// Returns the file of a blob that is here with the size that is expected.
    fn complete(&self, blob: Blob) -> Result<Option<PathBuf>, FetchError> {
        match self.size(blob.hash) {
            Some(size) if size == blob.size => Ok(self.path(blob.hash)),
            Some(_) => Err(FetchError::Corrupt {
                hash: blob.hash,
                offset: blob.size,
            }),
            None => Ok(None),
        }
    }

    fn open_partial(&self, blob: Blob) -> Result<Partial, BlobError> {
        let path = self.partial(blob.hash);
        let file = open_private(&path).map_err(io_error("write", &path))?;
        let length = file.metadata().map_err(io_error("open", &path))?.len();
        let resumed_at = length.min(blob.size) / GROUP_BYTES * GROUP_BYTES;
        file.set_len(resumed_at).map_err(io_error("write", &path))?;
        Ok(Partial {
            path,
            file: Arc::new(file),
            resumed_at,
        })
    }

    /// Fetches what is missing of the partial file; returns where it began.
    async fn fetch_rest(
        &self,
        client: &Client,
        from: NodeId,
        blob: Blob,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<u64, FetchError> {
        let partial = self.open_partial(blob)?;
        progress(partial.resumed_at);
        let parts = parts_of(partial.resumed_at, blob.size);
        let mut answers = stream::iter(parts)
            .map(|part| async move { (part.clone(), ask(client, from, blob, part).await) })
            .buffered(REQUESTS_IN_FLIGHT);
        while let Some((part, answer)) = answers.next().await {
            let encoded = answer?;
            let end = part.end;
            take_in(&partial, blob, part, encoded).await?;
            progress(end);
        }
        Ok(partial.resumed_at)
    }

    async fn complete_from_partial(&self, blob: Blob) -> Result<(), BlobError> {
        let store = self.clone();
        on_blocking_thread(move || {
            let path = store.partial(blob.hash);
            store.adopt(&path, blob.size, Some(blob.hash)).map(drop)
        })
        .await
    }
}

/// Cuts what is missing of a blob into parts that one request may ask for.
fn parts_of(start: u64, size: u64) -> impl Iterator<Item = Range<u64>> {
    let step = u64::from(MAX_RANGE_BYTES);
    let starts = std::iter::successors(Some(start), move |start| start.checked_add(step));
    starts
        .take_while(move |start| *start < size)
        .map(move |start| start..start.saturating_add(step).min(size))
}

/// Asks for one part; repeats where the other side was too busy to answer.
async fn ask(
    client: &Client,
    from: NodeId,
    blob: Blob,
    part: Range<u64>,
) -> Result<Vec<u8>, FetchError> {
    let hash = blob.hash;
    let offset = part.start;
    let length = u32::try_from(part.end - part.start).expect("a part is at most a mebibyte");
    let mut retries = 0;
    loop {
        let request = BlobRequest::Range {
            hash,
            start: offset,
            length,
        };
        match client.call_blob(from, request).await {
            Ok(BlobResponse::Range(bytes)) => return Ok(bytes.0),
            Ok(BlobResponse::NotShared) => return Err(FetchError::NotShared(hash)),
            Ok(BlobResponse::BadRange | BlobResponse::Unreadable) => {
                return Err(FetchError::Unreadable { hash, offset });
            }
            Err(CallError::Closed | CallError::Timeout) if retries < RETRIES => {
                tokio::time::sleep(FIRST_PAUSE * (1 << retries)).await;
                retries += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Checks one part and writes it to the partial file.
async fn take_in(
    partial: &Partial,
    blob: Blob,
    part: Range<u64>,
    encoded: Vec<u8>,
) -> Result<(), FetchError> {
    let file = Arc::clone(&partial.file);
    let offset = part.start;
    let result = on_blocking_thread(move || {
        let mut write = |at: u64, piece: &[u8]| write_at(&file, at, piece);
        verify::decode(blob, &part, &encoded, &mut write)
    })
    .await;
    result.map_err(|rejection| match rejection {
        Rejection::Corrupt => FetchError::Corrupt {
            hash: blob.hash,
            offset,
        },
        Rejection::Write(error) => io_error("write", &partial.path)(error).into(),
    })
}

/// Writes a piece; parts are taken in one after the other, so nobody else moves the file's position.
fn write_at(mut file: &File, offset: u64, piece: &[u8]) -> io::Result<()> {
    file.seek(SeekFrom::Start(offset))?;
    file.write_all(piece)
}

async fn on_blocking_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work)
        .await
        .expect("the work does not panic, and the runtime runs as long as its tasks")
}
