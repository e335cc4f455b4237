//! Owns the rates at which device memory is read, written and copied.
//!
//! Never measures a cache, and never counts bytes that did not arrive.

use market::gpu::{AdapterForm, Figures, Spread};

use crate::device::Session;
use crate::dispatch::Dispatch;
use crate::error::ProbeError;
use crate::kernels::{self, Kernel, filled_word};
use crate::slices::Quantity;
use crate::{Bench, Stage, fresh_seed, fresh_word, host, sampled};

mod cache;

const MIB: u64 = 1 << 20;

/// Buffers are multiples of this, and never smaller, so that every kernel covers them whole.
const STEP_BYTES: u64 = 4 * MIB;

/// The size of a buffer on a GPU: twice the largest cache of 2026, 256 MiB.
const GPU_BYTES: u64 = 512 * MIB;

/// Below this a GPU that is short of memory is not measured: its cache would be.
const GPU_BYTES_MIN: u64 = 64 * MIB;

/// The size of a buffer on a CPU whose cache is not known.
const CPU_BYTES: u64 = 64 * MIB;

/// How many times larger than a CPU's cache a buffer is.
const CACHE_FACTOR: u64 = 4;

/// Words that one invocation of the reading kernel adds up, and words between two of its vectors.
const READ_TURNS: u64 = 32;
const READ_STRIDE_WORDS: u64 = 256 * 4;

/// Bytes that a workgroup of the writing and the copying kernel moves, and workgroups in a line of them.
const GROUP_BYTES: u64 = 256 * 16;
const LINE_GROUPS: u32 = 64;

/// Measures all three, in MiB a second, and keeps what is known if a later one fails.
pub(crate) fn measure(mut bench: Bench<'_>, figures: &mut Figures) -> Result<(), ProbeError> {
    (bench.report)(Stage::Preparing, 0);
    let buffers = Buffers::allocate(&bench)?;
    tracing::debug!(bytes = buffers.from.size(), "bandwidth");
    figures.memory_write_mib_per_s = Some(buffers.written(&mut bench)?);
    // The buffer now holds the pattern that the others check.
    figures.memory_read_mib_per_s = Some(buffers.read(&mut bench)?);
    figures.memory_copy_mib_per_s = Some(buffers.copied(&mut bench)?);
    Ok(())
}

/// Returns how large each of the two buffers should be, in bytes.
fn wanted_bytes(form: AdapterForm) -> u64 {
    let wanted = match form {
        AdapterForm::Cpu => {
            let cache = cache::last_level_bytes().unwrap_or(0);
            CPU_BYTES.max(CACHE_FACTOR * cache)
        }
        _ => GPU_BYTES,
    };
    match form {
        AdapterForm::Cpu | AdapterForm::Integrated => {
            // Two buffers in the host's memory leave three quarters of it to others.
            host::available_bytes().map_or(wanted, |available| wanted.min(available / 8))
        }
        _ => wanted,
    }
}

/// Two buffers of one size, and the pattern that goes through them.
struct Buffers<'a> {
    session: &'a Session,
    from: wgpu::Buffer,
    to: wgpu::Buffer,
    salt: u32,
}

impl<'a> Buffers<'a> {
    /// Allocates both, smaller ones where the device is too full.
    fn allocate(bench: &Bench<'a>) -> Result<Self, ProbeError> {
        let session = bench.session;
        let wanted = session.largest_storage(wanted_bytes(bench.adapter.form));
        let mut bytes = (wanted / STEP_BYTES * STEP_BYTES).max(STEP_BYTES);
        loop {
            match Self::sized(session, bytes) {
                Err(ProbeError::OutOfMemory { .. }) if bytes / 2 >= GPU_BYTES_MIN => {
                    bytes = bytes / 2 / STEP_BYTES * STEP_BYTES;
                }
                result => return result,
            }
        }
    }

    fn sized(session: &'a Session, bytes: u64) -> Result<Self, ProbeError> {
        Ok(Self {
            session,
            from: session.storage(bytes)?,
            to: session.storage(bytes)?,
            salt: fresh_word("pattern"),
        })
    }

    /// Measures writing: the pattern, over the first buffer.
    fn written(&self, bench: &mut Bench<'_>) -> Result<Spread, ProbeError> {
        let session = self.session;
        let width = LINE_GROUPS * 256;
        let parameters = session.parameters([self.salt, width, 0, 0, 0, 0, 0, 0])?;
        let bound = (&[&parameters][..], self.from.clone());
        let kernel = session.pipeline(&kernels::fill())?;
        let dispatch = Dispatch::new(session, kernel, bound, self.lines());
        self.moved(bench, &dispatch, self.from.size())
    }

    /// Measures copying from the first buffer to the second; each byte counts as read and as written.
    fn copied(&self, bench: &mut Bench<'_>) -> Result<Spread, ProbeError> {
        let session = self.session;
        let kernel = session.pipeline(&copy_kernel())?;
        let bound = (&[&self.from][..], self.to.clone());
        let dispatch = Dispatch::new(session, kernel, bound, self.lines());
        self.moved(bench, &dispatch, 2 * self.from.size())
    }

    /// Measures a dispatch that leaves the pattern in its result.
    fn moved(
        &self,
        bench: &mut Bench<'_>,
        dispatch: &Dispatch<'_>,
        bytes: u64,
    ) -> Result<Spread, ProbeError> {
        let spread = dispatch.measure(bench, Quantity::Bytes(bytes))?;
        (bench.report)(Stage::Checking, 0);
        self.check_pattern(dispatch.result())?;
        Ok(spread)
    }

    fn check_pattern(&self, buffer: &wgpu::Buffer) -> Result<(), ProbeError> {
        let places = sampled::places(buffer.size() / 4, &fresh_seed("positions"));
        sampled::check(self.session, buffer, &places, |place| self.word(place))
    }

    /// Measures reading the first buffer, which holds the pattern.
    fn read(&self, bench: &mut Bench<'_>) -> Result<Spread, ProbeError> {
        let dispatch = self.reading(&read_kernel())?;
        let spread = dispatch.measure(bench, Quantity::Bytes(self.from.size()))?;
        (bench.report)(Stage::Checking, 0);
        self.check_sums(dispatch.result())?;
        Ok(spread)
    }

    fn reading(&self, kernel: &Kernel) -> Result<Dispatch<'a>, ProbeError> {
        let kernel = self.session.pipeline(kernel)?;
        let sums = self.session.storage(self.from.size() / 4 / READ_TURNS)?;
        let groups = self.from.size() / (4 * READ_STRIDE_WORDS * READ_TURNS);
        let groups = u32::try_from(groups).expect("512 MiB are 4,096 groups");
        let bound = (&[&self.from][..], sums);
        Ok(Dispatch::new(self.session, kernel, bound, [groups, 1]))
    }

    fn check_sums(&self, sums: &wgpu::Buffer) -> Result<(), ProbeError> {
        let places = sampled::places(sums.size() / 4, &fresh_seed("positions"));
        sampled::check(self.session, sums, &places, |place| self.sum(place))
    }

    /// Returns what an invocation of the reading kernel must add up to.
    fn sum(&self, invocation: u64) -> u32 {
        let (group, local) = (invocation / 256, invocation % 256);
        let first = group * READ_STRIDE_WORDS * READ_TURNS + 4 * local;
        let vectors = (0..READ_TURNS).map(|turn| first + turn * READ_STRIDE_WORDS);
        vectors
            .flat_map(|vector| vector..vector + 4)
            .fold(0, |sum: u32, place| sum.wrapping_add(self.word(place)))
    }

    fn word(&self, place: u64) -> u32 {
        let index = u32::try_from(place).expect("a buffer has fewer than 2^32 words");
        filled_word(index, self.salt)
    }

    /// Returns the workgroups across and down of the writing and the copying kernel.
    fn lines(&self) -> [u32; 2] {
        let lines = self.from.size() / GROUP_BYTES / u64::from(LINE_GROUPS);
        [
            LINE_GROUPS,
            u32::try_from(lines).expect("512 MiB are 2,048 lines"),
        ]
    }
}

fn read_kernel() -> Kernel {
    Kernel {
        source: include_str!("kernels/read.wgsl").into(),
        entry_point: "read",
    }
}

fn copy_kernel() -> Kernel {
    Kernel {
        source: include_str!("kernels/copy.wgsl").into(),
        entry_point: "copy",
    }
}

#[cfg(test)]
mod tests;
