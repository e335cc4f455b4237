//! Owns why a log cannot be used.
//!
//! Never decides whether it can be used again; the log does.

use std::path::{Path, PathBuf};

use market::ChainId;

use super::LogKind;

/// Why the log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The operating system refused.
    #[error("cannot {action} {}: {source}; check the disk and the folder's permissions", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The disk has no room for a record. Nothing of it is left, and the log goes on once there is room.
    #[error("the disk of {} is full ({source}); make room, it goes on by itself", path.display())]
    NoRoom {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Bytes that were once acknowledged do not verify.
    #[error(
        "the {kind} is damaged: {what}, in {} at byte {offset}; it was left as it is: {}",
        file.display(), kind.remedy()
    )]
    Damaged {
        /// Which log.
        kind: LogKind,
        /// The segment's file.
        file: PathBuf,
        /// Offset of the damage, in bytes.
        offset: u64,
        /// What does not verify.
        what: String,
    },
    /// A segment is absent.
    #[error(
        "the {kind} has no segment that begins with record {expected}, the next one is {}; \
         restore the missing file to this folder",
        found.display()
    )]
    MissingSegment {
        /// Which log.
        kind: LogKind,
        /// The record that the next segment should begin with.
        expected: u64,
        /// The file that was found instead.
        found: PathBuf,
    },
    /// A newer release wrote it.
    #[error(
        "the {kind} {} has version {found} and this program knows up to {known}: a newer nightshift wrote it; \
         install that release again",
        file.display()
    )]
    NewerVersion {
        /// Which log.
        kind: LogKind,
        /// The segment's file.
        file: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version that this program knows.
        known: u32,
    },
    /// A segment belongs to another chain.
    #[error("{} belongs to chain {found}, this market is chain {expected}; move it away if it is not yours", file.display())]
    OtherChain {
        /// The segment's file.
        file: PathBuf,
        /// The chain that the segment names.
        found: ChainId,
        /// The chain of this market.
        expected: ChainId,
    },
    /// A record is larger than any message may be.
    #[error("a record of {actual} bytes is more than the {max} that the log takes")]
    TooLarge {
        /// Bytes of the record.
        actual: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// An earlier append failed, so what is on disk is unknown until the log is opened again.
    #[error("an earlier write to the {kind} failed; start again to recover")]
    Poisoned {
        /// Which log.
        kind: LogKind,
    },
}

/// Says what was being done to which path.
pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> LogError {
    let path = path.to_path_buf();
    move |source| LogError::Io {
        action,
        path,
        source,
    }
}

/// Tells a full disk from other failures.
pub(super) fn room(error: LogError) -> LogError {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    match error {
        LogError::Io { path, source, .. }
            if matches!(source.kind(), StorageFull | QuotaExceeded) =>
        {
            LogError::NoRoom { path, source }
        }
        other => other,
    }
}
