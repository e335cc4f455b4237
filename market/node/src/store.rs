//! Owns the databases of a node, and is the only place that knows that they are sled's.
//!
//! Never acknowledges a write before it is in a log on disk, never opens a store that a newer release
//! wrote, and never deletes one that it cannot read: that one is renamed and another is made from the log.
//!
//! ```text
//! OperatorIndex   from the block log              both are databases that can be made again;
//! NodeStore       from the journal beside it      the logs are the truth
//! ```
//!
//! Keys are one kind byte followed by big-endian fields, so that a scan of a prefix is in order. Every
//! value begins with a version byte and a check of what follows it. A store has one writer: `OperatorIndex` belongs to the operator's
//! task; `NodeStore` serialises its writes.

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod index;
mod inspect;
mod journal;
mod migrate;
mod node;
mod reconcile;

pub use index::{IndexHead, OperatorIndex, TradesHead, TransactionPlace};
pub use inspect::{Inspection, inspect};
pub use migrate::Migrated;
pub use node::{Direction, NodeStore, Record, RecordKind, Recovered};

use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::time::Duration;

use market::{ChannelId, wire};
use serde::{Serialize, de::DeserializeOwned};

use crate::disk::DiskError;
use crate::log::LogError;

/// Key of the store's schema; no kind of record has the byte 0.
const SCHEMA_KEY: &[u8] = b"\0schema";

/// The schema of an operator's index. Schema 1 had no check in its values.
const INDEX_SCHEMA: u32 = 2;

/// The schema of a node's store. From schema 3 on the journal beside it is the truth; 2 was the first with checks.
const NODE_SCHEMA: u32 = 3;

/// The version byte of every value.
const VALUE_VERSION: u8 = 2;

/// Leading bytes of BLAKE3 over a value, which stand before it.
const CHECK_BYTES: usize = 8;

/// The most bytes of one value.
pub const MAX_VALUE_BYTES: usize = 4 << 20;

/// The file in a store's folder that holds the records.
const DATABASE_FILE: &str = "db";

/// Attempts to open a store that something else still holds, and the pause between them.
const OPEN_ATTEMPTS: u32 = 20;
const OPEN_PAUSE: Duration = Duration::from_millis(50);

/// Memory that the page cache of a node's store may take, in bytes.
const NODE_CACHE_BYTES: u64 = 32 << 20;

/// The same of an operator's index, whose keys come in no order: with a million transfers in the
/// ledger it takes a block in 50 us a transfer with plenty, and in 80 us with an eighth of this.
const INDEX_CACHE_BYTES: u64 = 256 << 20;

/// Why a store could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A newer release wrote it.
    #[error(
        "the store {} has schema {found} and this program knows up to {known}: a newer nightshift \
         wrote it; install that release again",
        directory.display()
    )]
    NewerSchema {
        /// The store.
        directory: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema that this program knows.
        known: u32,
    },
    /// An older store cannot be turned into one of this program's.
    #[error(
        "the store {} has the older schema {found} and cannot be migrated: {why}; it is left as it is. Go on with \
         the release that wrote it, or move it away to begin a fresh one", directory.display()
    )]
    NotMigrated {
        /// The store.
        directory: PathBuf,
        /// Its schema.
        found: u32,
        /// What is in the way.
        why: String,
    },
    /// It is of another kind than the one that is opened.
    #[error("the store {} is not a {expected}; move it away", directory.display())]
    OtherKind {
        /// The store.
        directory: PathBuf,
        /// The kind that was wanted.
        expected: &'static str,
    },
    /// The operating system refused.
    #[error(
        "cannot use the store {}: {source}; check the disk and that no other nightshift uses this home",
        directory.display()
    )]
    Io {
        /// The store.
        directory: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The disk is too full to write anything safely.
    #[error("nothing was written to the store: {0}")]
    NoRoom(#[from] DiskError),
    /// The disk has no room for a second copy of an older store.
    #[error(
        "the copy needs {} MiB and the disk has {} MiB left; make room and start again",
        needed.div_ceil(1 << 20), free >> 20
    )]
    NoRoomToMigrate {
        /// Bytes that the copy may take.
        needed: u64,
        /// Bytes that are left.
        free: u64,
    },
    /// Writes that were acknowledged are not in the journal.
    #[error(
        "the store {} knows writes that its journal {} does not have: an older journal was put there. To go on with \
         the store and lose nothing, move the journal away; to go on with the journal, move the store away",
        directory.display(), journal.display()
    )]
    JournalBehind {
        /// The store.
        directory: PathBuf,
        /// The journal.
        journal: PathBuf,
    },
    /// The journal beside the store failed.
    #[error(transparent)]
    Journal(#[from] LogError),
    /// The database failed while it was in use.
    #[error("the store failed: {0}")]
    Database(String),
    /// A value does not decode.
    #[error("a value of the store does not decode: {0}")]
    Value(String),
    /// A key or a value is longer than the store takes.
    #[error("{actual} bytes are more than the {max} that the store takes")]
    TooLarge {
        /// Bytes offered.
        actual: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A voucher that does not rise above the newest one of its channel.
    #[error(
        "voucher {offered} of channel {channel} does not follow voucher {newest}, which is kept"
    )]
    NotRising {
        /// The channel.
        channel: ChannelId,
        /// Sequence of the newest voucher kept.
        newest: u64,
        /// Sequence of the refused one.
        offered: u64,
    },
    /// A trusted set that would go back.
    #[error("the trusted set is at height {held} and cannot go back to {offered}")]
    TrustGoesBack {
        /// Height of the set held.
        held: u64,
        /// Height of the refused one.
        offered: u64,
    },
    /// The task that was to write is gone, because the program is stopping.
    #[error("the program is stopping; nothing was written")]
    Stopping,
}

impl From<sled::Error> for StoreError {
    fn from(error: sled::Error) -> Self {
        Self::Database(error.to_string())
    }
}

/// What a store is, and in which form.
#[derive(Debug, Clone, Copy)]
struct Schema {
    kind: &'static str,
    version: u32,
    cache_bytes: u64,
}

impl Schema {
    /// The form in which this program writes operators' indexes.
    const INDEX: Self = Self {
        kind: "nightshift operator index",
        version: INDEX_SCHEMA,
        cache_bytes: INDEX_CACHE_BYTES,
    };

    /// The form in which this program writes nodes' stores.
    const NODE: Self = Self {
        kind: "nightshift node store",
        version: NODE_SCHEMA,
        cache_bytes: NODE_CACHE_BYTES,
    };
}

/// What was done with a store that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// Where the unreadable store lies now.
    pub renamed_to: PathBuf,
    /// Why it could not be read.
    pub why: String,
}

/// Opens the store at `directory`; an older one is migrated first, and one that is unreadable is set aside and
/// a fresh one begun.
fn open(directory: &Path, schema: Schema) -> Result<(sled::Db, Option<SetAside>), StoreError> {
    migrate::finish(directory)?;
    match try_open(directory, schema)? {
        Readable::Yes(db) => Ok((db, None)),
        Readable::No(why) => {
            let aside = set_aside(directory, why)?;
            match try_open(directory, schema)? {
                Readable::Yes(db) => Ok((db, Some(aside))),
                Readable::No(why) => Err(StoreError::Database(why)),
            }
        }
    }
}

enum Readable {
    Yes(sled::Db),
    No(String),
}

fn try_open(directory: &Path, schema: Schema) -> Result<Readable, StoreError> {
    let was_there = directory.join(DATABASE_FILE).exists();
    let db = match open_patiently(directory, schema.cache_bytes)? {
        Readable::Yes(db) => db,
        Readable::No(why) => return Ok(Readable::No(why)),
    };
    let schema_checked = if was_there {
        check_schema(&db, directory, schema)
    } else {
        write_schema(&db, schema)
    };
    match schema_checked {
        Ok(found) if found < schema.version => {
            let db = migrate::migrate(directory, db, (found, schema))?;
            Ok(Readable::Yes(db))
        }
        Ok(_) => Ok(Readable::Yes(db)),
        Err(StoreError::Database(why)) => Ok(Readable::No(why)),
        Err(error) => Err(error),
    }
}

/// Opens the database, again for a moment while something else still holds it: the lock of a store that was
/// just closed is released a little later.
fn open_patiently(directory: &Path, cache_bytes: u64) -> Result<Readable, StoreError> {
    let mut attempt = 1;
    loop {
        match open_database(directory, cache_bytes) {
            Ok(db) => return Ok(Readable::Yes(db)),
            Err(OpenFailure::Unreadable(why)) => return Ok(Readable::No(why)),
            Err(OpenFailure::Io(_)) if attempt < OPEN_ATTEMPTS => {
                attempt += 1;
                std::thread::sleep(OPEN_PAUSE);
            }
            Err(OpenFailure::Io(source)) => {
                return Err(StoreError::Io {
                    directory: directory.to_path_buf(),
                    source,
                });
            }
        }
    }
}

enum OpenFailure {
    Unreadable(String),
    Io(std::io::Error),
}

fn open_database(directory: &Path, cache_bytes: u64) -> Result<sled::Db, OpenFailure> {
    let config = sled::Config::new()
        .path(directory)
        .cache_capacity(cache_bytes)
        .flush_every_ms(None);
    // sled asserts while it recovers; on a damaged file such a panic means "unreadable" and no more.
    // Nothing of a failed attempt is looked at again, so there is no broken state to see.
    let opened = std::panic::catch_unwind(AssertUnwindSafe(|| config.open()))
        .map_err(|_| OpenFailure::Unreadable("the database gave up while recovering".to_owned()))?;
    opened.map_err(|error| match error {
        sled::Error::Io(source) if !is_about_content(&source) => OpenFailure::Io(source),
        other => OpenFailure::Unreadable(other.to_string()),
    })
}

/// Tells whether an I/O error is about what a file contains, and not about reaching it.
fn is_about_content(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

/// Renames an unreadable store to the first free name with a suffix.
fn set_aside(directory: &Path, why: String) -> Result<SetAside, StoreError> {
    let io = |source| StoreError::Io {
        directory: directory.to_path_buf(),
        source,
    };
    let mut number = 1u32;
    let renamed_to = loop {
        let mut name = directory.as_os_str().to_owned();
        name.push(format!(".unreadable-{number}"));
        let candidate = PathBuf::from(name);
        if !candidate.try_exists().map_err(io)? {
            break candidate;
        }
        number += 1;
    };
    std::fs::rename(directory, &renamed_to).map_err(io)?;
    tracing::warn!(store = %directory.display(), renamed_to = %renamed_to.display(), why,
        "a store that cannot be read was set aside, and a fresh one begun");
    Ok(SetAside { renamed_to, why })
}

fn write_schema(db: &sled::Db, schema: Schema) -> Result<u32, StoreError> {
    let mut value = schema.version.to_be_bytes().to_vec();
    value.extend_from_slice(schema.kind.as_bytes());
    db.insert(SCHEMA_KEY, value)?;
    db.flush()?;
    Ok(schema.version)
}

/// Checks the schema of a store that was there and returns which one it is. sled opens a file of garbage as an empty database, so
/// that an absent schema means that the store cannot be read.
fn check_schema(db: &sled::Db, directory: &Path, schema: Schema) -> Result<u32, StoreError> {
    let Some(stated) = db.get(SCHEMA_KEY)? else {
        return Err(StoreError::Database("it has no schema".to_owned()));
    };
    let Some((version, kind)) = stated.split_first_chunk::<4>() else {
        return Err(StoreError::Database(
            "its schema does not decode".to_owned(),
        ));
    };
    if kind != schema.kind.as_bytes() {
        return Err(StoreError::OtherKind {
            directory: directory.to_path_buf(),
            expected: schema.kind,
        });
    }
    let found = u32::from_be_bytes(*version);
    if found > schema.version {
        return Err(StoreError::NewerSchema {
            directory: directory.to_path_buf(),
            found,
            known: schema.version,
        });
    }
    Ok(found)
}

/// Joins a kind byte and the fields of a key.
fn key(kind: u8, fields: &[&[u8]]) -> Vec<u8> {
    let mut key = vec![kind];
    for field in fields {
        key.extend_from_slice(field);
    }
    key
}

/// Encodes a value behind its version byte.
fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, StoreError> {
    versioned(&wire::encode(value))
}

/// Puts the version byte and the check before bytes that are kept as they are.
fn versioned(bytes: &[u8]) -> Result<Vec<u8>, StoreError> {
    if bytes.len() > MAX_VALUE_BYTES {
        return Err(StoreError::TooLarge {
            actual: bytes.len(),
            max: MAX_VALUE_BYTES,
        });
    }
    Ok([&[VALUE_VERSION], &check(bytes)[..], bytes].concat())
}

/// Returns the bytes behind the version byte and the check, which must hold.
fn unversioned(value: &[u8]) -> Result<&[u8], StoreError> {
    let (version, rest) = value
        .split_first()
        .ok_or_else(|| StoreError::Value("it is empty".to_owned()))?;
    if *version != VALUE_VERSION {
        let why = format!("its version {version} is not known");
        return Err(StoreError::Value(why));
    }
    match rest.split_first_chunk::<CHECK_BYTES>() {
        Some((stated, bytes)) if *stated == check(bytes) => Ok(bytes),
        _ => Err(StoreError::Value("its check does not hold".to_owned())),
    }
}

fn check(bytes: &[u8]) -> [u8; CHECK_BYTES] {
    let mut check = [0; CHECK_BYTES];
    check.copy_from_slice(&blake3::hash(bytes).as_bytes()[..CHECK_BYTES]);
    check
}

fn decode<T: DeserializeOwned>(value: &[u8]) -> Result<T, StoreError> {
    wire::decode(unversioned(value)?, MAX_VALUE_BYTES)
        .map_err(|error| StoreError::Value(error.to_string()))
}

#[cfg(test)]
mod tests;
