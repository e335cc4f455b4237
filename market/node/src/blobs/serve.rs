//! Owns giving parts of blobs to the nodes that they were shared with.
//!
//! Never reads for more than a few askers at a time: the others are refused and ask again.

use std::sync::Arc;

use market::{BlobHash, NodeId};
use tokio::sync::Semaphore;

use super::permissions::Permissions;
use super::protocol::{BlobRequest, BlobResponse, MAX_RANGE_BYTES, RangeBytes};
use super::store::{Blob, BlobError, BlobStore};
use super::verify;
use crate::network::Reply;

/// Parts that are read at the same time.
const MAX_READERS: usize = 32;

impl BlobStore {
    /// Answers a request of the node `from`; reads at most a mebibyte.
    pub fn answer(
        &self,
        request: &BlobRequest,
        from: NodeId,
        permissions: &Permissions,
    ) -> BlobResponse {
        let &BlobRequest::Range {
            hash,
            start,
            length,
        } = request;
        if !permissions.allows(hash, from) {
            return BlobResponse::NotShared;
        }
        let Ok((size, content, tree)) = self.open_object(hash) else {
            return BlobResponse::NotShared;
        };
        let range = verify::valid_range(start, length, size);
        let Some(range) = range.filter(|_| length <= MAX_RANGE_BYTES) else {
            return BlobResponse::BadRange;
        };
        match verify::encode(Blob { hash, size }, &range, &content, &tree) {
            Ok(encoded) => BlobResponse::Range(RangeBytes(encoded)),
            Err(error) => {
                tracing::error!(%hash, ?error, "a blob is damaged on disk and was not served");
                BlobResponse::Unreadable
            }
        }
    }
}

impl BlobStore {
    /// Reads a whole blob, and its tree, as they would be given out, and checks them.
    ///
    /// # Errors
    /// It is not here, or is damaged.
    pub fn check(&self, hash: BlobHash) -> Result<Blob, BlobError> {
        let opened = self.open_object(hash);
        let (size, content, tree) = opened.map_err(|_| BlobError::Missing(hash))?;
        let blob = Blob { hash, size };
        let mut start = 0;
        // A blob without bytes has no part that could be checked.
        let mut is_whole = size > 0 || hash == BlobHash::of(b"");
        while is_whole && start < size {
            let end = size.min(start + u64::from(MAX_RANGE_BYTES));
            is_whole = verify::encode(blob, &(start..end), &content, &tree).is_ok();
            start = end;
        }
        is_whole.then_some(blob).ok_or(BlobError::Damaged(hash))
    }
}

/// Serves blobs from a store. Cheap to clone; all clones are one server.
#[derive(Debug, Clone)]
pub struct BlobServer {
    store: BlobStore,
    permissions: Permissions,
    readers: Arc<Semaphore>,
}

impl BlobServer {
    /// Makes a server of what is in `store`, to whom `permissions` says.
    pub fn new(store: BlobStore, permissions: Permissions) -> Self {
        Self {
            store,
            permissions,
            readers: Arc::new(Semaphore::new(MAX_READERS)),
        }
    }

    /// Answers a request on a blocking thread; drops it where too many are being answered already.
    /// Must be called within a tokio runtime.
    pub fn serve(&self, from: NodeId, request: BlobRequest, reply: Reply<BlobResponse>) {
        let Ok(reader) = Arc::clone(&self.readers).try_acquire_owned() else {
            return;
        };
        let server = self.clone();
        tokio::task::spawn_blocking(move || {
            reply.send(server.store.answer(&request, from, &server.permissions));
            drop(reader);
        });
    }
}
