//! Owns a job's inputs inside the worker: gathered piece by piece, checked against the job, then held.
//!
//! Holds them in memory under the job's own limits and nowhere else. Never believes a length or a hash
//! that an agent claims: both are recomputed.

use std::collections::BTreeMap;

use market::BlobHash;
use market::job::{ArtifactName, JobSpec};

use crate::protocol::CHUNK_BYTES;

/// Why an input is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// The job has no input of that name.
    #[error("the job has no input named {name}")]
    Unknown {
        /// The name.
        name: ArtifactName,
    },
    /// A piece does not follow the one before it, or is larger than a piece may be.
    #[error(
        "input {name}: a piece of {bytes} bytes at {offset}, expected at most 1 MiB at {expected}"
    )]
    OutOfOrder {
        /// The input.
        name: ArtifactName,
        /// Length of the piece.
        bytes: usize,
        /// Where it claims to begin.
        offset: u64,
        /// Where it must begin.
        expected: u64,
    },
    /// The content is longer or shorter than the job says.
    #[error("input {name} has {actual} bytes, but the job says {expected}")]
    Length {
        /// The input.
        name: ArtifactName,
        /// Bytes received.
        actual: u64,
        /// Bytes in the job.
        expected: u64,
    },
    /// The content is not what the job names.
    #[error("input {name} has hash {actual}, but the job says {expected}")]
    Hash {
        /// The input.
        name: ArtifactName,
        /// BLAKE3 of what came.
        actual: BlobHash,
        /// BLAKE3 in the job.
        expected: BlobHash,
    },
    /// Work was to begin before an input was complete.
    #[error("input {name} is missing or incomplete")]
    Incomplete {
        /// The input.
        name: ArtifactName,
    },
    /// All inputs together are more than the job's memory limit.
    #[error("the inputs have {bytes} bytes, more than the job's memory limit of {limit}")]
    Memory {
        /// Bytes of all inputs.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
}

/// The inputs of one job, complete or on their way.
pub(crate) struct Inputs<'job> {
    job: &'job JobSpec,
    partial: BTreeMap<ArtifactName, Vec<u8>>,
    complete: BTreeMap<ArtifactName, Vec<u8>>,
}

impl<'job> Inputs<'job> {
    /// Begins to gather the inputs of `job`.
    pub(crate) fn new(job: &'job JobSpec) -> Result<Self, InputError> {
        let (bytes, limit) = (job.input_bytes(), job.limits.memory_bytes);
        if bytes > limit {
            return Err(InputError::Memory { bytes, limit });
        }
        Ok(Self {
            job,
            partial: BTreeMap::new(),
            complete: BTreeMap::new(),
        })
    }

    /// Adds a piece that must begin where the last one ended; memory grows with what really came.
    pub(crate) fn add(
        &mut self,
        name: &ArtifactName,
        offset: u64,
        piece: &[u8],
    ) -> Result<(), InputError> {
        let Some(input) = self.job.input(name) else {
            return Err(InputError::Unknown { name: name.clone() });
        };
        let done = self.complete.get(name).map(Vec::len);
        let held = self.partial.entry(name.clone()).or_default();
        let expected = done.unwrap_or(held.len()) as u64;
        if done.is_some() || offset != expected || piece.len() > CHUNK_BYTES {
            return Err(InputError::OutOfOrder {
                name: name.clone(),
                bytes: piece.len(),
                offset,
                expected,
            });
        }
        let actual = expected.saturating_add(piece.len() as u64);
        if actual > input.bytes {
            return Err(InputError::Length {
                name: name.clone(),
                actual,
                expected: input.bytes,
            });
        }
        held.extend_from_slice(piece);
        Ok(())
    }

    /// Ends an input: its length and its hash must be those of the job.
    pub(crate) fn finish(&mut self, name: &ArtifactName) -> Result<(), InputError> {
        let (Some(input), Some(content)) = (self.job.input(name), self.partial.remove(name)) else {
            return Err(InputError::Unknown { name: name.clone() });
        };
        if content.len() as u64 != input.bytes {
            return Err(InputError::Length {
                name: name.clone(),
                actual: content.len() as u64,
                expected: input.bytes,
            });
        }
        let actual = BlobHash::of(&content);
        if actual != input.hash {
            return Err(InputError::Hash {
                name: name.clone(),
                actual,
                expected: input.hash,
            });
        }
        self.complete.insert(name.clone(), content);
        Ok(())
    }

    /// Checks that every input of the job is complete.
    pub(crate) fn check_complete(&self) -> Result<(), InputError> {
        let missing = |name: &&ArtifactName| !self.complete.contains_key(*name);
        match self
            .job
            .inputs
            .iter()
            .map(|input| &input.name)
            .find(missing)
        {
            None => Ok(()),
            Some(name) => Err(InputError::Incomplete { name: name.clone() }),
        }
    }

    /// Takes a complete input out, so that it is held only once.
    pub(crate) fn take(&mut self, name: &ArtifactName) -> Result<Vec<u8>, InputError> {
        let taken = self.complete.remove(name);
        taken.ok_or_else(|| InputError::Incomplete { name: name.clone() })
    }
}

#[cfg(test)]
mod tests;
