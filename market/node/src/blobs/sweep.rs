//! Owns clearing the store at a start: what a lease or a run still needs stays, the rest goes.
//!
//! Never decides what is needed, and never runs beside imports or fetches: those may be of blobs that nobody
//! refers to yet.

use std::collections::BTreeSet;

use market::BlobHash;

use super::store::{Blob, BlobError, BlobStore, io_error};

/// What a sweep removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Complete blobs.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Files of blobs that had not arrived as a whole.
    pub partials: u64,
}

impl BlobStore {
    /// Removes every blob and every partial file that is not in `needed`. Call it at a start, before anything
    /// is imported or fetched.
    ///
    /// # Errors
    /// The folder cannot be listed or a file cannot be removed; what was removed before stays removed.
    pub fn sweep(&self, needed: &BTreeSet<BlobHash>) -> Result<Swept, BlobError> {
        let mut swept = Swept::default();
        let folder = self.folder().join("objects");
        for Blob { hash, size } in self.objects().map_err(io_error("list", &folder))? {
            if !needed.contains(&hash) && self.remove(hash)? {
                swept.blobs += 1;
                swept.bytes = swept.bytes.saturating_add(size);
            }
        }
        let idle = self.usage().idle_partials();
        for hash in idle.into_iter().filter(|hash| !needed.contains(hash)) {
            self.remove_partial(hash)?;
            swept.partials += 1;
        }
        Ok(swept)
    }
}
