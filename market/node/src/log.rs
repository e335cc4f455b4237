//! Owns append-only logs: segments of chained records. The operator's blocks are one, what a node must not lose is
//! the other.
//!
//! Never acknowledges a record before its bytes are on disk (file synced; on creation the folder as
//! well), never rewrites one, and never guesses: an unfinished append at the very end is cut with a
//! warning, anything else that does not verify is an error that says what, where, and what to do.
//!
//! ```text
//! blocks    segment 0 | segment n | segment m ...      all of them, from the first record ever
//! journal                           segment m          the newest alone: it begins with all that was kept before it
//! ```

mod config;
mod error;
pub(crate) mod files;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod reader;
mod recovery;
mod segment;
#[cfg(test)]
pub(crate) mod simulated;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use config::{LogConfig, LogKind, SEGMENT_BYTES};
pub use error::LogError;
pub use reader::LogReader;
pub use recovery::{LogRecovery, TornTail};
pub(crate) use segment::Link;

use error::{io, room};
use files::{Barrier, Files, LogFile};
use segment::SegmentHeader;

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Number of the first record of its segment, which names the file.
    pub segment: u64,
    /// Offset of the record in the file, in bytes.
    pub offset: u64,
}

/// The one writer of a log.
#[derive(Debug)]
pub struct Log {
    config: LogConfig,
    files: Arc<dyn Files>,
    file: Box<dyn LogFile>,
    /// Number of the first record of the current segment.
    segment: u64,
    /// Length of the current segment in bytes.
    length: u64,
    /// Number of the next record.
    next: u64,
    /// Link of the newest record.
    link: Link,
    is_poisoned: bool,
}

impl Log {
    /// Appends a record and returns where it lies, once it is on disk for good.
    ///
    /// After [`LogError::NoRoom`] the log is as before; after any other error of the system it takes nothing more
    /// until it is opened again.
    pub fn append(&mut self, payload: &[u8]) -> Result<Position, LogError> {
        if self.is_poisoned {
            return Err(LogError::Poisoned {
                kind: self.config.kind,
            });
        }
        check_length(payload)?;
        self.is_poisoned = true;
        let appended = self.append_here(payload);
        self.is_poisoned = match &appended {
            Ok(_) => false,
            Err(LogError::NoRoom { .. }) => self.file.cut(self.length).is_err(),
            Err(_) => true,
        };
        appended
    }

    fn append_here(&mut self, payload: &[u8]) -> Result<Position, LogError> {
        if self.length >= self.config.segment_bytes && self.next > self.segment {
            self.roll(&[])?;
        }
        let (record, link) = segment::encode_record(&self.link, payload);
        let path = self.config.segment(self.segment);
        let written = self.file.append(&record);
        written.map_err(io("append to", &path)).map_err(room)?;
        // A failed sync leaves unknown what is on disk, also where the reason is room.
        let synced = self.file.sync(Barrier::RecordAppended);
        synced.map_err(io("sync", &path))?;
        let position = Position {
            segment: self.segment,
            offset: self.length,
        };
        self.length += record.len() as u64;
        self.next += 1;
        self.link = link;
        Ok(position)
    }

    /// Begins a new segment with the records of `snapshot`. Where that fails for want of room the log goes on in the
    /// segment that it has.
    pub(crate) fn roll(&mut self, snapshot: &[Vec<u8>]) -> Result<(), LogError> {
        let (config, files) = (self.config.clone(), Arc::clone(&self.files));
        let begun = begin_segment(config, files, (self.next, self.link), snapshot);
        // Once the new segment may have its name, records in the older one would not be read again.
        let is_unknown = |error: &LogError| {
            !matches!(error, LogError::NoRoom { .. } | LogError::TooLarge { .. })
        };
        self.is_poisoned |= begun.as_ref().is_err_and(is_unknown);
        let was_poisoned = self.is_poisoned;
        *self = begun?;
        self.is_poisoned = was_poisoned;
        self.remove_superseded()
    }

    /// Removes the older segments of a journal, which its newest repeats.
    fn remove_superseded(&self) -> Result<(), LogError> {
        if self.config.kind != LogKind::Journal {
            return Ok(());
        }
        let found = segments(self.files.as_ref(), &self.config)?;
        for first in found.into_iter().filter(|first| *first < self.segment) {
            let path = self.config.segment(first);
            self.files.remove(&path).map_err(io("remove", &path))?;
        }
        Ok(())
    }

    /// Returns how many records the log has had.
    pub fn records(&self) -> u64 {
        self.next
    }

    /// Returns the link of the newest record.
    pub(crate) fn link(&self) -> Link {
        self.link
    }

    /// Returns the length of the current segment in bytes.
    pub(crate) fn segment_length(&self) -> u64 {
        self.length
    }

    /// Takes nothing more until the log is opened again.
    pub(crate) fn poison(&mut self) {
        self.is_poisoned = true;
    }

    /// Returns a reader of single records.
    pub fn reader(&self) -> LogReader {
        LogReader {
            directory: self.config.directory.clone(),
        }
    }
}

fn check_length(payload: &[u8]) -> Result<(), LogError> {
    if payload.len() > segment::MAX_RECORD_BYTES {
        return Err(LogError::TooLarge {
            actual: payload.len(),
            max: segment::MAX_RECORD_BYTES,
        });
    }
    Ok(())
}

fn segment_path(directory: &Path, first: u64, kind: LogKind) -> PathBuf {
    directory.join(format!("{first:020}.{}", kind.extension()))
}

/// Lists the segments by the number of their first record.
fn segments(files: &dyn Files, config: &LogConfig) -> Result<Vec<u64>, LogError> {
    let directory = &config.directory;
    let names = match files.list(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        names => names.map_err(io("list", directory))?,
    };
    let number = |name: &String| {
        let (digits, extension) = name.split_once('.')?;
        let is_segment = extension == config.kind.extension();
        digits.parse::<u64>().ok().filter(|_| is_segment)
    };
    let mut found: Vec<u64> = names.iter().filter_map(number).collect();
    found.sort_unstable();
    Ok(found)
}

/// Begins a segment that follows `link` with record number `first`, under a temporary name first, so that no segment
/// ever lacks its header or a part of its snapshot.
fn begin_segment(
    config: LogConfig,
    files: Arc<dyn Files>,
    (first, link): (u64, Link),
    snapshot: &[Vec<u8>],
) -> Result<Log, LogError> {
    let header = SegmentHeader {
        first,
        chain: config.chain,
        link,
    };
    let (mut next, mut link) = (first, link);
    let mut bytes = header.encode(config.kind);
    for payload in snapshot {
        check_length(payload)?;
        let (record, record_link) = segment::encode_record(&link, payload);
        bytes.extend_from_slice(&record);
        (next, link) = (next + 1, record_link);
    }
    let path = config.segment(first);
    let unfinished = path.with_extension("new");
    let mut file = files
        .create(&unfinished)
        .map_err(io("create", &unfinished))
        .map_err(room)?;
    let written = file.append(&bytes);
    written.map_err(io("write", &unfinished)).map_err(room)?;
    let synced = file.sync(Barrier::SegmentWritten);
    synced.map_err(io("sync", &unfinished)).map_err(room)?;
    files
        .rename(&unfinished, &path)
        .map_err(io("rename", &unfinished))?;
    sync_folder(files.as_ref(), &config.directory, Barrier::SegmentNamed)?;
    Ok(Log {
        length: bytes.len() as u64,
        segment: first,
        config,
        files,
        file,
        next,
        link,
        is_poisoned: false,
    })
}

/// Makes the folder of a log, and the names of all folders above it durable as far as this user may look: which of
/// them are new is not known, for they may have been made by a process that was killed since.
fn make_folders(files: &dyn Files, directory: &Path) -> Result<(), LogError> {
    let made = files.create_folder(directory);
    made.map_err(io("create", directory))?;
    for folder in directory.ancestors().skip(1) {
        if folder.as_os_str().is_empty() {
            break;
        }
        match files.sync_folder(folder, Barrier::FolderNamed) {
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => break,
            synced => synced.map_err(io("sync", folder))?,
        }
    }
    Ok(())
}

fn sync_folder(files: &dyn Files, folder: &Path, barrier: Barrier) -> Result<(), LogError> {
    let synced = files.sync_folder(folder, barrier);
    synced.map_err(io("sync", folder))
}

#[cfg(test)]
mod tests;
