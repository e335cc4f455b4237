//! Owns the job: what a consumer asks a provider to compute, as data and never as code.
//!
//! A job names its inputs by content hash, never by a path, and holds no float: its canonical bytes are
//! the same on every machine, so that its id means the same everywhere. This module never opens an
//! input, never runs a job and never decides who may run it.

mod checkpoint;
mod estimate;
mod infer;
mod model;
mod name;
mod range;
mod train;

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ids::{BlobHash, ChainId, JobId};
use crate::wire::{self, Payload, WireError};

pub use checkpoint::{CheckpointFile, Content, Resume};
pub use infer::InferSpec;
pub use model::{BYTE_VOCABULARY, ModelShape, SLICE_OPERATIONS, UnknownPreset};
pub use name::{ArtifactName, NameError};
pub use range::RangeError;
pub use train::{MAX_CHECKPOINTS, TrainSpec};

use range::check;

/// The most inputs that a job may name.
pub const MAX_INPUTS: usize = 64;

/// The most bytes that all inputs of a job may have together, 4 GiB.
pub const MAX_INPUT_BYTES: u64 = 4 << 30;

/// A job: its inputs, what is done with them, and the limits it accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// What the job reads, each under its own name; at most [`MAX_INPUTS`].
    pub inputs: Vec<Input>,
    /// What is done.
    pub kind: JobKind,
    /// What the job may use before it is stopped.
    #[serde(default)]
    pub limits: Limits,
}

/// One input: a name inside the job for content that is known by its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// The name by which the job refers to it.
    pub name: ArtifactName,
    /// BLAKE3 of the content.
    pub hash: BlobHash,
    /// Length of the content in bytes, 1 to [`MAX_INPUT_BYTES`].
    pub bytes: u64,
}

impl Input {
    /// Names content that is already in memory.
    pub fn of(name: ArtifactName, content: &[u8]) -> Self {
        Self {
            name,
            hash: BlobHash::of(content),
            bytes: content.len() as u64,
        }
    }
}

/// What a job does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobKind {
    /// Trains a model and returns checkpoints.
    Train(TrainSpec),
    /// Continues a prompt with a model.
    Infer(InferSpec),
}

/// What a job may use; beyond any of these it is stopped and only the work done is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Seconds from the start of the work, 1 to 2,592,000 (30 days).
    pub wall_clock_s: u32,
    /// Host memory in bytes, 64 MiB to 1 TiB.
    pub memory_bytes: u64,
    /// Temporary storage in bytes, at most 1 TiB; the built-in engine needs none.
    pub scratch_bytes: u64,
    /// All outputs together in bytes, 1 MiB to 1 TiB.
    pub output_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            wall_clock_s: 3_600,
            memory_bytes: 2 << 30,
            scratch_bytes: 0,
            output_bytes: 1 << 30,
        }
    }
}

impl Limits {
    /// Returns how long the work may take.
    pub fn wall_clock(&self) -> Duration {
        Duration::from_secs(self.wall_clock_s.into())
    }

    fn validate(&self) -> Result<(), RangeError> {
        let wall_clock_s = u64::from(self.wall_clock_s);
        check(
            "limits.wall_clock_s",
            wall_clock_s,
            1..=2_592_000,
            "seconds",
        )?;
        check(
            "limits.memory_bytes",
            self.memory_bytes,
            (64 << 20)..=(1 << 40),
            "bytes",
        )?;
        check(
            "limits.scratch_bytes",
            self.scratch_bytes,
            0..=(1 << 40),
            "bytes",
        )?;
        check(
            "limits.output_bytes",
            self.output_bytes,
            (1 << 20)..=(1 << 40),
            "bytes",
        )
    }
}

/// Why a job is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JobError {
    /// The bytes are not a job.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// A figure is outside its range.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// Two inputs have one name.
    #[error("two inputs are named {name}; give each its own name")]
    DuplicateInput {
        /// The name that occurs twice.
        name: ArtifactName,
    },
    /// A name is used that no input has.
    #[error("{field} is {name}, but no input has that name; add an input, for example `data.txt`")]
    MissingInput {
        /// The field that uses the name.
        field: &'static str,
        /// The name that no input has.
        name: ArtifactName,
    },
    /// One figure must divide another.
    #[error("{field} is {value}, which must divide {of} ({of_value}); for example {example}")]
    DoesNotDivide {
        /// The field that must divide.
        field: &'static str,
        /// Its value.
        value: u32,
        /// The field that must be divided.
        of: &'static str,
        /// Its value.
        of_value: u32,
        /// A pair that is allowed.
        example: &'static str,
    },
}

impl JobError {
    /// Returns the field that is wrong, where one is: for example `train.steps`.
    pub fn field(&self) -> Option<&'static str> {
        match self {
            Self::Range(error) => Some(error.field),
            Self::MissingInput { field, .. } | Self::DoesNotDivide { field, .. } => Some(field),
            Self::Wire(_) | Self::DuplicateInput { .. } => None,
        }
    }
}

impl Payload for JobSpec {
    const NAMESPACE: &'static str = "nightshift/job/1";
    const MAX_BYTES: usize = 256 << 10;
}

impl JobSpec {
    /// Returns the id of this job on `chain`: BLAKE3 of its canonical bytes in their namespace.
    pub fn id(&self, chain: &ChainId) -> JobId {
        JobId::from_bytes(wire::content_id(self, chain))
    }

    /// Returns the canonical bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        wire::encode(self)
    }

    /// Decodes canonical bytes and checks every range, so that what it returns can be run.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, JobError> {
        let job: Self = wire::decode(bytes, Self::MAX_BYTES)?;
        job.validate()?;
        Ok(job)
    }

    /// Checks every range that the fields state, and that every name that is used is an input's.
    pub fn validate(&self) -> Result<(), JobError> {
        self.limits.validate()?;
        self.validate_inputs()?;
        match &self.kind {
            JobKind::Train(train) => {
                train.validate()?;
                self.require_input("train.data", &train.data)?;
                match &train.resume {
                    None => Ok(()),
                    Some(resume) => {
                        self.require_input("train.resume.weights", &resume.weights)?;
                        self.require_input("train.resume.state", &resume.state)
                    }
                }
            }
            JobKind::Infer(infer) => {
                infer.validate()?;
                self.require_input("infer.config", &infer.config)?;
                self.require_input("infer.weights", &infer.weights)
            }
        }
    }

    /// Returns the input called `name`.
    pub fn input(&self, name: &ArtifactName) -> Option<&Input> {
        self.inputs.iter().find(|input| input.name == *name)
    }

    /// Returns the bytes of all inputs together, saturating.
    pub fn input_bytes(&self) -> u64 {
        let lengths = self.inputs.iter().map(|input| input.bytes);
        lengths.fold(0, u64::saturating_add)
    }

    fn validate_inputs(&self) -> Result<(), JobError> {
        let count = self.inputs.len() as u64;
        check("inputs", count, 1..=MAX_INPUTS as u64, "inputs")?;
        let mut seen = BTreeSet::new();
        for input in &self.inputs {
            check("input.bytes", input.bytes, 1..=MAX_INPUT_BYTES, "bytes")?;
            if !seen.insert(&input.name) {
                return Err(JobError::DuplicateInput {
                    name: input.name.clone(),
                });
            }
        }
        let total = self.input_bytes();
        check("the inputs together", total, 1..=MAX_INPUT_BYTES, "bytes")?;
        Ok(())
    }

    fn require_input(&self, field: &'static str, name: &ArtifactName) -> Result<(), JobError> {
        match self.input(name) {
            Some(_) => Ok(()),
            None => Err(JobError::MissingInput {
                field,
                name: name.clone(),
            }),
        }
    }
}

#[cfg(test)]
mod tests;
