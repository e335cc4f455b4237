//! Owns which node may fetch which blob.
//!
//! Never remembers over a restart: the leases that share blobs do so again when they resume.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use market::{BlobHash, NodeId};

type Shares = BTreeMap<BlobHash, BTreeSet<NodeId>>;

/// Which node may fetch which blob. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Permissions {
    // A lock and no owning task: many readers on blocking threads ask, for a few instructions each.
    // A set is changed by single calls, so a poisoned lock still holds a whole one.
    shares: Arc<RwLock<Shares>>,
}

impl Permissions {
    /// Makes a list on which nothing is shared.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `node` fetch a blob.
    pub fn share(&self, hash: BlobHash, node: NodeId) {
        let mut shares = self.shares.write().unwrap_or_else(PoisonError::into_inner);
        shares.entry(hash).or_default().insert(node);
    }

    /// Ends that `node` may fetch a blob.
    pub fn unshare(&self, hash: BlobHash, node: NodeId) {
        let mut shares = self.shares.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(nodes) = shares.get_mut(&hash) {
            nodes.remove(&node);
            if nodes.is_empty() {
                shares.remove(&hash);
            }
        }
    }

    /// Tells whether `node` may fetch a blob.
    pub fn allows(&self, hash: BlobHash, node: NodeId) -> bool {
        let shares = self.shares.read().unwrap_or_else(PoisonError::into_inner);
        shares.get(&hash).is_some_and(|nodes| nodes.contains(&node))
    }
    /// Tells whether any node may fetch a blob.
    pub fn is_shared(&self, hash: BlobHash) -> bool {
        let shares = self.shares.read().unwrap_or_else(PoisonError::into_inner);
        shares.contains_key(&hash)
    }
}
