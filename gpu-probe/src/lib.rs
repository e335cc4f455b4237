//! Finds the GPUs of this machine and measures what they do, with compute shaders of our own whose
//! results are checked on the CPU.
//!
//! ```text
//! adapters() ──► probe ──► gemm, half:  operands made on the device, timed slices, entries checked
//!                     ├──► arithmetic:  chaotic chains, timed slices, their ends checked
//!                     ├──► bandwidth, transfer: a pattern moved, timed slices, places of it checked
//!                     ├──► memory:      chunks allocated, written, read back
//!                     ├──► latency:     empty submissions
//!                     └──► GpuReport (market::gpu), unsigned
//! ```
//!
//! Every adapter counts, a CPU that runs shaders too; it is labelled as one. Calls block; give them a
//! thread. This crate never reaches the network, never runs a job's code, never signs, and never
//! reports a figure that it did not measure.

pub mod activity;
mod adapters;
mod arithmetic;
mod bandwidth;
mod device;
mod dispatch;
mod echo;
mod error;
mod gemm;
mod half;
mod host;
mod kernels;
mod latency;
mod memory;
mod mixer;
mod prove;
mod prover;
mod published;
mod sampled;
mod saved;
mod slices;
pub mod telemetry;
mod transfer;
mod tuning;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use market::Timestamp;
use market::gpu::{AdapterInfo, Figures, GpuReport, Throttling};
use serde::{Deserialize, Serialize};
use throughput_proof::Seed;

pub use adapters::{Adapter, QUIET_LOADER, adapters, best_adapter};
pub use echo::Echo;
pub use error::ProbeError;
pub use gemm::survey::{KernelRate, survey};
pub use prove::{ProveError, SelfProof, prove_self};
pub use prover::{DeviceProver, ProverError};
pub use published::{PUBLISHED, PublishedCard};
pub use saved::{Implausible, SavedAdapter, SavedError, SavedProbe, SavedProblem, implausible};
pub use tuning::Tuning;

/// The version of the method; raised whenever figures stop being comparable.
pub const METHOD_VERSION: u16 = 3;

/// How long the measurement may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// Under 10 seconds on a GPU.
    Quick,
    /// Under 60 seconds on a GPU; shows whether the card holds its rate once it is warm.
    Full,
    /// As [`Effort::Full`], and the matrix multiplication runs for so long.
    Soak(Duration),
}

/// A part of a probe; they run in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Benchmark {
    /// fp32 matrix multiplication: what the class is made of.
    GemmFp32,
    /// Memory that a job can use.
    UsableMemory,
    /// Device memory read, written and copied.
    MemoryBandwidth,
    /// f16 matrix multiplication with f32 accumulators.
    GemmF16,
    /// The same on matrix units.
    MatrixF16,
    /// fp32 fused multiply-add.
    FmaFp32,
    /// fp32 multiply and add without fusing.
    MulAddFp32,
    /// Dot products of packed 8-bit integers.
    DotInt8,
    /// Between host and device, both ways.
    Transfer,
    /// One empty submission.
    DispatchLatency,
}

impl Benchmark {
    /// All of them, in the order in which they run.
    pub const ALL: [Self; 10] = [
        Self::GemmFp32,
        Self::UsableMemory,
        Self::MemoryBandwidth,
        Self::GemmF16,
        Self::MatrixF16,
        Self::FmaFp32,
        Self::MulAddFp32,
        Self::DotInt8,
        Self::Transfer,
        Self::DispatchLatency,
    ];

    /// Those whose figures an offer carries.
    pub const OF_AN_OFFER: [Self; 3] = [Self::GemmFp32, Self::UsableMemory, Self::MemoryBandwidth];
}

/// What a benchmark is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Compiling shaders, making operands, choosing sizes.
    Preparing,
    /// Running until the clocks settle.
    WarmingUp,
    /// Being timed.
    Timing,
    /// Recomputing entries of the result on the CPU.
    Checking,
}

/// How far the probe is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is measured.
    pub benchmark: Benchmark,
    /// What it is doing.
    pub stage: Stage,
    /// How much of this stage is done, 0 to 1,000.
    pub permille: u16,
}

/// What a probe found.
#[derive(Debug)]
pub struct Probed {
    /// The figures, those unknown that could not be measured.
    pub report: GpuReport,
    /// What could not be measured and why, in the order in which it was tried. A figure that the device does not
    /// offer is no problem.
    pub problems: Vec<Problem>,
}

/// A benchmark that failed.
#[derive(Debug)]
pub struct Problem {
    /// Which.
    pub benchmark: Benchmark,
    /// Why.
    pub error: ProbeError,
}

/// Measures one adapter. Blocks for as long as `effort` says and calls `progress` several times a second.
///
/// A benchmark that fails leaves its figures unknown and is named; the others go on, unless the device is gone.
/// The report is dated by the machine's own clock: a node that signs it first dates it with protocol
/// time ([`GpuReport::dated`]).
///
/// # Errors
/// The device could not be opened: nothing was measured.
pub fn probe(
    adapter: &Adapter,
    what: (Effort, &[Benchmark]),
    progress: &mut dyn FnMut(Progress),
) -> Result<Probed, ProbeError> {
    probe_tuned(adapter, what, &mut Tuning::default(), progress)
}

/// Measures as [`probe`] does, with the kernels that earlier probes found fastest on this machine; adds what this one
/// finds, so that the caller can store it for the next.
///
/// # Errors
/// The device could not be opened: nothing was measured.
pub fn probe_tuned(
    adapter: &Adapter,
    (effort, benchmarks): (Effort, &[Benchmark]),
    tuning: &mut Tuning,
    progress: &mut dyn FnMut(Progress),
) -> Result<Probed, ProbeError> {
    let session = device::Session::open(adapter.handle())?;
    let mut figures = Figures::default();
    let problems = each(benchmarks, &mut |benchmark| {
        let mut report = |stage, permille| {
            progress(Progress {
                benchmark,
                stage,
                permille,
            });
        };
        let bench = Bench {
            session: &session,
            adapter: adapter.info(),
            effort,
            report: &mut report,
        };
        measure(benchmark, bench, (&mut figures, &mut *tuning))
    });
    if problems.iter().any(|it| it.error.is_of_a_lost_device()) {
        // Closing it would wait for work that never ends.
        std::mem::forget(session.clone());
    }
    let report = GpuReport {
        adapter: adapter.info().clone(),
        figures,
        method_version: METHOD_VERSION,
        measured_at: Timestamp::from_millis(u64::try_from(since_epoch().as_millis()).unwrap_or(0)),
    };
    Ok(Probed { report, problems })
}

/// Runs benchmarks in order and returns those that failed; after one that lost the device none is tried.
fn each(
    benchmarks: &[Benchmark],
    run: &mut dyn FnMut(Benchmark) -> Result<(), ProbeError>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for benchmark in benchmarks.iter().copied() {
        if let Err(error) = run(benchmark) {
            let is_gone = error.is_of_a_lost_device();
            problems.push(Problem { benchmark, error });
            if is_gone {
                break;
            }
        }
    }
    problems
}

/// What every benchmark is given.
struct Bench<'a> {
    session: &'a device::Session,
    adapter: &'a AdapterInfo,
    effort: Effort,
    /// Told what the benchmark does, and how much of that is done, 0 to 1,000.
    report: &'a mut dyn FnMut(Stage, u16),
}

/// Runs one benchmark and writes its figures.
fn measure(
    benchmark: Benchmark,
    bench: Bench<'_>,
    (figures, tuning): (&mut Figures, &mut Tuning),
) -> Result<(), ProbeError> {
    match benchmark {
        Benchmark::GemmFp32 => {
            let (rates, recording) = gemm::measure(bench, tuning)?;
            figures.sustained_gemm_fp32_mflops = Some(rates.sustained);
            figures.burst_gemm_fp32_mflops = Some(rates.burst);
            figures.throttling = match recording.is_throttled() {
                Some(true) => Some(Throttling::Thermal),
                Some(false) | None => rates.throttling,
            };
            figures.gemm_fp32_mflops = Some(rates.spread);
            // A driver that says zero under load does not know.
            figures.power_mw = recording.power_mw.filter(|spread| spread.p10 > 0);
        }
        Benchmark::UsableMemory => figures.usable_memory_bytes = memory::usable_bytes(bench)?,
        Benchmark::MemoryBandwidth => bandwidth::measure(bench, figures)?,
        Benchmark::GemmF16 => figures.gemm_f16_mflops = half::plain(bench)?,
        Benchmark::MatrixF16 => figures.matrix_f16_mflops = half::on_matrix_units(bench)?,
        Benchmark::FmaFp32 => figures.fma_fp32_mflops = Some(arithmetic::fma(bench)?),
        Benchmark::MulAddFp32 => figures.mul_add_fp32_mflops = arithmetic::mul_add(bench)?,
        Benchmark::DotInt8 => figures.dot_int8_mops = Some(arithmetic::dot_int8(bench)?),
        Benchmark::Transfer => transfer::measure(bench, figures)?,
        Benchmark::DispatchLatency => figures.dispatch_latency_ns = Some(latency::measure(bench)?),
    }
    Ok(())
}

/// Returns the wall clock's time since the Unix epoch, zero where the clock is before it.
fn since_epoch() -> Duration {
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

/// Returns a word that differs with almost every call.
fn fresh_word(purpose: &str) -> u32 {
    let [a, b, c, d, ..] = *fresh_seed(purpose).as_bytes();
    u32::from_le_bytes([a, b, c, d])
}

#[cfg(test)]
mod tests;
