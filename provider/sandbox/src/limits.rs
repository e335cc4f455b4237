//! The resource limits of one worker: plain numbers and their sanity check.
//!
//! It must never talk to the system: `linux/limit.rs` and `linux/cgroup.rs` apply these.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What one worker may use up before the system stops it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Processor time of the worker over all its threads, from its first instruction on; at least one second.
    pub cpu_time: Duration,
    /// Time from LOCKED to the forced end, kept by the agent's own clock; at least one second. What precedes LOCKED is
    /// bounded by [`crate::Launched::wait_locked`].
    pub wall_clock: Duration,
    /// Memory in bytes, scratch files included; at least 64 MiB.
    pub memory_bytes: u64,
    /// Threads and processes together; at least 4.
    pub processes: u32,
    /// Bytes of the worker's scratch folder, which lives in memory; at most `memory_bytes`.
    pub scratch_bytes: u64,
    /// Descriptors open at once; from 16 to 4,096.
    pub open_files: u32,
    /// Bytes of the card's memory that the engine may take; at least 64 MiB. No kernel keeps this one: the worker's
    /// engine reads it from [`crate::Confined::limits`] and keeps to it.
    pub vram_bytes: u64,
    /// Bytes that the agent takes from the worker over its whole life, frames' lengths included; at least 4,096.
    pub output_bytes: u64,
}

impl Default for Limits {
    /// Six hours, 4 GiB of memory and as much of the card's, 256 threads, 64 MiB of scratch, 256 descriptors, 4 GiB of
    /// output.
    fn default() -> Self {
        Self {
            cpu_time: Duration::from_secs(6 * 3600),
            wall_clock: Duration::from_secs(6 * 3600),
            memory_bytes: 4 << 30,
            processes: 256,
            scratch_bytes: 64 << 20,
            open_files: 256,
            vram_bytes: 4 << 30,
            output_bytes: 4 << 30,
        }
    }
}

/// A limit that no worker could start under, or that would limit nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitsError {
    /// A duration is under one second.
    #[error("{name} is {got:?}; give at least one second")]
    TooShort {
        /// The field.
        name: &'static str,
        /// Its value.
        got: Duration,
    },
    /// A number is outside the range in which a worker can run.
    #[error("{name} is {got}; it must be from {least} to {most}")]
    OutOfRange {
        /// The field.
        name: &'static str,
        /// Its value.
        got: u64,
        /// The smallest value accepted.
        least: u64,
        /// The largest value accepted.
        most: u64,
    },
}

impl Limits {
    /// Checks every field against the range in its description.
    ///
    /// # Errors
    /// The first field found outside its range.
    pub fn check(&self) -> Result<(), LimitsError> {
        at_least_a_second("cpu_time", self.cpu_time)?;
        at_least_a_second("wall_clock", self.wall_clock)?;
        within("memory_bytes", self.memory_bytes, 64 << 20, 1 << 50)?;
        within("processes", u64::from(self.processes), 4, 1 << 20)?;
        within("scratch_bytes", self.scratch_bytes, 4096, self.memory_bytes)?;
        within("open_files", u64::from(self.open_files), 16, 4096)?;
        within("vram_bytes", self.vram_bytes, 64 << 20, 1 << 50)?;
        within("output_bytes", self.output_bytes, 4096, 1 << 50)
    }
}

fn at_least_a_second(name: &'static str, got: Duration) -> Result<(), LimitsError> {
    if got < Duration::from_secs(1) {
        return Err(LimitsError::TooShort { name, got });
    }
    Ok(())
}

fn within(name: &'static str, got: u64, least: u64, most: u64) -> Result<(), LimitsError> {
    if got < least || got > most {
        return Err(LimitsError::OutOfRange {
            name,
            got,
            least,
            most,
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests;
