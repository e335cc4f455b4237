//! The first frame of a worker: LOCKED with its evidence, a refusal, or the bench's mark.
//!
//! It must never accept anything else as a greeting: a worker that says something different first
//! is ended. The form is JSON because it is small, is read once, and is shown to people.

use serde::{Deserialize, Serialize};

use crate::layer::{ConfineError, Layer};

/// The largest greeting accepted, in bytes.
pub(crate) const MAX_GREETING_BYTES: usize = 16 * 1024;

/// What a locked worker says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockedReport {
    /// Every layer in force, with what was observed.
    pub layers: Vec<Layer>,
    /// The Landlock version in force; 0 where the kernel has none.
    pub landlock_abi: u32,
    /// The name of the driver profile.
    pub profile: String,
}

/// The first frame, whichever it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "greeting",
    rename_all = "SCREAMING_SNAKE_CASE",
    deny_unknown_fields
)]
pub(crate) enum Greeting {
    /// Every layer is in force; jobs may follow.
    Locked(LockedReport),
    /// A layer is missing; the worker ends.
    Refused(ConfineError),
    /// The engine could not be warmed up; the worker ends.
    NotReady {
        /// What the engine said.
        cause: String,
    },
    /// A worker of the bench, without any layer and without a way to take a job.
    Unconfined,
}

impl Greeting {
    /// Encodes the greeting for one frame.
    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a greeting holds only strings and numbers")
    }

    /// Decodes a frame's bytes.
    ///
    /// # Errors
    /// Anything that is not exactly one greeting.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

#[cfg(test)]
mod tests;
