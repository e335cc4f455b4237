//! Owns the card of one worker: it is opened once, all numbers reach it through here, and what a job may take of
//! its memory is kept here.
//!
//! Never uploads an integer, which the gate of [`crate::tokens`] alone does, and never lets a failure of the card
//! pass as one of the job.

mod residue;

use std::fmt;

use burn::tensor::{Device, ExecutionError, Tensor, TensorData};

use crate::device::EngineDevice;

pub use residue::{Residue, find_residue, leave_residue};

/// Kernels that are submitted together at most. What one submission can cost is this many times the largest kernel,
/// [`market::job::SLICE_OPERATIONS`]: 4 * 2.7 * 10^11 operations, 0.1 s at 10 TFLOP/s.
pub(crate) const TASKS_MAX: usize = 4;

/// The smallest piece that scrubbing fills at once, in bytes, and the largest; and how many pieces at most, so that it
/// ends within seconds however the pools are cut.
const SCRUB_BYTES: std::ops::RangeInclusive<u64> = (64 << 10)..=(512 << 20);
const SCRUB_PIECES: usize = 4_096;

/// Bytes of one number.
const NUMBER_BYTES: u64 = 4;

/// What a job may take of the card's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Budget {
    bytes: u64,
}

impl Budget {
    /// No bound at all.
    pub const UNLIMITED: Self = Self { bytes: u64::MAX };

    /// At most so many bytes.
    pub const fn of_bytes(bytes: u64) -> Self {
        Self { bytes }
    }

    /// Returns the bytes that may be taken.
    pub const fn bytes(self) -> u64 {
        self.bytes
    }
}

/// Why the card did not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CardError {
    /// There is no such card, or its driver did not open it.
    #[error("the card could not be opened: {reason}")]
    Open {
        /// What the driver said.
        reason: String,
    },
    /// The job needs more of the card's memory than it may use.
    #[error("the job needs about {needed} bytes of the card's memory; it may use {allowed}")]
    Memory {
        /// The estimate, or what is taken already and what comes next, in bytes.
        needed: u64,
        /// The budget in bytes.
        allowed: u64,
    },
    /// The driver gave the card up: a reset, a hang that it ended, or a card that is gone. Nothing that this process
    /// does on it can succeed any more.
    #[error("the card was lost: {reason}")]
    Lost {
        /// What the driver said.
        reason: String,
    },
    /// Something on the card failed, but the card is still there.
    #[error("the device failed: {reason}")]
    Failed {
        /// What failed.
        reason: String,
    },
}

impl From<ExecutionError> for CardError {
    fn from(error: ExecutionError) -> Self {
        match error {
            ExecutionError::DevicePoisoned { reason } => Self::Lost { reason },
            other => Self::Failed {
                reason: other.to_string(),
            },
        }
    }
}

impl CardError {
    /// Makes an error of something that failed for another reason than the driver.
    pub(crate) fn failed(reason: impl fmt::Display) -> Self {
        Self::Failed {
            reason: reason.to_string(),
        }
    }
}

/// What computes, opened. Made once a process: a second one would open the driver again, which a locked worker
/// may not.
#[derive(Clone)]
pub struct Card {
    device: EngineDevice,
    handle: Device,
    budget: Budget,
}

/// What scrubbing covered, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scrubbed {
    /// Held of the card without any use when it began, and overwritten with zeros.
    pub overwritten: u64,
    /// Held likewise, where the pools hand nothing out any more: given back to the driver as it was, then asked for and
    /// filled once more.
    pub missed: u64,
}

impl Card {
    /// Opens what computes. On the processor the budget means nothing: the process's own limit keeps the memory.
    ///
    /// # Errors
    /// [`CardError::Open`] where there is no such card.
    pub fn open(device: &EngineDevice, budget: Budget) -> Result<Self, CardError> {
        let handle = match device.kind() {
            None => Device::flex(),
            Some(kind) => {
                let options = Device::wgpu_options().device_kind(kind);
                let opened = options.tasks_max(TASKS_MAX).init();
                opened.map_err(|error| CardError::Open {
                    reason: error.to_string(),
                })?
            }
        };
        Ok(Self {
            device: device.clone(),
            handle,
            budget,
        })
    }

    /// Says in words what computes.
    pub fn describe(&self) -> String {
        self.device.describe()
    }

    /// Returns what may be taken of the card's memory.
    pub fn budget(&self) -> Budget {
        self.budget
    }

    /// Tells whether this is a GPU and not the processor.
    pub(crate) fn is_gpu(&self) -> bool {
        self.device != EngineDevice::Flex
    }

    /// Refuses work that needs more than the budget, before it begins. `needed` is in bytes.
    pub(crate) fn admit(&self, needed: u64) -> Result<(), CardError> {
        let allowed = self.budget.bytes;
        match !self.is_gpu() || needed <= allowed {
            true => Ok(()),
            false => Err(CardError::Memory { needed, allowed }),
        }
    }

    /// Refuses to go on once more is held than the budget allows.
    pub(crate) fn check(&self) -> Result<(), CardError> {
        self.admit(self.held_bytes().0)
    }

    /// Uploads numbers, once there is room for them under the budget.
    pub(crate) fn upload<const D: usize>(
        &self,
        values: Vec<f32>,
        shape: [usize; D],
    ) -> Result<Tensor<D>, CardError> {
        let bytes = NUMBER_BYTES.saturating_mul(values.len() as u64);
        let (_, used) = self.held_bytes();
        self.admit(used.saturating_add(bytes))?;
        let tensor = Tensor::from_data(TensorData::new(values, shape), &self.handle);
        self.check()?;
        Ok(tensor)
    }

    /// Waits for all work; tells whether the card is still there.
    pub(crate) fn sync(&self) -> Result<(), CardError> {
        Ok(self.handle.sync()?)
    }

    /// Overwrites what the pools still hold of a job whose tensors are gone, then gives it back to the driver.
    ///
    /// The pools hand out what they hold before they ask the driver for more, so that pieces of falling size fill
    /// them; a piece for which they had to ask is given back to them, and half of it is tried.
    ///
    /// # Errors
    /// The card is lost, or did not finish.
    pub fn scrub(&self) -> Result<Scrubbed, CardError> {
        if !self.is_gpu() {
            return Ok(Scrubbed::default());
        }
        self.sync()?;
        let unused = self.unused_bytes();
        let mut reserved = self.held_bytes().0;
        let mut zeros: Vec<Tensor<1>> = Vec::new();
        let mut bytes = (unused / 2 + 1).next_power_of_two().min(*SCRUB_BYTES.end());
        while bytes >= *SCRUB_BYTES.start() && zeros.len() < SCRUB_PIECES {
            let numbers = usize::try_from(bytes / NUMBER_BYTES).map_err(CardError::failed)?;
            zeros.push(Tensor::zeros([numbers], &self.handle));
            let grown = self.held_bytes().0;
            if grown > reserved {
                reserved = grown;
                zeros.pop();
                bytes /= 2;
            }
        }
        self.sync()?;
        let missed = self.unused_bytes().min(unused);
        drop(zeros);
        self.handle.memory_cleanup();
        self.take_again(missed)?;
        Ok(Scrubbed {
            overwritten: unused - missed,
            missed,
        })
    }

    /// Asks the driver for as much as could not be filled, which it has just been given back, fills that, and gives it
    /// back again. Whether it hands out the same memory is its own affair.
    fn take_again(&self, bytes: u64) -> Result<(), CardError> {
        let piece = (64_u64 << 20).min(bytes);
        let numbers = usize::try_from(piece / NUMBER_BYTES).map_err(CardError::failed)?;
        if numbers > 0 {
            let zeros: Vec<Tensor<1>> = (0..bytes / piece)
                .map(|_| Tensor::zeros([numbers], &self.handle))
                .collect();
            self.sync()?;
            drop(zeros);
            self.handle.memory_cleanup();
        }
        self.sync()
    }

    /// Returns the bytes that are held of the card's memory and that no tensor covers, padding included.
    fn unused_bytes(&self) -> u64 {
        let usage = self.handle.memory_pool_usage();
        usage.map_or(0, |usage| {
            usage.bytes_reserved.saturating_sub(usage.bytes_in_use)
        })
    }

    /// Returns the bytes that are held of the card's memory, and those of them that tensors use; 0 on the processor.
    pub(crate) fn held_bytes(&self) -> (u64, u64) {
        let usage = self.is_gpu().then(|| self.handle.memory_pool_usage());
        let usage = usage.flatten();
        usage.map_or((0, 0), |usage| {
            let used = usage.bytes_in_use.saturating_add(usage.bytes_padding);
            (usage.bytes_reserved, used)
        })
    }
}

impl fmt::Debug for Card {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Card({}, {:?})", self.device, self.budget)
    }
}

#[cfg(test)]
impl Card {
    /// The processor, for tests.
    pub(crate) fn processor() -> Self {
        Self::open(&EngineDevice::Flex, Budget::UNLIMITED).unwrap()
    }
}

#[cfg(test)]
mod tests;
