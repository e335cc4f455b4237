//! Owns reading a log from its beginning, verifying every record, and opening it for writing.
//!
//! Never changes anything on disk before it is told to open the log.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::error::io;
use super::files::{Barrier, Files, SystemFiles};
use super::segment::{self, BadHeader, Damage, Link, SegmentHeader};
use super::{
    Log, LogConfig, LogError, LogKind, LogReader, Position, begin_segment, make_folders, segments,
    sync_folder,
};

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

/// A log that was read and verified, and is not opened for writing yet: nothing on disk has changed.
#[derive(Debug)]
pub struct LogRecovery {
    config: LogConfig,
    files: Arc<dyn Files>,
    next: u64,
    link: Link,
    /// The last segment and its intact length, if there is any segment.
    last: Option<(u64, u64)>,
    torn: Option<TornTail>,
}

/// A record as it is read back.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) position: Position,
    /// Its number, from 0 for the first that the log ever had.
    pub(crate) number: u64,
    /// The hash over it and all records before it.
    pub(crate) link: Link,
    pub(crate) payload: &'a [u8],
}

impl LogRecovery {
    /// Reads the log at `config`, or an absent one, and calls `visit` with every record in order.
    /// Stops at the first error of the log or of `visit`.
    pub fn read<E: From<LogError>>(
        config: LogConfig,
        mut visit: impl FnMut(Position, &[u8]) -> Result<(), E>,
    ) -> Result<Self, E> {
        Self::read_on(Arc::new(SystemFiles), config, |entry| {
            visit(entry.position, entry.payload)
        })
    }

    /// Reads a log that lies on `files`.
    pub(crate) fn read_on<E: From<LogError>>(
        files: Arc<dyn Files>,
        config: LogConfig,
        mut visit: impl FnMut(Entry<'_>) -> Result<(), E>,
    ) -> Result<Self, E> {
        let mut found = segments(files.as_ref(), &config)?;
        let link = segment::first_link(&config.chain);
        let mut recovery = Self {
            config,
            files,
            next: 0,
            link,
            last: None,
            torn: None,
        };
        if recovery.config.kind == LogKind::Journal {
            // What is older is repeated at the beginning of the newest.
            found.drain(..found.len().saturating_sub(1));
            recovery.stand_at(found.first().copied())?;
        }
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

    /// Takes number and link of a segment's beginning from the segment itself.
    fn stand_at(&mut self, first: Option<u64>) -> Result<(), LogError> {
        let Some(first) = first else { return Ok(()) };
        let path = self.config.segment(first);
        let bytes = self.files.read(&path).map_err(io("read", &path))?;
        let header = self.decode_header(&path, &bytes)?;
        (self.next, self.link) = (first, header.link);
        Ok(())
    }

    /// Returns how many whole records the log has had.
    pub fn records(&self) -> u64 {
        self.next
    }

    /// Returns the unfinished append at the end, if there is one.
    pub fn torn(&self) -> Option<&TornTail> {
        self.torn.as_ref()
    }

    /// Tells whether there is no segment at all.
    pub(crate) fn is_absent(&self) -> bool {
        self.last.is_none()
    }

    /// Returns a reader of single records.
    pub fn reader(&self) -> LogReader {
        LogReader {
            directory: self.config.directory.clone(),
        }
    }

    /// Cuts the unfinished append off, if there is one, makes durable what is there, and opens the log for appending.
    /// An absent log is begun.
    pub fn open(self) -> Result<Log, LogError> {
        self.open_with(&[])
    }

    /// Opens the log; an absent one begins with the records of `snapshot`.
    pub(crate) fn open_with(self, snapshot: &[Vec<u8>]) -> Result<Log, LogError> {
        let directory = self.config.directory.clone();
        match self.last {
            None => {
                make_folders(self.files.as_ref(), &directory)?;
                begin_segment(self.config, self.files, (0, self.link), snapshot)
            }
            Some((segment, length)) => {
                let path = self.config.segment(segment);
                if let Some(torn) = &self.torn {
                    tracing::warn!(file = %path.display(), offset = torn.offset, bytes = torn.bytes,
                        what = %torn.what, "cut an unfinished append off the {}", self.config.kind);
                }
                let mut file = self.files.open(&path, length).map_err(io("open", &path))?;
                // Whoever wrote this may have been killed before waiting for the disk, and from now on it counts.
                file.sync(Barrier::TailFound).map_err(io("sync", &path))?;
                sync_folder(self.files.as_ref(), &directory, Barrier::NameFound)?;
                let log = Log {
                    config: self.config,
                    files: self.files,
                    file,
                    segment,
                    length,
                    next: self.next,
                    link: self.link,
                    is_poisoned: false,
                };
                log.remove_superseded()?;
                Ok(log)
            }
        }
    }

    fn read_segment<E: From<LogError>>(
        &mut self,
        first: u64,
        place: Place,
        visit: &mut impl FnMut(Entry<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let path = self.config.segment(first);
        if first != self.next {
            return Err(E::from(LogError::MissingSegment {
                kind: self.config.kind,
                expected: self.next,
                found: path,
            }));
        }
        let bytes = self.files.read(&path).map_err(io("read", &path))?;
        self.check_header(&path, &bytes)?;
        let mut offset = segment::HEADER_BYTES;
        loop {
            match segment::read_record(&bytes, offset, &self.link) {
                Ok(None) => break,
                Ok(Some(record)) => {
                    visit(Entry {
                        position: Position {
                            segment: first,
                            offset: offset as u64,
                        },
                        number: self.next,
                        link: record.link,
                        payload: record.payload,
                    })?;
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
                    return Err(E::from(self.damaged(&path, offset as u64, what)));
                }
            }
        }
        self.last = Some((first, offset as u64));
        Ok(())
    }

    fn damaged(&self, file: &Path, offset: u64, what: &str) -> LogError {
        LogError::Damaged {
            kind: self.config.kind,
            file: file.to_path_buf(),
            offset,
            what: what.to_owned(),
        }
    }

    fn decode_header(&self, file: &Path, bytes: &[u8]) -> Result<SegmentHeader, LogError> {
        let kind = self.config.kind;
        let header = SegmentHeader::decode(kind, bytes).map_err(|bad| match bad {
            BadHeader::Damaged(what) => self.damaged(file, 0, what),
            BadHeader::Newer(found) => LogError::NewerVersion {
                kind,
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
        Ok(header)
    }

    fn check_header(&self, file: &Path, bytes: &[u8]) -> Result<(), LogError> {
        let header = self.decode_header(file, bytes)?;
        let damaged = |what| Err(self.damaged(file, 0, what));
        if header.first != self.next {
            return damaged("the segment's header and its name disagree");
        }
        if header.link != self.link {
            return damaged("the segment does not follow the one before it");
        }
        Ok(())
    }
}

/// Where a segment stands: only the last one can end in an unfinished append.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Inner,
    Last,
}
