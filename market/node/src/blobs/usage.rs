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

/// What wants to come in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coming {
    /// An import of so many bytes.
    Import(u64),
    /// A whole blob that will be fetched, its hash and its size.
    Fetch(BlobHash, u64),
}

impl Coming {
    /// Returns how many bytes it will have.
    pub(super) fn bytes(self) -> u64 {
        match self {
            Self::Import(bytes) | Self::Fetch(_, bytes) => bytes,
        }
    }

    /// Tells whether it is the blob of this hash.
    pub(super) fn is_of(self, blob: BlobHash) -> bool {
        matches!(self, Self::Fetch(hash, _) if hash == blob)
    }
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

    /// Reserves space for what comes in.
    pub(super) fn begin(&mut self, coming: Coming) -> Result<(), Denied> {
        match coming {
            Coming::Import(bytes) => self.begin_import(bytes),
            Coming::Fetch(hash, size) => self.begin_fetch(hash, size),
        }
    }

    /// Returns the bytes that something will still write, when `arrived` of them are in its file.
    pub(super) fn missing(coming: Coming, arrived: impl Fn(BlobHash) -> u64) -> u64 {
        match coming {
            Coming::Import(bytes) => bytes,
            Coming::Fetch(hash, size) => size.saturating_sub(arrived(hash)),
        }
    }

    /// Returns the bytes that were promised to others and are not in their files yet.
    pub(super) fn outstanding(&self, imported: u64, arrived: impl Fn(BlobHash) -> u64) -> u64 {
        let active = self.partial.iter().filter(|(_, partial)| partial.is_active);
        let missing = active.map(|(hash, partial)| partial.bytes.saturating_sub(arrived(*hash)));
        let importing = self.importing.saturating_sub(imported);
        missing.fold(importing, u64::saturating_add)
    }

    /// Tells whether a blob is being fetched.
    pub(super) fn is_active(&self, hash: BlobHash) -> bool {
        self.partial
            .get(&hash)
            .is_some_and(|partial| partial.is_active)
    }

    /// Reserves space for an import.
    fn begin_import(&mut self, bytes: u64) -> Result<(), Denied> {
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
    fn begin_fetch(&mut self, hash: BlobHash, size: u64) -> Result<(), Denied> {
        if self.is_active(hash) {
            return Err(Denied::Active(hash));
        }
        let held = self.partial.get(&hash).copied();
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
