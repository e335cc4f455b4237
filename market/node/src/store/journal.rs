//! Owns the truth of a node's store: an append-only log of what was kept and removed, in the form of the block log.
//!
//! Never returns from a write before it is on disk. The log is one segment: it begins with all that was there when it
//! was begun, and when the changes outgrow that, a new one takes its place.
//!
//! ```text
//! segment = Snapshot{records: n} | n x Changes | Changes | Changes ...     one Changes a write, whole or not at all
//! ```

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use market::{ChainId, wire};
use serde::{Deserialize, Serialize};

use super::{MAX_VALUE_BYTES, StoreError};
use crate::log::files::Files;
use crate::log::{Link, Log, LogConfig, LogError, LogRecovery, TornTail};

/// What the changes may take beyond the snapshot before a new segment is begun, in bytes.
const CHANGES_BYTES: u64 = 4 << 20;

/// What one record of a snapshot holds, in bytes, unless a single value is larger.
const SNAPSHOT_RECORD_BYTES: usize = 1 << 20;

/// The most bytes of a write: a few of the largest values.
const MAX_WRITE_BYTES: usize = 3 * MAX_VALUE_BYTES;

/// A key and what happens to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Change {
    /// The value is there, in place of an older one.
    Put { key: Vec<u8>, value: Vec<u8> },
    /// There is no value any more.
    Remove { key: Vec<u8> },
}

/// What a record of the log says. The numbers of the variants are on disk: new ones go last.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// Nothing before this counts; the next so many records are all that there was.
    Snapshot { records: u64 },
    /// What one write changed.
    Changes(Vec<Change>),
}

/// A place in the log, by which the index says how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// How many records the log has had.
    pub(super) records: u64,
    /// The hash over all of them.
    pub(super) link: Link,
}

/// All keys and their values.
pub(super) type Values = BTreeMap<Vec<u8>, Vec<u8>>;

/// The log, opened for writing.
#[derive(Debug)]
pub(super) struct Journal {
    log: Log,
    /// What a snapshot took when the segment was begun, or would have taken when it was opened, in bytes.
    snapshot_bytes: u64,
}

/// A journal that was read and verified, and is not open for writing yet.
#[derive(Debug)]
pub(super) struct Recovery {
    log: LogRecovery,
    /// What is kept.
    pub(super) values: Values,
    /// Every place at which the index may stand: after the snapshot and after each write since. Before those it
    /// is only behind.
    marks: Vec<Mark>,
    /// Records of the snapshot that have not been read.
    missing: u64,
}

impl Recovery {
    /// Reads the journal at `directory`, or an absent one.
    pub(super) fn read(
        files: Arc<dyn Files>,
        directory: PathBuf,
        chain: ChainId,
    ) -> Result<Self, StoreError> {
        let (mut values, mut marks, mut missing) = (Values::new(), Vec::new(), 0);
        let config = LogConfig::journal(directory, chain);
        let log = LogRecovery::read_on(files, config, |record| {
            match wire::decode(record.payload, wire::MAX_MESSAGE_BYTES) {
                Ok(Entry::Snapshot { records }) => {
                    values.clear();
                    missing = records;
                }
                Ok(Entry::Changes(changes)) => {
                    apply(&mut values, changes);
                    missing = u64::saturating_sub(missing, 1);
                }
                Err(error) => {
                    let number = record.number;
                    let why = format!("record {number} of the journal does not decode: {error}");
                    return Err(StoreError::Value(why));
                }
            }
            let (records, link) = (record.number + 1, record.link);
            marks.push(Mark { records, link });
            Ok(())
        })?;
        let recovery = Self {
            log,
            values,
            marks,
            missing,
        };
        recovery.check_snapshot()?;
        Ok(recovery)
    }

    /// A snapshot is written before its segment has a name, so that a part of one is damage and no unfinished write.
    fn check_snapshot(&self) -> Result<(), StoreError> {
        match self.log.torn() {
            Some(torn) if self.missing > 0 || self.marks.is_empty() => {
                Err(StoreError::Journal(LogError::Damaged {
                    kind: crate::log::LogKind::Journal,
                    file: torn.file.clone(),
                    offset: torn.offset,
                    what: format!("in its snapshot, {}", torn.what),
                }))
            }
            _ => Ok(()),
        }
    }

    /// Tells whether there is no journal.
    pub(super) fn is_absent(&self) -> bool {
        self.log.is_absent()
    }

    /// Returns the unfinished write at the end, which was never acknowledged.
    pub(super) fn torn(&self) -> Option<&TornTail> {
        self.log.torn()
    }

    /// Tells whether the journal holds all that a database at this mark knows.
    pub(super) fn has_reached(&self, mark: Mark) -> bool {
        let oldest = self.marks.first().map_or(0, |first| first.records);
        mark.records < oldest || self.marks.contains(&mark)
    }

    /// Opens the journal for writing; an absent one is begun with `values`.
    pub(super) fn open(self, values: &Values) -> Result<Journal, StoreError> {
        let snapshot = if self.log.is_absent() {
            snapshot(values)
        } else {
            Vec::new()
        };
        Ok(Journal {
            log: self.log.open_with(&snapshot)?,
            snapshot_bytes: bytes_of(values),
        })
    }
}

impl Journal {
    /// Makes a write durable, whole or not at all.
    pub(super) fn append(&mut self, changes: Vec<Change>) -> Result<Mark, StoreError> {
        let bytes = wire::encode(&Entry::Changes(changes));
        if bytes.len() > MAX_WRITE_BYTES {
            return Err(StoreError::TooLarge {
                actual: bytes.len(),
                max: MAX_WRITE_BYTES,
            });
        }
        self.log.append(&bytes)?;
        Ok(self.mark())
    }

    /// Returns the place after the newest write.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            records: self.log.records(),
            link: self.log.link(),
        }
    }

    /// Tells whether the changes have outgrown the snapshot.
    pub(super) fn is_long(&self) -> bool {
        let changes = self
            .log
            .segment_length()
            .saturating_sub(self.snapshot_bytes);
        changes > self.snapshot_bytes.max(CHANGES_BYTES)
    }

    /// Begins a new segment with `values`, which are all that is kept, and drops the older one.
    pub(super) fn begin_anew(&mut self, values: &Values) -> Result<Mark, StoreError> {
        self.log.roll(&snapshot(values))?;
        self.snapshot_bytes = bytes_of(values);
        Ok(self.mark())
    }

    /// Takes nothing more until it is opened again.
    pub(super) fn poison(&mut self) {
        self.log.poison();
    }
}

fn bytes_of(values: &Values) -> u64 {
    let bytes = values.iter().map(|(key, value)| key.len() + value.len());
    bytes.sum::<usize>() as u64
}

fn apply(values: &mut Values, changes: Vec<Change>) {
    for change in changes {
        match change {
            Change::Put { key, value } => {
                values.insert(key, value);
            }
            Change::Remove { key } => {
                values.remove(&key);
            }
        }
    }
}

/// Returns the records with which a segment begins.
fn snapshot(values: &Values) -> Vec<Vec<u8>> {
    let mut records = vec![Vec::new()];
    let (mut changes, mut bytes) = (Vec::new(), 0);
    for (key, value) in values {
        bytes += key.len() + value.len();
        changes.push(Change::Put {
            key: key.clone(),
            value: value.clone(),
        });
        if bytes >= SNAPSHOT_RECORD_BYTES {
            records.push(wire::encode(&Entry::Changes(std::mem::take(&mut changes))));
            bytes = 0;
        }
    }
    if !changes.is_empty() {
        records.push(wire::encode(&Entry::Changes(changes)));
    }
    let count = records.len() as u64 - 1;
    records[0] = wire::encode(&Entry::Snapshot { records: count });
    records
}

#[cfg(test)]
mod tests;
