//! Owns the benchmark of fp32 matrix multiplication: its size, its slices, its statistics and the check.
//!
//! Never reports a rate of a product whose entries were not checked.

use std::time::{Duration, Instant};

use market::gpu::Spread;
use throughput_proof::{Entry, Matrix, Operands, Sample, Seed, Shape};

use crate::device::Session;
use crate::error::ProbeError;
use crate::kernels::{self, Accumulate, TILE_SIDE};
use crate::{Bench, Effort, Stage, fresh_seed};

/// How long a slice should last: short enough that a desktop stays responsive, long enough to time.
const SLICE: Duration = Duration::from_millis(50);

/// The sides tried: each is a multiple of the tile, and the loop along k stays far below 65,535 turns.
const SIDES: [u32; 5] = [256, 512, 1024, 2048, 4096];

/// Entries of the timed product that are recomputed on the CPU.
const CHECKED_ENTRIES: u32 = 64;

/// Clocks count as settled when two slices differ by less than this part.
const SETTLED_PART: u32 = 33;

/// The most products in one slice; the smallest takes far longer than a 512th of a slice to submit.
const MAX_REPEATS: u32 = 512;

/// What was measured, in MFLOP/s.
pub(crate) struct Multiplied {
    /// Over all timed slices.
    pub(crate) spread_mflops: Spread,
    /// p10 of the second half of the slices.
    pub(crate) sustained_mflops: u64,
}

/// How long the parts of a measurement take.
struct Plan {
    warm_up_min: Duration,
    warm_up_max: Duration,
    timed: Duration,
}

impl Plan {
    const fn of(effort: Effort) -> Self {
        match effort {
            Effort::Quick => Self {
                warm_up_min: Duration::from_millis(300),
                warm_up_max: Duration::from_millis(1_500),
                timed: Duration::from_secs(2),
            },
            Effort::Full => Self {
                warm_up_min: Duration::from_secs(1),
                warm_up_max: Duration::from_secs(5),
                timed: Duration::from_secs(20),
            },
            Effort::Soak(timed) => Self {
                warm_up_min: Duration::from_secs(1),
                warm_up_max: Duration::from_secs(5),
                timed,
            },
        }
    }
}

/// Measures sustained fp32 matrix multiplication, and checks entries of what was timed.
pub(crate) fn measure(bench: Bench<'_>) -> Result<Multiplied, ProbeError> {
    let Bench {
        session,
        effort,
        report,
        ..
    } = bench;
    let plan = Plan::of(effort);
    report(Stage::Preparing, 0);
    let operands = Operands::new(&fresh_seed("operands"));
    let (workload, repeats) = fastest(session, operands)?;
    report(Stage::WarmingUp, 0);
    warm_up(&workload, repeats, &plan)?;
    workload.forget()?;
    let rates = timed(&workload, repeats, plan.timed, &mut |permille| {
        report(Stage::Timing, permille);
    })?;
    report(Stage::Checking, 0);
    // Drawn only now that the product exists.
    workload.check(&fresh_seed("positions"))?;
    Ok(statistics(&rates))
}

/// Returns the statistics of the slices in the order in which they ran; there is at least one.
fn statistics(rates_mflops: &[u64]) -> Multiplied {
    let second_half = &rates_mflops[rates_mflops.len() / 2..];
    let some = "a timed run has at least one slice";
    Multiplied {
        spread_mflops: Spread::of(rates_mflops).expect(some),
        sustained_mflops: Spread::of(second_half).expect(some).p10,
    }
}

/// Chooses the size that suits the device, then the faster kernel at that size; returns the workload
/// and how often it runs in a slice.
fn fastest(session: &Session, operands: Operands) -> Result<(Workload<'_>, u32), ProbeError> {
    let separate = session.pipeline(&kernels::multiply(Accumulate::Separate))?;
    let (workload, once) = fitting(session, operands, separate)?;
    let fused = workload.with_kernel(session.pipeline(&kernels::multiply(Accumulate::Fused))?);
    let fused_once = fused.shortest_of_two()?;
    tracing::debug!(side = workload.shape.rows(), separate = ?once, fused = ?fused_once, "kernels tried");
    let (workload, once) = if fused_once < once {
        (fused, fused_once)
    } else {
        (workload, once)
    };
    let repeats = SLICE.as_nanos() / once.as_nanos().max(1);
    let repeats = u32::try_from(repeats).unwrap_or(u32::MAX);
    Ok((workload, repeats.clamp(1, MAX_REPEATS)))
}

/// Grows the product while eight times the work still fits into a slice.
fn fitting(
    session: &Session,
    operands: Operands,
    kernel: wgpu::ComputePipeline,
) -> Result<(Workload<'_>, Duration), ProbeError> {
    let mut workload = Workload::prepare(session, operands, kernel, SIDES[0])?;
    let mut once = workload.shortest_of_two()?;
    for side in &SIDES[1..] {
        if once * 8 > SLICE {
            break;
        }
        let kernel = workload.kernel.clone();
        workload = Workload::prepare(session, operands, kernel, *side)?;
        once = workload.shortest_of_two()?;
    }
    Ok((workload, once))
}

/// Runs slices until two in a row take the same time, within the plan's bounds.
fn warm_up(workload: &Workload<'_>, repeats: u32, plan: &Plan) -> Result<(), ProbeError> {
    let start = Instant::now();
    let mut before = workload.run(repeats)?;
    loop {
        let now = workload.run(repeats)?;
        let settled = now.abs_diff(before) * SETTLED_PART < before;
        let elapsed = start.elapsed();
        if elapsed >= plan.warm_up_max || (settled && elapsed >= plan.warm_up_min) {
            return Ok(());
        }
        before = now;
    }
}

/// Runs slices for `length` and returns the rate of each in MFLOP/s, at least one.
fn timed(
    workload: &Workload<'_>,
    repeats: u32,
    length: Duration,
    report_permille: &mut dyn FnMut(u16),
) -> Result<Vec<u64>, ProbeError> {
    let start = Instant::now();
    let mut rates = Vec::new();
    loop {
        let took = workload.run(repeats)?;
        rates.push(mflops(workload.shape, repeats, took));
        let permille = start.elapsed().as_millis() * 1_000 / length.as_millis();
        report_permille(u16::try_from(permille.min(1_000)).unwrap_or(1_000));
        if permille >= 1_000 {
            return Ok(rates);
        }
    }
}

/// Returns the rate of `repeats` products in `took`, in MFLOP/s.
fn mflops(shape: Shape, repeats: u32, took: Duration) -> u64 {
    // One operation a nanosecond is 1,000 MFLOP/s.
    let operations = u128::from(shape.operations()) * u128::from(repeats);
    let rate = operations * 1_000 / took.as_nanos().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

/// The device's buffers of one product.
#[derive(Clone)]
struct Buffers {
    parameters: wgpu::Buffer,
    left: wgpu::Buffer,
    right: wgpu::Buffer,
    product: wgpu::Buffer,
}

/// A product of known operands, ready to run on the device.
struct Workload<'a> {
    session: &'a Session,
    operands: Operands,
    shape: Shape,
    buffers: Buffers,
    kernel: wgpu::ComputePipeline,
    bindings: wgpu::BindGroup,
}

impl<'a> Workload<'a> {
    /// Allocates the buffers of a square product and makes its operands on the device.
    fn prepare(
        session: &'a Session,
        operands: Operands,
        kernel: wgpu::ComputePipeline,
        side: u32,
    ) -> Result<Self, ProbeError> {
        let shape = Shape::new(side, side, side).expect("the sides tried are shapes");
        let bytes = 4 * shape.entries();
        let buffers = Buffers {
            parameters: session.parameters([side / 4, side, 0, 0, 0, 0, 0, 0])?,
            left: session.storage(bytes)?,
            right: session.storage(bytes)?,
            product: session.storage(bytes)?,
        };
        let generator = session.pipeline(&kernels::operands())?;
        for (matrix, buffer) in [
            (Matrix::Left, &buffers.left),
            (Matrix::Right, &buffers.right),
        ] {
            let [key_0, key_1, word] = operands.words();
            let parameters =
                session.parameters([side, matrix.tag(), key_0, key_1, word, 0, 0, 0])?;
            let bindings = session.bind(&generator, &[&parameters, buffer]);
            session.run(|encoder| {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                pass.set_pipeline(&generator);
                pass.set_bind_group(0, &bindings, &[]);
                pass.dispatch_workgroups(side / 64, side / 4, 1);
            })?;
        }
        Ok(Self::bound(session, (operands, shape), buffers, kernel))
    }

    fn bound(
        session: &'a Session,
        (operands, shape): (Operands, Shape),
        buffers: Buffers,
        kernel: wgpu::ComputePipeline,
    ) -> Self {
        let Buffers {
            parameters,
            left,
            right,
            product,
        } = &buffers;
        let bindings = session.bind(&kernel, &[parameters, left, right, product]);
        Self {
            session,
            operands,
            shape,
            buffers,
            kernel,
            bindings,
        }
    }

    /// Returns the same product under another kernel.
    fn with_kernel(&self, kernel: wgpu::ComputePipeline) -> Self {
        let problem = (self.operands, self.shape);
        Self::bound(self.session, problem, self.buffers.clone(), kernel)
    }

    /// Computes the product `repeats` times in one submission and returns the time that it took.
    fn run(&self, repeats: u32) -> Result<Duration, ProbeError> {
        let groups = self.shape.rows() / TILE_SIDE;
        self.session.run(|encoder| {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&self.kernel);
            pass.set_bind_group(0, &self.bindings, &[]);
            for _ in 0..repeats {
                pass.dispatch_workgroups(groups, groups, 1);
            }
        })
    }

    fn shortest_of_two(&self) -> Result<Duration, ProbeError> {
        Ok(self.run(1)?.min(self.run(1)?))
    }

    /// Clears the product, so that what is checked later was computed after this.
    fn forget(&self) -> Result<(), ProbeError> {
        let clear = |encoder: &mut wgpu::CommandEncoder| {
            encoder.clear_buffer(&self.buffers.product, 0, None);
        };
        self.session.run(clear).map(|_| ())
    }

    /// Reads entries of the product as the device left it and recomputes them here.
    fn check(&self, seed: &Seed) -> Result<(), ProbeError> {
        let sample = Sample::draw(self.operands, self.shape, seed, CHECKED_ENTRIES);
        let columns = u64::from(self.shape.columns());
        let places: Vec<(&wgpu::Buffer, u64)> = sample
            .positions()
            .iter()
            .map(|at| {
                let entry = u64::from(at.row) * columns + u64::from(at.column);
                (&self.buffers.product, 4 * entry)
            })
            .collect();
        let words = self.session.read_words(&places)?;
        let entries: Vec<Entry> = sample
            .positions()
            .iter()
            .zip(words)
            .map(|(at, bits)| Entry { at: *at, bits })
            .collect();
        Ok(sample.check(&entries)?)
    }
}

#[cfg(test)]
mod tests;
