//! Owns how much room the disk still has, and whether that is enough to take something new.
//!
//! Never frees room: what lies on the disk is the person's or is promised to someone.

use std::io;
use std::path::{Path, PathBuf};

/// Why nothing new is taken.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The system does not say how much room there is.
    #[error("cannot ask how much room the disk of {} has: {source}", folder.display())]
    Unknown {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is less than is kept in reserve.
    #[error(
        "the disk of {} has {} MiB left, which is below the reserve of {} MiB: nothing new is taken. Make room, \
         or change disk.reserve_mib with `nightshift config set`",
        folder.display(), free_bytes >> 20, reserve_bytes >> 20
    )]
    Low {
        /// The folder.
        folder: PathBuf,
        /// Bytes that are left.
        free_bytes: u64,
        /// Bytes that are kept in reserve.
        reserve_bytes: u64,
    },
}

/// Returns how many bytes this user can still write to the file system of `folder`.
///
/// # Errors
/// The system does not say, for example because the folder is gone.
pub fn free_bytes(folder: &Path) -> Result<u64, DiskError> {
    #[cfg(unix)]
    {
        let stat = rustix::fs::statvfs(folder).map_err(|error| DiskError::Unknown {
            folder: folder.to_owned(),
            source: error.into(),
        })?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
    #[cfg(not(unix))]
    Err(DiskError::Unknown {
        folder: folder.to_owned(),
        source: io::ErrorKind::Unsupported.into(),
    })
}

/// Checks that something of `new_bytes` can be put into `folder` and the reserve is still there after it. A
/// system that does not say how much room there is stops nothing.
///
/// # Errors
/// There is less room.
pub fn check_room(folder: &Path, reserve_bytes: u64, new_bytes: u64) -> Result<(), DiskError> {
    let Ok(free_bytes) = free_bytes(folder) else {
        return Ok(());
    };
    if free_bytes < reserve_bytes.saturating_add(new_bytes) {
        return Err(DiskError::Low {
            folder: folder.to_owned(),
            free_bytes,
            reserve_bytes,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
