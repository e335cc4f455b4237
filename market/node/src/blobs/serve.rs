//! Owns giving parts of blobs to the nodes that they were shared with.
//!
//! Never reads for more than a few askers at a time: the others are refused and ask again.

use std::sync::Arc;

use market::NodeId;
use tokio::sync::Semaphore;

use super::permissions::Permissions;
use super::protocol::{BlobRequest, BlobResponse, MAX_RANGE_BYTES, RangeBytes};
use super::store::{Blob, BlobStore};
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
