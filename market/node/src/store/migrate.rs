//! Owns turning an older store into one of this program's form: the new one is made beside it, verified, and
//! only then takes its place; the older one stays as a backup.
//!
//! Values mean the same in both, but for jobs of schema 1, which became runs of one attempt.
//!
//! Never changes a value of the older store, so that a migration that was interrupted, at any instant, begins
//! again from what was there.
//!
//! ```text
//! store (schema 1 or 2)                              killed here: `.migrating` is made again
//!   read ──► store.migrating ──verify, flush──► store.migrated
//! store ──rename──► store.backup-schema-N            killed here: the next start renames `.migrated`
//! store.migrated ──rename──► store
//! ```

mod jobs;

use std::borrow::Cow;
use std::fs::{self, File};
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};

use crate::disk;

use super::{
    DATABASE_FILE, NODE_CACHE_BYTES, Readable, SCHEMA_KEY, Schema, StoreError, node::is_job,
    open_patiently, unversioned, versioned, write_schema,
};

/// Room that must be left beside the copy, in bytes: the database takes it in pieces of half a MiB.
const MARGIN_BYTES: u64 = 8 << 20;

/// Values that are written between two flushes.
const BATCH: usize = 1_000;

/// The schema that is there, and the form to be made of it.
type Step = (u32, Schema);

/// The schema whose values had no check.
const UNCHECKED_SCHEMA: u32 = 1;

/// The version byte of every value of schema 1.
const UNCHECKED_VALUE: u8 = 1;

/// What a migration did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The schema of the store that was there.
    pub from: u32,
    /// The schema of the store that is there now.
    pub to: u32,
    /// Values that were carried over.
    pub values: usize,
    /// Where the older store lies now.
    pub backup: PathBuf,
}

fn beside(directory: &Path, suffix: &str) -> PathBuf {
    let mut name = directory.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn io(directory: &Path) -> impl Fn(std::io::Error) -> StoreError {
    let directory = directory.to_path_buf();
    move |source| StoreError::Io {
        directory: directory.clone(),
        source,
    }
}

/// Puts a migrated store in its place where an earlier run was interrupted just before that.
pub(super) fn finish(directory: &Path) -> Result<(), StoreError> {
    let migrated = beside(directory, ".migrated");
    if !migrated.exists() {
        return Ok(());
    }
    if directory.join(DATABASE_FILE).exists() {
        // The older store is still in its place, so the migration begins again.
        return fs::remove_dir_all(&migrated).map_err(io(&migrated));
    }
    if directory.exists() {
        fs::remove_dir(directory).map_err(io(directory))?;
    }
    fs::rename(&migrated, directory).map_err(io(directory))?;
    sync_parent(directory)
}

/// Migrates the open store `old` of `directory`, which has schema `found`, and opens the result.
pub(super) fn migrate(
    directory: &Path,
    old: sled::Db,
    (found, schema): (u32, Schema),
) -> Result<sled::Db, StoreError> {
    let making = beside(directory, ".migrating");
    if making.exists() {
        fs::remove_dir_all(&making).map_err(io(&making))?;
    }
    let made = check_copy_fits(directory, &old).and_then(|()| make(&old, &making, (found, schema)));
    let values = made.map_err(|error| {
        // What was begun would only take the room that is missing.
        let _unfinished = fs::remove_dir_all(&making);
        StoreError::NotMigrated {
            directory: directory.to_path_buf(),
            found,
            why: error.to_string(),
        }
    })?;
    drop(old);
    let migrated = put_in_place(directory, &making, (found, schema.version, values))?;
    tracing::warn!(store = %directory.display(), backup = %migrated.backup.display(), values = migrated.values,
        from = migrated.from, to = migrated.to,
        "the store of an older release was migrated; its backup can be removed once all is well");
    match open_patiently(directory, schema.cache_bytes)? {
        Readable::Yes(db) => Ok(db),
        Readable::No(why) => Err(StoreError::Database(why)),
    }
}

/// Checks that the disk has room for a second copy of `old`: the database does not recover from a disk that
/// fills up under it.
fn check_copy_fits(directory: &Path, old: &sled::Db) -> Result<(), StoreError> {
    let parent = directory.parent().unwrap_or(directory);
    let free = match disk::free_bytes(parent) {
        Ok(free) => free,
        Err(_) => return Ok(()), // A system that does not say stops nothing.
    };
    let needed = old.size_on_disk()?.saturating_add(MARGIN_BYTES);
    if free < needed {
        return Err(StoreError::NoRoomToMigrate { needed, free });
    }
    Ok(())
}

/// Makes the new store in `making` and closes it. Returns how many values it has.
fn make(old: &sled::Db, making: &Path, step: Step) -> Result<usize, StoreError> {
    let new = match open_patiently(making, NODE_CACHE_BYTES)? {
        Readable::Yes(new) => new,
        Readable::No(why) => return Err(StoreError::Database(why)),
    };
    // The database may panic where writing fails, as on a disk that is full. The copy is thrown away then, and
    // the older store was only read.
    let carried = std::panic::catch_unwind(AssertUnwindSafe(|| carry_over(old, &new, step)));
    carried.unwrap_or_else(|_| Err(StoreError::Database("it gave up while writing".to_owned())))
}

/// Copies every value in its new form, flushes, and reads all of it again.
fn carry_over(old: &sled::Db, new: &sled::Db, step: Step) -> Result<usize, StoreError> {
    let mut values = 0;
    let mut batch = sled::Batch::default();
    for entry in old.iter() {
        let (key, value) = entry?;
        if key == SCHEMA_KEY {
            continue;
        }
        batch.insert(&key, versioned(&carried((&key, &value), step)?)?);
        values += 1;
        if values % BATCH == 0 {
            new.apply_batch(std::mem::take(&mut batch))?;
        }
    }
    new.apply_batch(batch)?;
    write_schema(new, step.1)?;
    verify((old, new), step)?;
    Ok(values)
}

/// Returns what an entry of an older schema is now, without version and check. A job's record that does not decode is
/// kept as it is.
fn carried<'a>(
    (key, value): (&[u8], &'a [u8]),
    (found, schema): Step,
) -> Result<Cow<'a, [u8]>, StoreError> {
    if found != UNCHECKED_SCHEMA {
        return unversioned(value).map(Cow::Borrowed);
    }
    let bytes = unchecked(value)?;
    if is_job(key, schema)
        && let Ok(run) = jobs::as_run(bytes)
    {
        return Ok(Cow::Owned(run));
    }
    Ok(Cow::Borrowed(bytes))
}

fn unchecked(value: &[u8]) -> Result<&[u8], StoreError> {
    match value.split_first() {
        Some((&UNCHECKED_VALUE, bytes)) => Ok(bytes),
        _ => Err(StoreError::Value(
            "it is of no version that schema 1 had".to_owned(),
        )),
    }
}

/// Checks that both stores hold the same, in the same order.
fn verify((old, new): (&sled::Db, &sled::Db), step: Step) -> Result<(), StoreError> {
    let differ = || StoreError::Value("what was written reads back as something else".to_owned());
    let mut copies = new.iter();
    for entry in old.iter() {
        let (key, value) = entry?;
        let (copied_key, copied) = copies.next().ok_or_else(differ)??;
        let is_value = key != SCHEMA_KEY;
        if copied_key != key
            || is_value && unversioned(&copied)? != carried((&key, &value), step)?.as_ref()
        {
            return Err(differ());
        }
    }
    match copies.next() {
        None => Ok(()),
        Some(_) => Err(differ()),
    }
}

/// Exchanges the older store for the new one. Both are closed.
fn put_in_place(
    directory: &Path,
    making: &Path,
    (from, to, values): (u32, u32, usize),
) -> Result<Migrated, StoreError> {
    let migrated = beside(directory, ".migrated");
    let backup = free_name(directory, &format!(".backup-schema-{from}"))?;
    fs::rename(making, &migrated).map_err(io(making))?;
    sync_parent(directory)?;
    fs::rename(directory, &backup).map_err(io(directory))?;
    fs::rename(&migrated, directory).map_err(io(directory))?;
    sync_parent(directory)?;
    Ok(Migrated {
        from,
        to,
        values,
        backup,
    })
}

/// Returns the first name with this suffix, and a number behind it if need be, that is free.
fn free_name(directory: &Path, suffix: &str) -> Result<PathBuf, StoreError> {
    let mut number = 1u32;
    let mut name = beside(directory, suffix);
    while name.try_exists().map_err(io(directory))? {
        number += 1;
        name = beside(directory, &format!("{suffix}-{number}"));
    }
    Ok(name)
}

/// Makes the renaming durable. Only Unix lets a folder be synced.
fn sync_parent(directory: &Path) -> Result<(), StoreError> {
    let Some(parent) = directory.parent().filter(|_| cfg!(unix)) else {
        return Ok(());
    };
    let folder = File::open(parent).map_err(io(parent))?;
    folder.sync_all().map_err(io(parent))
}
