//! Owns looking at a store that no node uses: its schema, and whether every value is whole.
//!
//! Never migrates one and never sets one aside.

use std::path::Path;

use super::{Readable, SCHEMA_KEY, SCHEMA_VERSION, StoreError, open_patiently, unversioned};

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
    let db = match open_patiently(directory)? {
        Readable::Yes(db) => db,
        Readable::No(why) => return Err(StoreError::Database(why)),
    };
    let stated = db.get(SCHEMA_KEY)?;
    let schema = stated.and_then(|stated| Some(u32::from_be_bytes(*stated.first_chunk::<4>()?)));
    let schema = schema.ok_or_else(|| StoreError::Database("it has no schema".to_owned()))?;
    if schema > SCHEMA_VERSION {
        return Err(StoreError::NewerSchema {
            directory: directory.to_path_buf(),
            found: schema,
            known: SCHEMA_VERSION,
        });
    }
    let (mut values, mut damaged) = (0, 0);
    for entry in db.iter() {
        let (key, value) = entry?;
        if key == SCHEMA_KEY {
            continue;
        }
        values += 1;
        let is_checked = schema == SCHEMA_VERSION;
        damaged += usize::from(is_checked && unversioned(&value).is_err());
    }
    Ok(Inspection {
        schema,
        newest: SCHEMA_VERSION,
        values,
        damaged,
    })
}
