//! Owns the choice of a matrix kernel: which size suits the device, and which kernel is fastest there.
//!
//! Never lets a kernel win whose product is wrong, however fast it is.

use std::time::{Duration, Instant};

use throughput_proof::{Operands, Shape};

use crate::device::Session;
use crate::error::ProbeError;
use crate::fresh_seed;
use crate::gemm::workload::Workload;
use crate::kernels::{Multiply, Sum};

/// How long a slice should last: short enough that a desktop stays responsive, long enough to time.
pub(crate) const SLICE: Duration = Duration::from_millis(50);

/// The sides tried: each is a multiple of every tile, and the loop along k stays far below 65,535 turns, after which
/// Mesa's CPU driver stops an invocation.
const SIDES: [u32; 5] = [256, 512, 1024, 2048, 4096];

/// The most products in one slice; the smallest takes far longer than a 512th of a slice to submit.
const MAX_REPEATS: u32 = 512;

/// A kernel goes on if a single run takes at most this part, in percent, of the fastest so far.
const STAYS_PERCENT: u32 = 125;

/// Kernels that are timed in whole slices.
const FINALISTS: usize = 2;

/// Slices of each finalist, taken in turns, so that a clock that still rises favours none.
const FINAL_SLICES: usize = 3;

/// Entries of a finalist's product that are recomputed on the CPU; what is reported later is checked more closely.
const CHECKED_ENTRIES: u32 = 16;

/// A kernel at the size that suits the device.
pub(crate) struct Entrant {
    /// The product.
    pub(crate) workload: Workload,
    /// How long one run takes.
    once: Duration,
}

impl Entrant {
    /// Grows the product while eight times the work still fits into a slice.
    pub(crate) fn fitting(
        session: &Session,
        operands: Operands,
        kernel: Multiply,
    ) -> Result<Self, ProbeError> {
        let workload = Workload::prepare(session, operands, square(SIDES[0]), kernel)?;
        Self::timed(workload)?.grown()
    }

    fn grown(mut self) -> Result<Self, ProbeError> {
        let current = self.workload.shape().rows();
        for side in SIDES.into_iter().filter(|side| *side > current) {
            if self.once * 8 > SLICE {
                break;
            }
            self = Self::timed(self.workload.resized(square(side))?)?;
        }
        Ok(self)
    }

    fn timed(workload: Workload) -> Result<Self, ProbeError> {
        let once = workload.shortest_of_two()?;
        Ok(Self { workload, once })
    }

    /// Returns how often it runs in a slice.
    pub(crate) fn repeats(&self) -> u32 {
        let repeats = SLICE.as_nanos() / self.once.as_nanos().max(1);
        u32::try_from(repeats)
            .unwrap_or(u32::MAX)
            .clamp(1, MAX_REPEATS)
    }
}

/// Finds the fastest of the kernels at the size that suits the device.
///
/// The first kernel sets the size. Each other one is compiled and run once or twice until `limit` is over; the best
/// are then timed in slices, and the winner also in its other way of adding up. Takes up to about half a second on
/// top of `limit`, and what one compilation takes.
pub(crate) fn fastest(
    session: &Session,
    operands: Operands,
    kernels: &[Multiply],
    limit: Duration,
) -> Result<Entrant, ProbeError> {
    let deadline = Instant::now() + limit;
    let (first, others) = kernels
        .split_first()
        .expect("there is a kernel for every adapter");
    let mut field = vec![Entrant::fitting(session, operands, *first)?];
    for kernel in others {
        if Instant::now() >= deadline {
            break;
        }
        field.extend(enter(&field[0].workload, *kernel)?);
    }
    let winner = correct(finals(leading(field))?)?;
    let separate = enter(
        &winner.workload,
        winner.workload.kernel().adding(Sum::Separate),
    )?;
    let winner = correct(finals(std::iter::once(winner).chain(separate).collect())?)?;
    winner.grown()
}

/// Times another kernel on the same product; `None` where the driver does not take it.
fn enter(product: &Workload, kernel: Multiply) -> Result<Option<Entrant>, ProbeError> {
    match product.with_kernel(kernel).and_then(Entrant::timed) {
        Ok(entrant) => {
            tracing::debug!(%kernel, once = ?entrant.once, "kernel tried");
            Ok(Some(entrant))
        }
        Err(ProbeError::Refused { detail }) => {
            tracing::debug!(%kernel, detail, "the driver refuses a kernel");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Returns the fastest of the field that are close to the best, in that order.
fn leading(mut field: Vec<Entrant>) -> Vec<Entrant> {
    field.sort_by_key(|entrant| entrant.once);
    let bound = field.first().map(|best| best.once * STAYS_PERCENT / 100);
    field.retain(|entrant| Some(entrant.once) <= bound);
    field.truncate(FINALISTS);
    field
}

/// Times slices of all finalists in turns and orders them by their middle one.
fn finals(mut field: Vec<Entrant>) -> Result<Vec<Entrant>, ProbeError> {
    let mut slices = vec![Vec::new(); field.len()];
    for _ in 0..FINAL_SLICES {
        for (entrant, slices) in field.iter().zip(&mut slices) {
            let repeats = entrant.repeats();
            slices.push(entrant.workload.run(repeats)? / repeats);
        }
    }
    for (entrant, slices) in field.iter_mut().zip(&mut slices) {
        slices.sort_unstable();
        entrant.once = slices[FINAL_SLICES / 2];
    }
    field.sort_by_key(|entrant| entrant.once);
    Ok(field)
}

/// Returns the first whose product is right; where there is none, what is wrong with the first.
fn correct(field: Vec<Entrant>) -> Result<Entrant, ProbeError> {
    let mut first_error = None;
    for entrant in field {
        let workload = &entrant.workload;
        workload.forget()?;
        workload.run(1)?;
        match workload.check(&fresh_seed("finals"), CHECKED_ENTRIES) {
            Ok(()) => return Ok(entrant),
            Err(error) => {
                tracing::warn!(kernel = %workload.kernel(), %error, "a kernel computes wrong results");
                first_error.get_or_insert(error);
            }
        }
    }
    Err(first_error.expect("a field has at least one kernel"))
}

fn square(side: u32) -> Shape {
    Shape::new(side, side, side).expect("the sides tried are shapes")
}

#[cfg(test)]
mod tests;
