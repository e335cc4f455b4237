//! Owns the state that is kept beside the block log, so that an operator that starts executes only the blocks after it.
//!
//! Never the truth: its leaves must have the root that the log's own block at that height states, or the log is
//! executed from the genesis.
//!
//! It is written while blocks are made, some leaves after each, in the order of their keys. A leaf that changes when
//! it has been written is written again, so that what stands in the file last is the state after the block at which
//! the end was reached. Nothing waits for it, and no second copy of the state is in memory.
//!
//! ```text
//! state.new   magic | length, entry | length, entry | ...     leaves in order, changes of those before, change of operators
//! state       the same, with its end; synced before it gets this name
//! ```

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod keeper;
mod writing;

pub(super) use keeper::Keeper;
pub use keeper::SnapshotPace;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use market::genesis::Genesis;
use market::ledger::{
    CertifiedHeader, EpochProof, Key, Leaf, ProofError, RestoreError, State, TrustedSet,
};
use market::wire::{self, MAX_MESSAGE_BYTES, WireError};
use serde::{Deserialize, Serialize};

/// What a file of this form begins with; the last byte is the version.
const MAGIC: [u8; 8] = *b"NSSTATE\x01";

/// The whole state, in the operator's folder.
pub(super) const FILE: &str = "state";

/// One that is being written.
const UNFINISHED: &str = "state.new";

/// One thing that the file says; later ones hold.
#[derive(Debug, Serialize, Deserialize)]
enum Entry {
    /// There is this leaf.
    Leaf(Leaf),
    /// There is no leaf at this key any more.
    Gone(Key),
    /// A change of the operators, oldest first; each once, after all leaves.
    Epoch(Box<EpochProof>),
    /// The last entry: the height of the block after which all this was so.
    End { height: u64 },
}

/// Why a kept state is not used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file cannot be read.
    #[error("it cannot be read: {0}")]
    Io(#[from] io::Error),
    /// The file is of another form.
    #[error("it has another form than this program writes")]
    OtherForm,
    /// The file ends before its end, or goes on after it.
    #[error("it does not end where it should")]
    Length,
    /// An entry does not decode.
    #[error("an entry of it does not decode: {0}")]
    Entry(#[from] WireError),
    /// The log has fewer blocks.
    #[error("it is of height {height}, and the log ends before that")]
    BeyondLog {
        /// Its height.
        height: u64,
    },
    /// The leaves are not those of the log's block.
    #[error("it is not the state that the log's block has: {0}")]
    Leaves(#[from] RestoreError),
    /// The changes of the operators do not lead from the genesis to the block.
    #[error("its changes of the operators do not lead to the log's block: {0}")]
    Operators(#[from] ProofError),
}

/// A state as it was read, which nobody has compared with a block yet.
#[derive(Debug)]
pub(super) struct Snapshot {
    height: u64,
    leaves: BTreeMap<Key, Leaf>,
    epochs: Vec<EpochProof>,
}

impl Snapshot {
    /// Reads the state that is kept in an operator's folder; `None` if there is none.
    ///
    /// # Errors
    /// The file cannot be read, or is not a whole one.
    pub(super) fn read(directory: &Path) -> Result<Option<Self>, SnapshotError> {
        match File::open(directory.join(FILE)) {
            Ok(file) => Self::decode(BufReader::new(file)).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    fn decode(mut from: impl Read) -> Result<Self, SnapshotError> {
        let mut magic = [0; MAGIC.len()];
        read_exact(&mut from, &mut magic)?;
        if magic != MAGIC {
            return Err(SnapshotError::OtherForm);
        }
        let (mut leaves, mut epochs) = (BTreeMap::new(), Vec::new());
        let mut bytes = Vec::new();
        let height = loop {
            match read_entry(&mut from, &mut bytes)? {
                Entry::Leaf(leaf) => {
                    leaves.insert(leaf.key(), leaf);
                }
                Entry::Gone(key) => {
                    leaves.remove(&key);
                }
                Entry::Epoch(epoch) => epochs.push(*epoch),
                Entry::End { height } => break height,
            }
        };
        if from.read(&mut [0])? > 0 {
            return Err(SnapshotError::Length);
        }
        Ok(Self {
            height,
            leaves,
            epochs,
        })
    }

    /// Returns the height of the block after which this is the state.
    pub(super) fn height(&self) -> u64 {
        self.height
    }

    /// Turns this into the state after `head`, the log's block at this height, with every change of the operators up
    /// to it. All that is taken over follows from the genesis and that block.
    ///
    /// # Errors
    /// It is not the state of that block, or the block is not of the operators of this market.
    pub(super) fn restore(
        self,
        genesis: &Genesis,
        head: &CertifiedHeader,
    ) -> Result<(State, Vec<EpochProof>), SnapshotError> {
        let state = State::restore(genesis, head.header.clone(), self.leaves.into_values())?;
        let mut trusted = TrustedSet::genesis(genesis);
        let (before, last): (Vec<_>, Vec<_>) = self
            .epochs
            .iter()
            .partition(|epoch| epoch.certified.header.height < self.height);
        for epoch in before {
            trusted.advance(epoch)?;
        }
        trusted.check(head)?;
        for epoch in &last {
            trusted.advance(epoch)?;
        }
        let ends_with_head = last
            .iter()
            .all(|epoch| epoch.certified.header == head.header);
        match ends_with_head && trusted.operators == state.operators() {
            true => Ok((state, self.epochs)),
            false => Err(ProofError::NotHandedOver.into()),
        }
    }
}

/// Reads one entry into `bytes`, whose memory is used again.
fn read_entry(from: &mut impl Read, bytes: &mut Vec<u8>) -> Result<Entry, SnapshotError> {
    let mut length = [0; 4];
    read_exact(from, &mut length)?;
    let length = u64::from(u32::from_le_bytes(length));
    if length > MAX_MESSAGE_BYTES as u64 {
        return Err(SnapshotError::Length);
    }
    bytes.clear();
    // Grows with what is there, whatever length is stated.
    if from.take(length).read_to_end(bytes)? as u64 != length {
        return Err(SnapshotError::Length);
    }
    Ok(wire::decode(bytes, MAX_MESSAGE_BYTES)?)
}

fn read_exact(from: &mut impl Read, bytes: &mut [u8]) -> Result<(), SnapshotError> {
    from.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => SnapshotError::Length,
        _ => error.into(),
    })
}

#[cfg(test)]
mod tests;
