//! Owns what a prover is asked to compute: mode, lengths and number of rounds, with their limits, and the size that
//! suits a device.
//!
//! Never times anything: rates come from the caller.

use crate::mode::Mode;
use crate::shape::{Shape, ShapeError};

/// Rows and columns of a tile, the unit that is hashed and opened.
pub const TILE_SIDE: u32 = 32;

/// The most rows and the most columns: 2^18 tiles, a product of 1 GiB.
pub const MAX_SIDE: u32 = 1 << 14;

/// The largest depth: up to it an `i32` holds every sum of mode I.
pub const MAX_DEPTH: u32 = 1 << 15;

/// The depth is a multiple of this; over so many terms the sums of mode I stay below 2^24.
pub const DEPTH_STEP: u32 = 256;

/// The most rounds; their roots take 2 MiB.
pub const MAX_ROUNDS: u32 = 1 << 16;

/// How long an honest run lasts at least, in milliseconds.
pub const MIN_RUN_MS: u64 = 5_000;

/// How long a run is made at most, in milliseconds: round trips above 2.4 s cost the prover score.
pub const MAX_RUN_MS: u64 = 120_000;

/// An honest run lasts at least so many round trips, because the network's time is not subtracted.
const RUN_ROUND_TRIPS: u64 = 50;

/// A run has at least so many rounds, wherever the smallest product is small enough for it.
const MIN_ROUNDS: u64 = 16;

/// The sides tried, from large to small.
const SIDES: [u32; 6] = [4_096, 2_048, 1_024, 512, 256, 128];

/// A round of the largest side is deepened while it is shorter than this, in microseconds: reading the leaves back
/// and hashing them into a root takes the host a fixed part of a millisecond a round.
const SHORT_ROUND_US: u128 = 4_000;

/// The products that one proof consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workload {
    mode: Mode,
    shape: Shape,
    rounds: u32,
}

/// Why lengths and rounds are no workload.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WorkloadError {
    /// Lengths that no product has.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// Rows and columns are no whole tiles or too many.
    #[error(
        "{rows} x {columns}: rows and columns must be multiples of {TILE_SIDE} up to {MAX_SIDE}"
    )]
    Sides {
        /// The rows.
        rows: u32,
        /// The columns.
        columns: u32,
    },
    /// The depth is no whole number of steps or too large.
    #[error("depth {depth}: it must be a multiple of {DEPTH_STEP} up to {MAX_DEPTH}")]
    Depth {
        /// The depth.
        depth: u32,
    },
    /// No rounds, or too many.
    #[error("{rounds} rounds: there must be 1 to {MAX_ROUNDS}")]
    Rounds {
        /// The rounds.
        rounds: u32,
    },
}

impl Workload {
    /// Makes a workload: rows and columns are multiples of 32 up to 2^14, the depth is a multiple of 256 up to 2^15,
    /// and there are 1 to 2^16 rounds.
    pub fn new(mode: Mode, shape: Shape, rounds: u32) -> Result<Self, WorkloadError> {
        let (rows, columns, depth) = (shape.rows(), shape.columns(), shape.depth());
        let is_tiled = |side: u32| side.is_multiple_of(TILE_SIDE) && side <= MAX_SIDE;
        if !is_tiled(rows) || !is_tiled(columns) {
            return Err(WorkloadError::Sides { rows, columns });
        }
        if !depth.is_multiple_of(DEPTH_STEP) || depth > MAX_DEPTH {
            return Err(WorkloadError::Depth { depth });
        }
        if !(1..=MAX_ROUNDS).contains(&rounds) {
            return Err(WorkloadError::Rounds { rounds });
        }
        Ok(Self {
            mode,
            shape,
            rounds,
        })
    }

    /// Chooses the workload for a device that reports `reported_mflops` over a link with this round trip.
    ///
    /// An honest run lasts max(5 s, 50 round trips), at most two minutes. The product is 4096 x 4096 x 4096; it is
    /// smaller where a device would otherwise run fewer than 16 rounds, and deeper where a round would be so short that
    /// the host's part of it counts. The slowest devices run one round of 128 x 128 x 256, however long it takes.
    pub fn for_rate(mode: Mode, reported_mflops: u64, round_trip_ms: u64) -> Self {
        let wanted_ms = round_trip_ms.saturating_mul(RUN_ROUND_TRIPS);
        let run_ms = wanted_ms.clamp(MIN_RUN_MS, MAX_RUN_MS);
        // One MFLOP/s is 1,000 operations a millisecond, and one operation a microsecond.
        let budget = u128::from(reported_mflops) * 1_000 * u128::from(run_ms);
        let shape = suitable_shape(budget, u128::from(reported_mflops) * SHORT_ROUND_US);
        let rounds = budget.div_ceil(u128::from(shape.operations()));
        let rounds = rounds.clamp(1, u128::from(MAX_ROUNDS)) as u32;
        Self::new(mode, shape, rounds).expect("the shapes tried are tiled and the rounds clamped")
    }

    /// Returns the mode.
    pub const fn mode(self) -> Mode {
        self.mode
    }

    /// Returns the lengths of each product.
    pub const fn shape(self) -> Shape {
        self.shape
    }

    /// Returns the number of rounds.
    pub const fn rounds(self) -> u32 {
        self.rounds
    }

    /// Returns the tiles of one product, at most 2^18.
    pub const fn tiles(self) -> u32 {
        (self.shape.rows() / TILE_SIDE) * (self.shape.columns() / TILE_SIDE)
    }

    /// Returns the operations of all rounds, at most 2^60.
    pub const fn operations(self) -> u64 {
        self.shape.operations() * self.rounds as u64
    }

    /// Returns how long all rounds take at a rate, in milliseconds, rounded up; a rate of zero counts as one.
    pub fn duration_ms(self, rate_mflops: u64) -> u64 {
        let operations_per_ms = u128::from(rate_mflops.max(1)) * 1_000;
        let duration = u128::from(self.operations()).div_ceil(operations_per_ms);
        u64::try_from(duration).unwrap_or(u64::MAX)
    }

    /// Returns the rate that all rounds in `elapsed_ms` are, in MFLOP/s, rounded down; no time counts as one
    /// millisecond.
    pub fn rate_mflops(self, elapsed_ms: u64) -> u64 {
        self.operations() / elapsed_ms.max(1) / 1_000
    }
}

/// Returns the largest shape tried of which `MIN_ROUNDS` fit into `budget` operations, deepened while one round has
/// fewer than `short` operations; the smallest shape where none fits.
fn suitable_shape(budget: u128, short: u128) -> Shape {
    let fits = |side: &&u32| MIN_ROUNDS as u128 * operations(**side, **side) <= budget;
    let Some(&side) = SIDES.iter().find(fits) else {
        return shape(SIDES[SIDES.len() - 1], DEPTH_STEP);
    };
    let mut depth = side.max(DEPTH_STEP);
    while side == SIDES[0] && depth < MAX_DEPTH && operations(side, depth) < short {
        depth *= 2;
    }
    shape(side, depth)
}

fn operations(side: u32, depth: u32) -> u128 {
    u128::from(shape(side, depth.max(DEPTH_STEP)).operations())
}

fn shape(side: u32, depth: u32) -> Shape {
    Shape::new(side, side, depth).expect("sides and depths tried are in range")
}

#[cfg(test)]
mod tests;
