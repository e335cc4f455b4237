//! Owns the comparison of all matrix kernels on one adapter, for people who tune them.
//!
//! Never decides anything: the tournament does, with less time.

use std::time::{Duration, Instant};

use throughput_proof::Operands;

use crate::adapters::Adapter;
use crate::device::Session;
use crate::error::ProbeError;
use crate::fresh_seed;
use crate::kernels::Sum;
use crate::slices::Quantity;
use crate::tuning::candidates::candidates;
use crate::tuning::tournament::Entrant;

/// Slices of each kernel.
const SLICES: usize = 9;

/// Entries of each product that are recomputed on the CPU.
const CHECKED_ENTRIES: u32 = 16;

/// What one matrix kernel does on an adapter.
#[derive(Debug)]
pub struct KernelRate {
    /// Rows x columns of an invocation, invocations down x across, how operands are read and added.
    pub name: String,
    /// Rows, columns and depth of the product.
    pub side: u32,
    /// From the source until the first products were done: driver's compilation, operands, growing to this size.
    pub prepared_in: Duration,
    /// The middle one of some slices of 50 ms, in MFLOP/s.
    pub mflops: u64,
}

/// Times every matrix kernel that suits an adapter, in both ways of adding. Takes about a second a kernel.
///
/// Calls `found` after each, with the kernel's name and why it failed where it did.
///
/// # Errors
/// The device could not be opened, or was lost.
pub fn survey(
    adapter: &Adapter,
    found: &mut dyn FnMut(Result<KernelRate, (String, ProbeError)>),
) -> Result<(), ProbeError> {
    let session = Session::open(adapter.handle())?;
    let operands = Operands::new(&fresh_seed("operands"));
    for kernel in candidates(&session.offered()) {
        for kernel in [kernel, kernel.adding(Sum::Separate)] {
            let start = Instant::now();
            let rate = Entrant::fitting(&session, operands, kernel)
                .and_then(|entrant| rate(&entrant, start.elapsed()));
            match rate {
                Err(error) if error.is_of_a_lost_device() => return Err(error),
                other => found(other.map_err(|error| (kernel.to_string(), error))),
            }
        }
    }
    Ok(())
}

fn rate(entrant: &Entrant, prepared_in: Duration) -> Result<KernelRate, ProbeError> {
    let (workload, repeats) = (&entrant.workload, entrant.repeats());
    workload.forget()?;
    let product = Quantity::Operations(workload.shape().operations());
    let mut rates = Vec::new();
    for _ in 0..SLICES {
        rates.push(product.rate(repeats, workload.run(repeats)?)?);
    }
    rates.sort_unstable();
    workload.check(&fresh_seed("positions"), CHECKED_ENTRIES)?;
    Ok(KernelRate {
        name: workload.kernel().to_string(),
        side: workload.shape().rows(),
        prepared_in,
        mflops: rates[SLICES / 2],
    })
}

#[cfg(test)]
mod tests;
