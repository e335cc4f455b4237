//! Owns which node may fetch which blob.
//!
//! Never remembers over a restart: the leases that share blobs do so again when they resume.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use market::{BlobHash, NodeId};

/// How often each blob is shared with each node: two leases may share one blob with the same node.
type Shares = BTreeMap<BlobHash, BTreeMap<NodeId, u32>>;

/// Which node may fetch which blob. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Permissions {
    // A lock and no owning task: many readers on blocking threads ask, for a few instructions each.
    // A count is changed by single calls, so a poisoned lock still holds whole ones.
    shares: Arc<RwLock<Shares>>,
}

impl Permissions {
    /// Makes a list on which nothing is shared.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `node` fetch a blob, until it is unshared as often as it was shared.
    pub fn share(&self, hash: BlobHash, node: NodeId) {
        let mut shares = self.shares.write().unwrap_or_else(PoisonError::into_inner);
        let count = shares.entry(hash).or_default().entry(node).or_default();
        *count = count.saturating_add(1);
    }

    /// Takes one sharing back; after the last one `node` may not fetch the blob any more.
    pub fn unshare(&self, hash: BlobHash, node: NodeId) {
        let mut shares = self.shares.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(nodes) = shares.get_mut(&hash) {
            let left = nodes.get(&node).map_or(0, |count| count.saturating_sub(1));
            match left {
                0 => nodes.remove(&node),
                _ => nodes.insert(node, left),
            };
            if nodes.is_empty() {
                shares.remove(&hash);
            }
        }
    }

    /// Tells whether `node` may fetch a blob.
    pub fn allows(&self, hash: BlobHash, node: NodeId) -> bool {
        let shares = self.shares.read().unwrap_or_else(PoisonError::into_inner);
        shares
            .get(&hash)
            .is_some_and(|nodes| nodes.contains_key(&node))
    }

    /// Tells whether any node may fetch a blob.
    pub fn is_shared(&self, hash: BlobHash) -> bool {
        let shares = self.shares.read().unwrap_or_else(PoisonError::into_inner);
        shares.contains_key(&hash)
    }
}
