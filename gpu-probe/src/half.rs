//! Owns matrix multiplication of f16 with f32 accumulators: on plain arithmetic, and on matrix units.
//!
//! Never reports a rate of a product whose entries were not recomputed. The elements are integers in
//! [-63, 63] and the depth is at most 4,096, so every sum is below 2^24 and exact in fp32 in any order; the
//! same product with f16 accumulators is not.

use std::time::Duration;

use market::gpu::Spread;

use crate::device::Session;
use crate::dispatch::Dispatch;
use crate::error::ProbeError;
use crate::kernels::Kernel;
use crate::mixer::mixed;
use crate::slices::Quantity;
use crate::{Bench, Stage, fresh_seed, fresh_word, sampled};

mod text;

/// The sides tried: multiples of every tile; a larger one would leave fp32's exact integers.
const SIDES: [u32; 5] = [256, 512, 1_024, 2_048, 4_096];

/// A product that takes this long is large enough: eight times the work would still fit into a slice.
const LONG_ENOUGH: Duration = Duration::from_millis(6);

/// Measures the product on plain arithmetic, in MFLOP/s; `None` where shaders have no f16.
pub(crate) fn plain(mut bench: Bench<'_>) -> Result<Option<Spread>, ProbeError> {
    if !bench.session.has_f16() {
        return Ok(None);
    }
    measure(&mut bench, &Tiles::plain()).map(Some)
}

/// Measures the product on matrix units, in MFLOP/s; `None` where the driver offers shaders none that take
/// f16 and add up in f32.
pub(crate) fn on_matrix_units(mut bench: Bench<'_>) -> Result<Option<Spread>, ProbeError> {
    let Some(units) = bench.session.matrix_units() else {
        return Ok(None);
    };
    tracing::debug!(?units, "matrix units");
    let tiles = Tiles {
        kernel: text::on_units(units),
        side: 4 * units.side,
    };
    measure(&mut bench, &tiles).map(Some)
}

fn measure(bench: &mut Bench<'_>, tiles: &Tiles) -> Result<Spread, ProbeError> {
    (bench.report)(Stage::Preparing, 0);
    let product = Product::fitting(bench.session, tiles)?;
    let spread = product.dispatch.measure(bench, product.quantity())?;
    (bench.report)(Stage::Checking, 0);
    product.check()?;
    Ok(spread)
}

/// A kernel, and the side of the square that one of its workgroups computes.
struct Tiles {
    kernel: Kernel,
    side: u32,
}

impl Tiles {
    fn plain() -> Self {
        Self {
            kernel: text::plain(),
            side: 128,
        }
    }
}

/// A product of known operands, ready to run.
struct Product<'a> {
    session: &'a Session,
    dispatch: Dispatch<'a>,
    side: u32,
    seeds: [u32; 2],
}

impl<'a> Product<'a> {
    /// Grows the product until it takes long enough.
    fn fitting(session: &'a Session, tiles: &Tiles) -> Result<Self, ProbeError> {
        let pipeline = session.pipeline(&tiles.kernel)?;
        let [first, larger @ ..] = SIDES;
        let mut product = Self::prepare(session, (&pipeline, tiles.side), first)?;
        for side in larger {
            product.dispatch.run(1)?;
            if product.dispatch.run(1)?.wall > LONG_ENOUGH {
                break;
            }
            product = Self::prepare(session, (&pipeline, tiles.side), side)?;
        }
        Ok(product)
    }

    /// Allocates the buffers and makes the operands on the device.
    fn prepare(
        session: &'a Session,
        (pipeline, tile_side): (&wgpu::ComputePipeline, u32),
        side: u32,
    ) -> Result<Self, ProbeError> {
        let entries = u64::from(side) * u64::from(side);
        let seeds = seeds();
        let left = session.storage(2 * entries)?;
        let right = session.storage(2 * entries)?;
        for (seed, operand) in seeds.into_iter().zip([&left, &right]) {
            generate(session, operand, seed, side)?;
        }
        let parameters = session.parameters([side, 0, 0, 0, 0, 0, 0, 0])?;
        let bound = (
            &[&parameters, &left, &right][..],
            session.storage(4 * entries)?,
        );
        let groups = [side / tile_side; 2];
        Ok(Self {
            session,
            dispatch: Dispatch::new(session, pipeline.clone(), bound, groups),
            side,
            seeds,
        })
    }

    /// Two operations a term.
    fn quantity(&self) -> Quantity {
        Quantity::Operations(2 * u64::from(self.side).pow(3))
    }

    /// Recomputes entries of the product as the device left it.
    fn check(&self) -> Result<(), ProbeError> {
        let product = self.dispatch.result();
        let places = sampled::places(product.size() / 4, &fresh_seed("positions"));
        sampled::check(self.session, product, &places, |place| self.entry(place))
    }

    /// Returns the bits of the entry that is `place`-th in row order.
    fn entry(&self, place: u64) -> u32 {
        let place = u32::try_from(place).expect("a product has at most 2^24 entries");
        let (row, column) = (place / self.side, place % self.side);
        let [left, right] = self.seeds;
        let terms = (0..self.side).map(|k| {
            let line = k * self.side;
            element(left, line + row) * element(right, line + column)
        });
        (terms.sum::<i32>() as f32).to_bits()
    }
}

/// Writes an operand, on the device.
fn generate(
    session: &Session,
    operand: &wgpu::Buffer,
    seed: u32,
    side: u32,
) -> Result<(), ProbeError> {
    const LINE_GROUPS: u32 = 8;
    let pipeline = session.pipeline(&text::operands())?;
    let parameters = session.parameters([seed, 256 * LINE_GROUPS, 0, 0, 0, 0, 0, 0])?;
    let bound = (&[&parameters][..], operand.clone());
    let lines = side * side / 4 / 256 / LINE_GROUPS;
    Dispatch::new(session, pipeline, bound, [LINE_GROUPS, lines])
        .run(1)
        .map(|_| ())
}

/// Returns element `index` of an operand, an integer in [-63, 63].
fn element(seed: u32, index: u32) -> i32 {
    let scaled = ((mixed(index ^ seed) >> 16) * 127) >> 16;
    scaled.cast_signed() - 63
}

fn seeds() -> [u32; 2] {
    ["left", "right"].map(fresh_word)
}

#[cfg(test)]
mod tests;
