//! Owns making a node's database say what its journal says, write by write and as a whole when the store is opened.
//!
//! Never believes the database where there is a journal.

use std::panic::AssertUnwindSafe;

use super::journal::{Change, Mark, Values};
use super::{SCHEMA_KEY, StoreError, decode, encode};

/// Key of the place in the journal at which the database stands; vouchers, trusted set and records have other kinds.
const MARK_KEY: &[u8] = &[3];

/// Returns every value, without what the database says of itself.
pub(super) fn read(db: &sled::Db) -> Result<Values, StoreError> {
    let mut values = Values::new();
    for entry in db.iter() {
        let (key, value) = entry?;
        if key != SCHEMA_KEY && key != MARK_KEY {
            values.insert(key.to_vec(), value.to_vec());
        }
    }
    Ok(values)
}

/// Returns the place at which the database says that it stands, or why it cannot be read. All of it is read.
pub(super) fn standing(db: &sled::Db) -> Result<Option<Mark>, String> {
    // The database asserts while it reads; on a damaged file such a panic means "unreadable" and no more.
    let read = std::panic::catch_unwind(AssertUnwindSafe(|| {
        read(db)?;
        db.get(MARK_KEY)?.map(|mark| decode(&mark)).transpose()
    }));
    let read = read.map_err(|_| "the database gave up while reading".to_owned())?;
    read.map_err(|error: StoreError| error.to_string())
}

/// Makes the database hold `values` and nothing else. Returns how many of its values had to change.
pub(super) fn repair(db: &sled::Db, values: &Values) -> Result<u64, StoreError> {
    let held = read(db)?;
    let mut batch = sled::Batch::default();
    let mut repaired = 0;
    for key in held.keys().filter(|key| !values.contains_key(*key)) {
        batch.remove(key.as_slice());
        repaired += 1;
    }
    for (key, value) in values {
        if held.get(key) != Some(value) {
            batch.insert(key.as_slice(), value.as_slice());
            repaired += 1;
        }
    }
    db.apply_batch(batch)?;
    Ok(repaired)
}

/// Returns what `changes` are to the database.
pub(super) fn batch(changes: &[Change]) -> sled::Batch {
    let mut batch = sled::Batch::default();
    for change in changes {
        match change {
            Change::Put { key, value } => batch.insert(key.as_slice(), value.as_slice()),
            Change::Remove { key } => batch.remove(key.as_slice()),
        }
    }
    batch
}

/// Applies a write that is in the journal, with the place after it, in one.
pub(super) fn index(
    db: &sled::Db,
    (mut batch, mark): (sled::Batch, Mark),
) -> Result<(), StoreError> {
    batch.insert(MARK_KEY, encode(&mark)?);
    Ok(db.apply_batch(batch)?)
}

/// Notes the place in the journal at which the database stands.
pub(super) fn note(db: &sled::Db, mark: Mark) -> Result<(), StoreError> {
    db.insert(MARK_KEY, encode(&mark)?)?;
    Ok(())
}
