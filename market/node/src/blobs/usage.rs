//! Owns the account of disk space: what is stored, what is reserved for what is coming in.
//!
//! Never lets the sum pass the quota.

use std::collections::BTreeMap;

use market::BlobHash;

/// A blob that is not complete yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Partial {
    bytes: u64,
    is_active: bool,
}

/// Why space was not reserved.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// The blob is being brought in already.
    Active(BlobHash),
    /// The quota does not allow it.
    Quota {
        /// Bytes that are left.
        free: u64,
    },
}

/// Bytes on disk and bytes promised.
#[derive(Debug)]
pub(super) struct Usage {
    quota: u64,
    stored: u64,
    importing: u64,
    partial: BTreeMap<BlobHash, Partial>,
}

impl Usage {
    pub(super) fn new(quota: u64, stored: u64) -> Self {
        Self {
            quota,
            stored,
            importing: 0,
            partial: BTreeMap::new(),
        }
    }

    /// Returns the bytes of complete blobs.
    pub(super) fn stored(&self) -> u64 {
        self.stored
    }

    /// Notes a partial file that an earlier run left.
    pub(super) fn found_partial(&mut self, hash: BlobHash, bytes: u64) {
        let partial = Partial {
            bytes,
            is_active: false,
        };
        self.partial.insert(hash, partial);
    }

    fn free(&self) -> u64 {
        let partial = self.partial.values().map(|partial| partial.bytes);
        let used = partial.fold(self.stored, u64::saturating_add);
        self.quota
            .saturating_sub(used.saturating_add(self.importing))
    }

    /// Reserves space for an import.
    pub(super) fn begin_import(&mut self, bytes: u64) -> Result<(), Denied> {
        let free = self.free();
        if bytes > free {
            return Err(Denied::Quota { free });
        }
        self.importing += bytes;
        Ok(())
    }

    /// Ends an import.
    pub(super) fn end_import(&mut self, bytes: u64) {
        self.importing = self.importing.saturating_sub(bytes);
    }

    /// Reserves space for a whole blob that will be fetched.
    pub(super) fn begin_fetch(&mut self, hash: BlobHash, size: u64) -> Result<(), Denied> {
        let held = self.partial.get(&hash).copied();
        if held.is_some_and(|partial| partial.is_active) {
            return Err(Denied::Active(hash));
        }
        let free = self.free() + held.map_or(0, |partial| partial.bytes);
        if size > free {
            return Err(Denied::Quota { free });
        }
        let partial = Partial {
            bytes: size,
            is_active: true,
        };
        self.partial.insert(hash, partial);
        Ok(())
    }

    /// Ends a fetch; `left` bytes stay in its partial file.
    pub(super) fn end_fetch(&mut self, hash: BlobHash, left: u64) {
        self.partial.remove(&hash);
        if left > 0 {
            self.found_partial(hash, left);
        }
    }

    /// Returns the partial files that nobody works on.
    pub(super) fn idle_partials(&self) -> Vec<BlobHash> {
        let idle = self
            .partial
            .iter()
            .filter(|(_, partial)| !partial.is_active);
        idle.map(|(hash, _)| *hash).collect()
    }

    /// Notes a new complete blob.
    pub(super) fn stored_one(&mut self, bytes: u64) {
        self.stored += bytes;
    }

    /// Notes that a complete blob is gone.
    pub(super) fn removed_one(&mut self, bytes: u64) {
        self.stored = self.stored.saturating_sub(bytes);
    }
}
