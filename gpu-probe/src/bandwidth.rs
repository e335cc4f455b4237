//! Owns the rates at which device memory is read, written and copied.
//!
//! Never counts bytes that did not arrive, and never measures a cache where the driver allows buffers that are
//! larger: Mesa's driver for CPUs ends them at 128 MiB.

use std::time::Duration;

use market::gpu::{AdapterForm, Figures, Spread};

use crate::device::{Session, Took};
use crate::dispatch::Dispatch;
use crate::error::ProbeError;
use crate::kernels::{self, Kernel, filled_word};
use crate::slices::{self, Quantity, Run};
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

/// Vectors that one invocation of the reading kernel adds up, and invocations of its workgroups.
const READ_TURNS: u64 = 32;
const READ_WIDTH: u64 = 256;

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
        largest(wanted, &mut |bytes| Self::sized(session, bytes))
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
        let mut run = |repeats| dispatch.run(repeats);
        self.moved(bench, (&mut run, &self.from), self.from.size())
    }

    /// Measures copying from the first buffer to the second, with a kernel or with the driver's command, whichever
    /// is faster; each byte counts as read and as written.
    ///
    /// Writing has no such choice: the driver's command writes zeros, which cards compress.
    fn copied(&self, bench: &mut Bench<'_>) -> Result<Spread, ProbeError> {
        let session = self.session;
        let kernel = session.pipeline(&copy_kernel())?;
        let bound = (&[&self.from][..], self.to.clone());
        let dispatch = Dispatch::new(session, kernel, bound, self.lines());
        let mut by_kernel = |repeats| dispatch.run(repeats);
        let mut by_command = |repeats| self.run_command(repeats);
        let is_command = shorter_of_two(&mut by_command)? < shorter_of_two(&mut by_kernel)?;
        tracing::debug!(is_command, "copy");
        let run: &mut Run<'_> = if is_command {
            &mut by_command
        } else {
            &mut by_kernel
        };
        self.moved(bench, (run, &self.to), 2 * self.from.size())
    }

    fn run_command(&self, repeats: u32) -> Result<Took, ProbeError> {
        let bytes = self.from.size();
        let wall = self.session.run(|encoder| {
            for _ in 0..repeats {
                encoder.copy_buffer_to_buffer(&self.from, 0, &self.to, 0, bytes);
            }
        })?;
        Ok(Took::by_wall(wall))
    }

    /// Measures a run that leaves the pattern in a buffer.
    fn moved(
        &self,
        bench: &mut Bench<'_>,
        (run, result): (&mut Run<'_>, &wgpu::Buffer),
        bytes: u64,
    ) -> Result<Spread, ProbeError> {
        let spread = slices::measure(bench, Quantity::Bytes(bytes), (run, result))?;
        (bench.report)(Stage::Checking, 0);
        self.check_pattern(result)?;
        Ok(spread)
    }

    fn check_pattern(&self, buffer: &wgpu::Buffer) -> Result<(), ProbeError> {
        let places = sampled::places(buffer.size() / 4, &fresh_seed("positions"));
        sampled::check(self.session, buffer, &places, |place| self.word(place))
    }

    /// Measures reading the first buffer, which holds the pattern.
    fn read(&self, bench: &mut Bench<'_>) -> Result<Spread, ProbeError> {
        let layout = Layout::of(bench.adapter.form);
        let dispatch = self.reading(&layout.kernel())?;
        let spread = dispatch.measure(bench, Quantity::Bytes(self.from.size()))?;
        (bench.report)(Stage::Checking, 0);
        self.check_sums(layout, dispatch.result())?;
        Ok(spread)
    }

    fn reading(&self, kernel: &Kernel) -> Result<Dispatch<'a>, ProbeError> {
        let kernel = self.session.pipeline(kernel)?;
        let sums = self.session.storage(self.from.size() / 4 / READ_TURNS)?;
        let groups = self.from.size() / (16 * READ_WIDTH * READ_TURNS);
        let groups = u32::try_from(groups).expect("512 MiB are 4,096 groups");
        let bound = (&[&self.from][..], sums);
        Ok(Dispatch::new(self.session, kernel, bound, [groups, 1]))
    }

    fn check_sums(&self, layout: Layout, sums: &wgpu::Buffer) -> Result<(), ProbeError> {
        let places = sampled::places(sums.size() / 4, &fresh_seed("positions"));
        let expected = |place| self.sum(layout, place);
        sampled::check(self.session, sums, &places, expected)
    }

    /// Returns what an invocation of the reading kernel must add up to.
    fn sum(&self, layout: Layout, invocation: u64) -> u32 {
        let (invocation_step, turn_step) = layout.steps();
        let (group, local) = (invocation / READ_WIDTH, invocation % READ_WIDTH);
        let first = group * READ_WIDTH * READ_TURNS + local * invocation_step;
        let vectors = (0..READ_TURNS).map(|turn| 4 * (first + turn * turn_step));
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

/// Allocates `wanted` bytes, or half as often as memory runs out, in whole steps and never less than would
/// measure a cache.
fn largest<T>(
    wanted: u64,
    allocate: &mut dyn FnMut(u64) -> Result<T, ProbeError>,
) -> Result<T, ProbeError> {
    let whole = |bytes: u64| (bytes / STEP_BYTES * STEP_BYTES).max(STEP_BYTES);
    let mut bytes = whole(wanted);
    loop {
        match allocate(bytes) {
            Err(ProbeError::OutOfMemory { .. }) if bytes / 2 >= GPU_BYTES_MIN => {
                bytes = whole(bytes / 2);
            }
            result => return result,
        }
    }
}

/// Which vectors an invocation of the reading kernel adds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// Neighbouring invocations read neighbouring vectors: what GPUs are made for.
    Neighbours,
    /// Each invocation reads a block of its own: what a CPU's caches are made for.
    Blocks,
}

impl Layout {
    const fn of(form: AdapterForm) -> Self {
        match form {
            AdapterForm::Cpu => Self::Blocks,
            _ => Self::Neighbours,
        }
    }

    /// Returns the vectors between the first ones of two invocations, and between two of one invocation.
    const fn steps(self) -> (u64, u64) {
        match self {
            Self::Neighbours => (1, READ_WIDTH),
            Self::Blocks => (READ_TURNS, 1),
        }
    }

    fn kernel(self) -> Kernel {
        let (invocation_step, turn_step) = self.steps();
        Kernel {
            source: include_str!("kernels/read.wgsl")
                .replace("{{INVOCATION_STEP}}", &invocation_step.to_string())
                .replace("{{TURN_STEP}}", &turn_step.to_string()),
            entry_point: "add_up",
        }
    }
}

fn copy_kernel() -> Kernel {
    Kernel {
        source: include_str!("kernels/copy.wgsl").into(),
        entry_point: "copy",
    }
}

/// Returns the shorter time of two runs; the first may pay for what is made late.
fn shorter_of_two(run: &mut Run<'_>) -> Result<Duration, ProbeError> {
    Ok(run(1)?.wall.min(run(1)?.wall))
}

#[cfg(test)]
mod tests;
