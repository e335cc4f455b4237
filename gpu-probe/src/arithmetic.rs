//! Owns the peak rates of arithmetic alone: fp32 fused and unfused, and dot products of 8-bit integers.
//!
//! Never reports a rate of chains whose ends were not recomputed on the CPU, bit for bit.

use market::gpu::Spread;

use crate::device::Session;
use crate::dispatch::Dispatch;
use crate::error::ProbeError;
use crate::slices::Quantity;
use crate::{Bench, Stage, fresh_seed, fresh_word, sampled};

mod chains;
mod uncontracted;

use chains::{CHAINS, Rounding};

/// Invocations of a workgroup.
const INVOCATIONS: u32 = 256;

/// Steps of every chain in one run; the loop on the device has a part of these turns.
const STEPS: u32 = 1_024;

/// Workgroups of one run where it starts: a CPU's driver takes some ten milliseconds for them.
const GROUPS_MIN: u32 = 16;

/// The most workgroups of one run; every device dispatches as many in one direction.
const GROUPS_MAX: u32 = 32_768;

/// A run that takes this long costs little to start; the sizes grow until it does, in microseconds.
const RUN_MICROS: u128 = 4_000;

/// Measures fp32 fused multiply-add, in MFLOP/s.
///
/// WGSL lets a device answer `fma` with two roundings instead of one, as CPU drivers do: either is accepted.
pub(crate) fn fma(mut bench: Bench<'_>) -> Result<Spread, ProbeError> {
    (bench.report)(Stage::Preparing, 0);
    let pipeline = bench.session.pipeline(&chains::fma())?;
    let chains = Chains::prepare(bench.session, pipeline, CHAINS * 2)?;
    let spread = chains.measure(&mut bench)?;
    let rounding = chains.rounding()?;
    tracing::debug!(?rounding, "fused multiply-add");
    Ok(spread)
}

/// Measures fp32 multiply and add with two roundings, in MFLOP/s; `None` where the driver fuses them and
/// takes no word against it.
pub(crate) fn mul_add(mut bench: Bench<'_>) -> Result<Option<Spread>, ProbeError> {
    (bench.report)(Stage::Preparing, 0);
    let session = bench.session;
    let pipeline = unfused_pipeline(session)?;
    let chains = Chains::prepare(session, pipeline, CHAINS * 2)?;
    let spread = chains.measure(&mut bench)?;
    match chains.rounding()? {
        Rounding::Separate => Ok(Some(spread)),
        Rounding::Fused => {
            tracing::debug!("the driver fuses multiplications and additions");
            Ok(None)
        }
    }
}

/// Compiles the chains so that nothing is fused where the driver can be told so, else as WGSL has them.
fn unfused_pipeline(session: &Session) -> Result<wgpu::ComputePipeline, ProbeError> {
    let kernel = chains::mul_add();
    if !session.takes_spirv() {
        return session.pipeline(&kernel);
    }
    let words =
        uncontracted::spirv(&kernel.source).map_err(|detail| ProbeError::Refused { detail })?;
    session.pipeline_of_spirv(&words, kernel.entry_point)
}

/// Measures dot products of packed 8-bit integers, in 10^6 operations a second: four multiplications and four
/// additions each.
pub(crate) fn dot_int8(mut bench: Bench<'_>) -> Result<Spread, ProbeError> {
    (bench.report)(Stage::Preparing, 0);
    let pipeline = bench.session.pipeline(&chains::dots())?;
    let chains = Chains::prepare(bench.session, pipeline, CHAINS * 8)?;
    let spread = chains.measure(&mut bench)?;
    chains.check(chains::dots_end)?;
    Ok(spread)
}

/// Chains in every invocation of a run.
struct Chains<'a> {
    session: &'a Session,
    dispatch: Dispatch<'a>,
    seed: u32,
    quantity: Quantity,
}

impl<'a> Chains<'a> {
    /// Grows the run until it takes long enough; an invocation does `operations` in each step.
    fn prepare(
        session: &'a Session,
        pipeline: wgpu::ComputePipeline,
        operations: u32,
    ) -> Result<Self, ProbeError> {
        let mut groups = GROUPS_MIN;
        loop {
            let chains = Self::sized(session, pipeline.clone(), operations, groups)?;
            chains.dispatch.run(1)?;
            let took = chains.dispatch.run(1)?.wall.as_micros();
            if took >= RUN_MICROS || groups >= GROUPS_MAX {
                return Ok(chains);
            }
            groups *= 2;
        }
    }

    fn sized(
        session: &'a Session,
        pipeline: wgpu::ComputePipeline,
        operations: u32,
        groups: u32,
    ) -> Result<Self, ProbeError> {
        let seed = fresh_word("chains");
        let turns = STEPS / chains::STEPS_PER_TURN;
        let parameters = session.parameters([turns, seed, 0, 0, 0, 0, 0, 0])?;
        let invocations = u64::from(groups * INVOCATIONS);
        let results = session.storage(4 * invocations)?;
        let bound = (&[&parameters][..], results);
        Ok(Self {
            session,
            dispatch: Dispatch::new(session, pipeline, bound, [groups, 1]),
            seed,
            quantity: Quantity::Operations(invocations * u64::from(operations) * u64::from(STEPS)),
        })
    }

    fn measure(&self, bench: &mut Bench<'_>) -> Result<Spread, ProbeError> {
        let spread = self.dispatch.measure(bench, self.quantity)?;
        (bench.report)(Stage::Checking, 0);
        Ok(spread)
    }

    /// Compares ends of chains, drawn now that they exist, with those of the CPU.
    fn check(&self, end: fn(u32, u32, u32) -> u32) -> Result<(), ProbeError> {
        let places = self.places();
        let results = self.dispatch.result();
        sampled::check(self.session, results, &places, self.end_of(end))
    }

    /// Finds out how every one of the sampled chains was rounded.
    ///
    /// # Errors
    /// They are neither all fused nor all separate.
    fn rounding(&self) -> Result<Rounding, ProbeError> {
        let places = self.places();
        let actual = sampled::read(self.session, self.dispatch.result(), &places)?;
        let compare = |end| sampled::compare(&places, &actual, self.end_of(end));
        match compare(chains::fused_end) {
            Ok(()) => Ok(Rounding::Fused),
            Err(_) => compare(chains::separate_end).map(|()| Rounding::Separate),
        }
    }

    fn places(&self) -> Vec<u64> {
        sampled::places(self.dispatch.result().size() / 4, &fresh_seed("positions"))
    }

    fn end_of(&self, end: fn(u32, u32, u32) -> u32) -> impl Fn(u64) -> u32 {
        let seed = self.seed;
        move |place| {
            let invocation = u32::try_from(place).expect("there are fewer than 2^32 invocations");
            end(seed, invocation, STEPS)
        }
    }
}

#[cfg(test)]
mod tests;
