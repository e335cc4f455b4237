//! Owns the block log: the truth of the ledger, as append-only segments of chained records.
//!
//! Never acknowledges a record before its bytes are on disk (file synced; on creation the folder as
//! well), never rewrites one, and never guesses: an unfinished append at the very end is cut with a
//! warning, anything else that does not verify is an error that says what, where, and what to do.

mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod segment;

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use market::ChainId;
use serde::{Deserialize, Serialize};

use crate::home::Home;

pub use error::LogError;

use error::{io, room};
use segment::{BadHeader, Damage, Link, SegmentHeader};

/// The size at which a new segment is begun, 64 MiB, unless configured otherwise.
pub const SEGMENT_BYTES: u64 = 64 << 20;

/// What a log is opened with.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// The folder that holds the segments and nothing else.
    pub directory: PathBuf,
    /// The chain whose blocks it holds; segments of another chain are refused.
    pub chain: ChainId,
    /// A segment of at least this many bytes is followed by a new one.
    pub segment_bytes: u64,
}

impl LogConfig {
    /// Returns where an operator keeps its log in its home, or `None` where there is none.
    pub fn of_home(home: &Home, chain: ChainId) -> Option<Self> {
        let directory = home.path().join("ledger").join("blocks");
        directory.is_dir().then_some(Self {
            directory,
            chain,
            segment_bytes: SEGMENT_BYTES,
        })
    }
}

/// Where a record lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Number of the first record of its segment, which names the file.
    pub segment: u64,
    /// Offset of the record in the file, in bytes.
    pub offset: u64,
}

/// An unfinished append that was cut off when the log was opened. It was never acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TornTail {
    /// The segment's file.
    pub file: PathBuf,
    /// Offset at which it was cut, in bytes.
    pub offset: u64,
    /// Bytes cut off.
    pub bytes: u64,
    /// What was wrong with them.
    pub what: String,
}

/// The one writer of a block log.
#[derive(Debug)]
pub struct BlockLog {
    config: LogConfig,
    file: File,
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

/// Reads single records of a log while its writer goes on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LogReader {
    directory: PathBuf,
}

/// A log that was read and verified, and is not opened for writing yet: nothing on disk has changed.
#[derive(Debug)]
pub struct LogRecovery {
    config: LogConfig,
    next: u64,
    link: Link,
    /// The last segment and its intact length, if there is any segment.
    last: Option<(u64, u64)>,
    torn: Option<TornTail>,
}

impl LogRecovery {
    /// Reads the log at `config`, or an absent one, and calls `visit` with every record in order.
    /// Stops at the first error of the log or of `visit`.
    pub fn read<E: From<LogError>>(
        config: LogConfig,
        mut visit: impl FnMut(Position, &[u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        let link = segment::first_link(&config.chain);
        let found = segments(&config.directory)?;
        let mut recovery = Self {
            config,
            next: 0,
            link,
            last: None,
            torn: None,
        };
        for (index, &first) in found.iter().enumerate() {
            let place = if index + 1 == found.len() {
                Place::Last
            } else {
                Place::Inner
            };
            recovery.read_segment(first, place, &mut visit)?;
        }
        Ok(recovery)
    }

    /// Returns how many whole records the log holds.
    pub fn records(&self) -> u64 {
        self.next
    }

    /// Returns the unfinished append at the end, if there is one.
    pub fn torn(&self) -> Option<&TornTail> {
        self.torn.as_ref()
    }

    /// Returns a reader of single records.
    pub fn reader(&self) -> LogReader {
        LogReader {
            directory: self.config.directory.clone(),
        }
    }

    /// Cuts the unfinished append off, if there is one, and opens the log for appending.
    pub fn open(self) -> Result<BlockLog, LogError> {
        let (segment, length, file) = match self.last {
            None => {
                let directory = &self.config.directory;
                fs::create_dir_all(directory).map_err(io("create", directory))?;
                let file = create_segment(&self.config, 0, &self.link)?;
                (0, segment::HEADER_BYTES as u64, file)
            }
            Some((segment, length)) => {
                let path = segment_path(&self.config.directory, segment);
                let file = open_segment(&path, length, self.torn.as_ref())?;
                (segment, length, file)
            }
        };
        Ok(BlockLog {
            config: self.config,
            file,
            segment,
            length,
            next: self.next,
            link: self.link,
            is_poisoned: false,
        })
    }

    fn read_segment<E: From<LogError>>(
        &mut self,
        first: u64,
        place: Place,
        visit: &mut impl FnMut(Position, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let path = segment_path(&self.config.directory, first);
        if first != self.next {
            return Err(E::from(LogError::MissingSegment {
                expected: self.next,
                found: path,
            }));
        }
        let bytes = fs::read(&path).map_err(io("read", &path))?;
        self.check_header(&path, &bytes)?;
        let mut offset = segment::HEADER_BYTES;
        loop {
            match segment::read_record(&bytes, offset, &self.link) {
                Ok(None) => break,
                Ok(Some(record)) => {
                    let position = Position {
                        segment: first,
                        offset: offset as u64,
                    };
                    visit(position, record.payload)?;
                    self.next += 1;
                    self.link = record.link;
                    offset = record.end;
                }
                Err(Damage::Torn(what)) if place == Place::Last => {
                    self.torn = Some(TornTail {
                        file: path,
                        offset: offset as u64,
                        bytes: (bytes.len() - offset) as u64,
                        what: what.to_owned(),
                    });
                    break;
                }
                Err(Damage::Torn(what) | Damage::Broken(what)) => {
                    return Err(E::from(LogError::Damaged {
                        file: path,
                        offset: offset as u64,
                        what: what.to_owned(),
                    }));
                }
            }
        }
        self.last = Some((first, offset as u64));
        Ok(())
    }

    fn check_header(&self, file: &Path, bytes: &[u8]) -> Result<(), LogError> {
        let damaged = |what: &str| LogError::Damaged {
            file: file.to_path_buf(),
            offset: 0,
            what: what.to_owned(),
        };
        let header = SegmentHeader::decode(bytes).map_err(|bad| match bad {
            BadHeader::Damaged(what) => damaged(what),
            BadHeader::Newer(found) => LogError::NewerVersion {
                file: file.to_path_buf(),
                found,
                known: segment::VERSION,
            },
        })?;
        if header.chain != self.config.chain {
            return Err(LogError::OtherChain {
                file: file.to_path_buf(),
                found: header.chain,
                expected: self.config.chain,
            });
        }
        if header.first != self.next {
            return Err(damaged("the segment's header and its name disagree"));
        }
        if header.link != self.link {
            return Err(damaged("the segment does not follow the one before it"));
        }
        Ok(())
    }
}

impl BlockLog {
    /// Appends a record and returns where it lies, once it is on disk for good.
    ///
    /// After [`LogError::NoRoom`] the log is as before; after any other error of the system it takes nothing more
    /// until it is opened again.
    pub fn append(&mut self, payload: &[u8]) -> Result<Position, LogError> {
        if self.is_poisoned {
            return Err(LogError::Poisoned);
        }
        if payload.len() > segment::MAX_RECORD_BYTES {
            return Err(LogError::TooLarge {
                actual: payload.len(),
                max: segment::MAX_RECORD_BYTES,
            });
        }
        self.is_poisoned = true;
        let appended = self.append_here(payload);
        self.is_poisoned = match &appended {
            Ok(_) => false,
            Err(LogError::NoRoom { .. }) => self.undo().is_err(),
            Err(_) => true,
        };
        appended
    }

    fn append_here(&mut self, payload: &[u8]) -> Result<Position, LogError> {
        if self.length >= self.config.segment_bytes && self.next > self.segment {
            self.file = create_segment(&self.config, self.next, &self.link).map_err(room)?;
            self.segment = self.next;
            self.length = segment::HEADER_BYTES as u64;
        }
        let (record, link) = segment::encode_record(&self.link, payload);
        let path = segment_path(&self.config.directory, self.segment);
        let written = self.file.write_all(&record);
        written.map_err(io("append to", &path)).map_err(room)?;
        // A failed sync leaves unknown what is on disk, also where the reason is room.
        self.file.sync_data().map_err(io("sync", &path))?;
        let position = Position {
            segment: self.segment,
            offset: self.length,
        };
        self.length += record.len() as u64;
        self.next += 1;
        self.link = link;
        Ok(position)
    }

    /// Cuts off what an append left that found no room.
    fn undo(&mut self) -> std::io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        self.file.sync_all()
    }

    /// Returns how many records the log holds.
    pub fn records(&self) -> u64 {
        self.next
    }

    /// Returns a reader of single records.
    pub fn reader(&self) -> LogReader {
        LogReader {
            directory: self.config.directory.clone(),
        }
    }
}

impl LogReader {
    /// Reads the record at `position` and checks its bytes.
    pub fn read(&self, position: Position) -> Result<Vec<u8>, LogError> {
        let path = segment_path(&self.directory, position.segment);
        let damaged = |what: &str| LogError::Damaged {
            file: path.clone(),
            offset: position.offset,
            what: what.to_owned(),
        };
        let mut file = File::open(&path).map_err(io("open", &path))?;
        file.seek(SeekFrom::Start(position.offset))
            .map_err(io("seek in", &path))?;
        let mut header = [0; segment::RECORD_HEADER_BYTES];
        file.read_exact(&mut header).map_err(io("read", &path))?;
        let length = segment::payload_length(&header)
            .ok_or_else(|| damaged("a record's header does not verify"))?;
        let mut record = header.to_vec();
        record.resize(segment::RECORD_HEADER_BYTES + length, 0);
        file.read_exact(&mut record[segment::RECORD_HEADER_BYTES..])
            .map_err(io("read", &path))?;
        match segment::intact_record(&record) {
            Some(payload) => Ok(payload.to_vec()),
            None => Err(damaged("a record's checksum does not verify")),
        }
    }
}

fn segment_path(directory: &Path, first: u64) -> PathBuf {
    directory.join(format!("{first:020}.blocks"))
}

/// Lists the segments by the number of their first record.
fn segments(directory: &Path) -> Result<Vec<u64>, LogError> {
    let mut found = Vec::new();
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        entries => entries.map_err(io("list", directory))?,
    };
    for entry in entries {
        let name = entry.map_err(io("list", directory))?.file_name();
        let first = name
            .to_str()
            .and_then(|name| name.strip_suffix(".blocks"))
            .and_then(|digits| digits.parse::<u64>().ok());
        found.extend(first);
    }
    found.sort_unstable();
    Ok(found)
}

/// Creates a segment under a temporary name and renames it, so that no segment ever lacks its header.
fn create_segment(config: &LogConfig, first: u64, link: &Link) -> Result<File, LogError> {
    let path = segment_path(&config.directory, first);
    let unfinished = path.with_extension("new");
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(&unfinished)
        .map_err(io("create", &unfinished))?;
    let header = SegmentHeader {
        first,
        chain: config.chain,
        link: *link,
    };
    file.write_all(&header.encode())
        .map_err(io("write", &unfinished))?;
    file.sync_all().map_err(io("sync", &unfinished))?;
    fs::rename(&unfinished, &path).map_err(io("rename", &unfinished))?;
    sync_directory(&config.directory)?;
    Ok(file)
}

/// Opens a segment for appending at `length`, cutting off what is beyond.
fn open_segment(path: &Path, length: u64, torn: Option<&TornTail>) -> Result<File, LogError> {
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(path)
        .map_err(io("open", path))?;
    if let Some(torn) = torn {
        tracing::warn!(file = %path.display(), offset = torn.offset, bytes = torn.bytes,
            what = %torn.what, "cut an unfinished append off the block log");
        file.set_len(length).map_err(io("cut", path))?;
        file.sync_all().map_err(io("sync", path))?;
    }
    file.seek(SeekFrom::Start(length))
        .map_err(io("seek in", path))?;
    Ok(file)
}

/// Makes the folder's own entries durable. Only Unix lets a folder be synced.
fn sync_directory(directory: &Path) -> Result<(), LogError> {
    if cfg!(unix) {
        let folder = File::open(directory).map_err(io("open", directory))?;
        folder.sync_all().map_err(io("sync", directory))?;
    }
    Ok(())
}

/// Where a segment stands: only the last one can end in an unfinished append.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Inner,
    Last,
}

#[cfg(test)]
mod tests;
