//! Owns the names of a training's checkpoint files, and the job that goes on from a checkpoint.
//!
//! Never reads a file: what a checkpoint holds is the engine's business, and it checks every byte.

use serde::{Deserialize, Serialize};

use super::{ArtifactName, Input, JobError, JobKind, JobSpec};
use crate::ids::BlobHash;

/// The files of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckpointFile {
    /// `config.json`: the model's sizes.
    Config,
    /// `model.safetensors`: the weights.
    Weights,
    /// `training.safetensors`: what else going on exactly needs, the optimiser's moments and the step.
    State,
}

/// The inputs that hold the checkpoint from which a training goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// The input with the weights.
    pub weights: ArtifactName,
    /// The input with the training state.
    pub state: ArtifactName,
}

/// Content by hash and length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// BLAKE3 of the content.
    pub hash: BlobHash,
    /// Its length in bytes.
    pub bytes: u64,
}

impl CheckpointFile {
    /// All files of a checkpoint.
    pub const ALL: [Self; 3] = [Self::Config, Self::Weights, Self::State];

    /// Returns the file's name inside its checkpoint.
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Config => "config.json",
            Self::Weights => "model.safetensors",
            Self::State => "training.safetensors",
        }
    }

    /// Returns the name of the file in the checkpoint that is made after `step`.
    pub fn after(self, step: u32) -> ArtifactName {
        let name = format!("step-{step:06}/{}", self.file_name());
        name.parse()
            .expect("digits and the file names above form a name")
    }

    /// Reads a name that [`Self::after`] made: the step and which file it is.
    pub fn parse(name: &str) -> Option<(u32, Self)> {
        let (folder, file) = name.split_once('/')?;
        let digits = folder.strip_prefix("step-")?;
        let is_padded = digits.len() >= 6 && digits.bytes().all(|digit| digit.is_ascii_digit());
        let step = digits.parse().ok().filter(|_| is_padded)?;
        let is_it = |known: &Self| known.file_name() == file;
        let found = Self::ALL.into_iter().find(is_it)?;
        (found.after(step).as_str() == name).then_some((step, found))
    }
}

impl JobSpec {
    /// Returns the job that goes on from a checkpoint of this training. Its memory limit grows by what the
    /// checkpoint adds to the inputs, so that a job that was allowed stays so.
    ///
    /// # Errors
    /// The result is no valid job, for example because this one trains nothing or its inputs grow too large.
    pub fn resuming(&self, weights: Content, state: Content) -> Result<Self, JobError> {
        let mut job = self.clone();
        let name = |file: CheckpointFile| -> ArtifactName {
            let name = format!("resume/{}", file.file_name());
            name.parse().expect("the file names above form a name")
        };
        let resume = Resume {
            weights: name(CheckpointFile::Weights),
            state: name(CheckpointFile::State),
        };
        for (name, content) in [(&resume.weights, weights), (&resume.state, state)] {
            job.inputs.retain(|input| input.name != *name);
            job.inputs.push(Input {
                name: name.clone(),
                hash: content.hash,
                bytes: content.bytes,
            });
        }
        if let JobKind::Train(train) = &mut job.kind {
            train.resume = Some(resume);
        }
        let added = weights.bytes.saturating_add(state.bytes);
        job.limits.memory_bytes = job.limits.memory_bytes.saturating_add(added);
        job.validate()?;
        Ok(job)
    }
}

#[cfg(test)]
mod tests;
