//! Owns looking at a store that no node uses: its schema, and whether every value is whole.
//!
//! Never migrates one and never sets one aside.

use std::path::Path;

use super::{
    NODE_CACHE_BYTES, Readable, SCHEMA_KEY, Schema, StoreError, open_patiently, unversioned,
};

/// The schema whose values had no check.
const UNCHECKED_SCHEMA: u32 = 1;

/// What a store holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inspection {
    /// Its schema.
    pub schema: u32,
    /// The schema that this program writes.
    pub newest: u32,
    /// Its values, the damaged ones included.
    pub values: usize,
    /// Values of this program's schema whose check does not hold. Older ones have none.
    pub damaged: usize,
}

/// Reads every value of the store in `directory`. Blocks. No process may have it open.
///
/// # Errors
/// It cannot be read, has no schema, or a newer one.
pub fn inspect(directory: &Path) -> Result<Inspection, StoreError> {
    let db = match open_patiently(directory, NODE_CACHE_BYTES)? {
        Readable::Yes(db) => db,
        Readable::No(why) => return Err(StoreError::Database(why)),
    };
    let stated = db.get(SCHEMA_KEY)?;
    let stated = stated.as_deref().and_then(<[u8]>::split_first_chunk::<4>);
    let (schema, kind) =
        stated.ok_or_else(|| StoreError::Database("it has no schema".to_owned()))?;
    let schema = u32::from_be_bytes(*schema);
    let newest = if kind == Schema::INDEX.kind.as_bytes() {
        Schema::INDEX.version
    } else {
        Schema::NODE.version
    };
    if schema > newest {
        return Err(StoreError::NewerSchema {
            directory: directory.to_path_buf(),
            found: schema,
            known: newest,
        });
    }
    let (mut values, mut damaged) = (0, 0);
    for entry in db.iter() {
        let (key, value) = entry?;
        if key == SCHEMA_KEY {
            continue;
        }
        values += 1;
        let is_checked = schema > UNCHECKED_SCHEMA;
        damaged += usize::from(is_checked && unversioned(&value).is_err());
    }
    Ok(Inspection {
        schema,
        newest,
        values,
        damaged,
    })
}
