//! Finds the GPUs of this machine and measures what they do, with compute shaders of our own whose
//! results are checked on the CPU.
//!
//! ```text
//! adapters() ──► probe ──► gemm:   operands made on the device, warm-up, timed slices, entries checked
//!                     └──► memory: chunks allocated, written, read back
//!                     ──► GpuReport (market::gpu), unsigned
//! ```
//!
//! Every adapter counts, a CPU that runs shaders too; it is labelled as one. Calls block; give them a
//! thread. This crate never reaches the network, never runs a job's code, never signs, and never
//! reports a figure that it did not measure.

mod adapters;
mod device;
mod error;
mod gemm;
mod host;
mod kernels;
mod memory;

use std::time::{SystemTime, UNIX_EPOCH};

use market::Timestamp;
use market::gpu::{Figures, GpuReport};
use throughput_proof::Seed;

pub use adapters::{Adapter, QUIET_LOADER, adapters, best_adapter};
pub use error::ProbeError;

/// The version of the method; raised whenever figures stop being comparable.
pub const METHOD_VERSION: u16 = 1;

/// How long the measurement may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Under 10 seconds.
    Quick,
    /// Under 60 seconds; shows whether the card holds its rate once it is warm.
    Full,
}

/// What the probe is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Compiling shaders, making operands, choosing sizes.
    Preparing,
    /// Running until the clocks settle.
    WarmingUp,
    /// Timing the matrix multiplication.
    Multiplying,
    /// Recomputing entries of the result on the CPU.
    Checking,
    /// Allocating, writing and reading memory.
    FillingMemory,
}

/// How far the probe is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What it is doing.
    pub stage: Stage,
    /// How much of this stage is done, 0 to 1,000.
    pub permille: u16,
}

/// Measures one adapter. Blocks for as long as `effort` says and calls `progress` several times a second.
///
/// The report is dated by the machine's own clock: a node that signs it first dates it with protocol
/// time ([`GpuReport::dated`]).
///
/// # Errors
/// The device could not be opened, was lost, hung, or computed something else than it was asked to.
pub fn probe(
    adapter: &Adapter,
    effort: Effort,
    progress: &mut dyn FnMut(Progress),
) -> Result<GpuReport, ProbeError> {
    let session = device::Session::open(adapter.handle())?;
    let multiplied = gemm::measure(&session, effort, progress)?;
    let usable_memory_bytes = memory::usable_bytes(&session, adapter.info().form, progress)?;
    Ok(GpuReport {
        adapter: adapter.info().clone(),
        figures: Figures {
            sustained_gemm_fp32_mflops: Some(multiplied.sustained_mflops),
            gemm_fp32_mflops: Some(multiplied.spread_mflops),
            usable_memory_bytes,
            ..Figures::default()
        },
        method_version: METHOD_VERSION,
        measured_at: Timestamp::from_millis(u64::try_from(since_epoch().as_millis()).unwrap_or(0)),
    })
}

/// Returns the wall clock's time since the Unix epoch, zero where the clock is before it.
fn since_epoch() -> std::time::Duration {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH);
    elapsed.unwrap_or_default()
}

/// Returns a seed that differs with every call, so that no cached result can answer.
///
/// The device under test is this machine's own: an opponent who can foresee the clock is not in play here.
fn fresh_seed(purpose: &str) -> Seed {
    let nanos = since_epoch().as_nanos();
    Seed::derive(format!("{purpose} {nanos}").as_bytes())
}

#[cfg(test)]
mod tests;
