//! Owns the measurement of memory that a job can use.
//!
//! Never believes an allocation: memory counts once it was written at full speed and held its words.

use std::time::Duration;

use market::gpu::AdapterForm;

use crate::device::Session;
use crate::error::ProbeError;
use crate::kernels::{self, filled_word};
use crate::{Bench, Stage, host};

const MIB: u64 = 1 << 20;

/// What a GPU leaves to the desktop and the driver, in bytes.
const RESERVE_BYTES: u64 = 512 * MIB;

/// The most bytes in one buffer.
const CHUNK_BYTES: u64 = 256 * MIB;

/// Host memory below which filling stops: a driver that spills to the host must not starve it.
const HOST_FLOOR_BYTES: u64 = 1_024 * MIB;

/// A chunk that takes this many times as long to write as the fastest lies outside of the card.
const SPILLED_FACTOR: u32 = 8;

/// All chunks, written one after another, may take this many times as long as the fastest alone would for each.
const RESIDENT_FACTOR: u32 = 3;

/// Words read back from each chunk.
const READ_BACK_WORDS: u64 = 16;

/// How memory is filled.
struct FillPlan {
    /// The size of each buffer; a multiple of 4 MiB.
    chunk_bytes: u64,
    /// Where filling ends, even if more could be had.
    limit_bytes: u64,
    /// See [`SPILLED_FACTOR`].
    spilled_factor: u32,
    /// See [`RESIDENT_FACTOR`].
    resident_factor: u32,
}

/// Returns the memory that a job can use, in bytes, or `None` where it cannot be found out.
///
/// A GPU with its own memory is filled until it refuses, slows down or forgets, less a reserve. A GPU
/// that shares the host's memory is filled to at most half of what is available; a CPU adapter is not
/// filled and claims a quarter.
pub(crate) fn usable_bytes(bench: Bench<'_>) -> Result<Option<u64>, ProbeError> {
    let available = host::available_bytes();
    let limit_bytes = match bench.adapter.form {
        AdapterForm::Cpu => return Ok(available.map(|bytes| bytes / 4)),
        AdapterForm::Integrated => match available {
            Some(bytes) => bytes / 2,
            None => return Ok(None),
        },
        AdapterForm::Discrete | AdapterForm::Virtual | AdapterForm::Unknown => u64::MAX,
    };
    let plan = FillPlan {
        chunk_bytes: bench.session.largest_storage(CHUNK_BYTES) / (4 * MIB) * (4 * MIB),
        limit_bytes,
        spilled_factor: SPILLED_FACTOR,
        resident_factor: RESIDENT_FACTOR,
    };
    let filled = fill(bench.session, &plan, bench.report)?;
    Ok(Some(filled.saturating_sub(RESERVE_BYTES)))
}

/// Allocates and writes chunks until the plan's limit, a refusal, or a chunk that is written far more slowly than others;
/// writes all of them once more, one after another, and keeps as many as are still fast; then reads words of every chunk
/// back. Returns the bytes that held.
fn fill(
    session: &Session,
    plan: &FillPlan,
    report: &mut dyn FnMut(Stage, u16),
) -> Result<u64, ProbeError> {
    let pipeline = session.pipeline(&kernels::fill())?;
    let mut chunks: Vec<wgpu::Buffer> = Vec::new();
    let mut fastest = Duration::MAX;
    let most = plan.limit_bytes / plan.chunk_bytes.max(1);
    while (chunks.len() as u64) < most && host_has_room() {
        let permille = u16::try_from(chunks.len() as u64 * 1_000 / most).unwrap_or(0);
        report(Stage::Timing, permille);
        let chunk = match session.storage(plan.chunk_bytes) {
            Ok(chunk) => chunk,
            Err(ProbeError::OutOfMemory { .. }) => break,
            Err(error) => return Err(error),
        };
        // The first write also clears the buffer, which wgpu does to every new one.
        let took = match write(session, &pipeline, &chunk, chunks.len()) {
            Err(ProbeError::OutOfMemory { .. }) => break,
            written => written.and_then(|_| write(session, &pipeline, &chunk, chunks.len()))?,
        };
        fastest = fastest.min(took);
        if took > fastest.saturating_mul(plan.spilled_factor) {
            break;
        }
        chunks.push(chunk);
    }
    keep_resident(&mut chunks, |chunks| {
        let mut took = Duration::ZERO;
        for (index, chunk) in chunks.iter().enumerate() {
            took += write(session, &pipeline, chunk, index)?;
        }
        let factor = plan.resident_factor.saturating_mul(chunks.len() as u32);
        Ok(took <= fastest.saturating_mul(factor))
    })?;
    verify(session, &chunks)?;
    Ok(chunks.iter().map(wgpu::Buffer::size).sum())
}

/// Gives chunks back, an eighth at a time, until all that are left lie on the card together: some systems move the idle
/// ones to the host without a word, and the newest is always fast.
fn keep_resident<T>(
    chunks: &mut Vec<T>,
    mut are_resident: impl FnMut(&[T]) -> Result<bool, ProbeError>,
) -> Result<(), ProbeError> {
    while !chunks.is_empty() && !are_resident(chunks)? {
        chunks.truncate(chunks.len() - chunks.len().div_ceil(8));
    }
    Ok(())
}

/// Returns whether the host keeps enough memory for one more chunk to spill into it.
fn host_has_room() -> bool {
    host::available_bytes().is_none_or(|bytes| bytes > HOST_FLOOR_BYTES + CHUNK_BYTES)
}

/// Writes the pattern of chunk `index` over a whole buffer; returns the time of the write alone.
fn write(
    session: &Session,
    pipeline: &wgpu::ComputePipeline,
    chunk: &wgpu::Buffer,
    index: usize,
) -> Result<Duration, ProbeError> {
    const WIDTH_GROUPS: u64 = 64;
    const GROUP_BYTES: u64 = 256 * 16;
    let width = 256 * WIDTH_GROUPS as u32;
    let parameters = session.parameters([salt(index), width, 0, 0, 0, 0, 0, 0])?;
    let bindings = session.bind(pipeline, &[&parameters, chunk]);
    let lines = chunk.size() / GROUP_BYTES / WIDTH_GROUPS;
    let lines = u32::try_from(lines).expect("a chunk of 256 MiB has 1,024 lines");
    session.run(|encoder| {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &bindings, &[]);
        pass.dispatch_workgroups(WIDTH_GROUPS as u32, lines, 1);
    })
}

/// Reads words of every chunk, after all were written, and compares them with their patterns.
fn verify(session: &Session, chunks: &[wgpu::Buffer]) -> Result<(), ProbeError> {
    let mut base = 0;
    for (index, chunk) in chunks.iter().enumerate() {
        let words = (chunk.size() / 4).saturating_sub(1);
        let places: Vec<u64> = (0..READ_BACK_WORDS)
            .map(|place| words * place / (READ_BACK_WORDS - 1))
            .collect();
        let reads: Vec<(&wgpu::Buffer, u64)> =
            places.iter().map(|place| (chunk, 4 * place)).collect();
        for (place, actual) in places.iter().zip(session.read_words(&reads)?) {
            let word = u32::try_from(*place).expect("a chunk has fewer than 2^32 words");
            let expected = filled_word(word, salt(index));
            if actual != expected {
                return Err(ProbeError::WrongMemory {
                    offset: base + 4 * place,
                    expected,
                    actual,
                });
            }
        }
        base += chunk.size();
    }
    Ok(())
}

/// Returns the salt of a chunk's pattern; no two of the first 2^32 chunks share one.
fn salt(index: usize) -> u32 {
    (index as u32).wrapping_mul(0x85EB_CA6B).wrapping_add(1)
}

#[cfg(test)]
mod tests;
