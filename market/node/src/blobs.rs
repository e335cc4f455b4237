//! Owns blobs: content-addressed files on this machine, and bringing them from and to other nodes.
//!
//! Never takes a byte for good before its hash says so, and never tells a node anything about a blob
//! that was not shared with it. What a blob means is not known here.
//!
//! ```text
//! receiver                                       server
//! fetch ── Range{hash, size, start, length} ──>  shared with the asker? read, check, encode
//!       <── hashes of the tree path + data ────
//! each 16 KiB checked against the hash, then written to incoming/HASH.part (kept for resuming)
//! whole file hashed again, fsync, rename ──> objects/ab/cdef...
//! ```

mod fetch;
mod files;
mod permissions;
mod protocol;
mod serve;
mod store;
mod sweep;
mod usage;
mod verify;

pub use fetch::FetchError;
pub use permissions::Permissions;
pub use protocol::{
    BlobRequest, BlobResponse, GROUP_BYTES, MAX_RANGE_BYTES, MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES,
    RangeBytes,
};
pub use serve::BlobServer;
pub use store::{Blob, BlobError, BlobStore};
pub use sweep::Swept;

#[cfg(test)]
mod tests;
