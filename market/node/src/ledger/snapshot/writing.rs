//! Owns a kept state while it is written.
//!
//! Never read by anyone before it is whole: until then it has another name.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use market::ledger::{Delta, EpochProof, Key, State};
use market::wire;

use super::{Entry, FILE, MAGIC, UNFINISHED};

/// A state whose first leaves are written.
#[derive(Debug)]
pub(super) struct Writing {
    directory: PathBuf,
    file: BufWriter<File>,
    /// The last of the keys, in their order, whose leaves are written.
    written: Option<Key>,
}

/// A state that is written and perhaps not on disk yet.
#[derive(Debug)]
pub(super) struct Written {
    directory: PathBuf,
    file: BufWriter<File>,
}

impl Writing {
    /// Begins a file, over one that was never finished.
    pub(super) fn begin(directory: &Path) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create(directory.join(UNFINISHED))?);
        file.write_all(&MAGIC)?;
        Ok(Self {
            directory: directory.to_path_buf(),
            file,
            written: None,
        })
    }

    /// Writes what a block changes in leaves that are written already.
    pub(super) fn note(&mut self, delta: &Delta) -> io::Result<()> {
        for (key, leaf) in delta.changes() {
            // `None` is before every key.
            if Some(*key) <= self.written {
                let entry = match leaf {
                    Some(leaf) => Entry::Leaf(leaf.clone()),
                    None => Entry::Gone(*key),
                };
                put(&mut self.file, &entry)?;
            }
        }
        Ok(())
    }

    /// Writes the next leaves of `state`, whose changes were all noted; at most `limit`. Tells whether these were the
    /// last.
    pub(super) fn go_on(&mut self, state: &State, limit: usize) -> io::Result<bool> {
        let mut left = limit;
        for leaf in state.leaves_after(self.written).take(limit) {
            put(&mut self.file, &Entry::Leaf(leaf.clone()))?;
            self.written = Some(leaf.key());
            left -= 1;
        }
        Ok(left > 0)
    }

    /// Ends the file with the changes of the operators and the height of the state that it holds now.
    pub(super) fn end(mut self, epochs: &[EpochProof], height: u64) -> io::Result<Written> {
        for epoch in epochs {
            put(&mut self.file, &Entry::Epoch(Box::new(epoch.clone())))?;
        }
        put(&mut self.file, &Entry::End { height })?;
        Ok(Written {
            directory: self.directory,
            file: self.file,
        })
    }
}

impl Written {
    /// Waits until the file is on disk and puts it in the place of the one before it.
    pub(super) fn publish(self) -> io::Result<()> {
        let file = self.file.into_inner().map_err(|error| error.into_error())?;
        file.sync_all()?;
        drop(file);
        let unfinished = self.directory.join(UNFINISHED);
        fs::rename(unfinished, self.directory.join(FILE))
        // The name need not be on disk: with the older file, or none, more blocks are executed and no more.
    }
}

pub(super) fn put(file: &mut impl io::Write, entry: &Entry) -> io::Result<()> {
    let bytes = wire::encode(entry);
    let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
    file.write_all(&length.to_le_bytes())?;
    file.write_all(&bytes)
}
