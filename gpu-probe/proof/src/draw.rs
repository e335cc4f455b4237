//! Owns what follows from sigma: the tiles to open, and the entries of each that are recomputed.
//!
//! Never lets the prover choose: both sides derive the same list.

use crate::distinct::distinct;
use crate::tile::TILE_ENTRIES;
use crate::workload::Workload;

/// Tiles that are opened in one proof.
pub const OPENINGS: usize = 64;

/// Entries of each opened tile that are recomputed.
pub const ENTRIES_PER_TILE: usize = 16;

/// A tile of a round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The round, from zero.
    pub round: u32,
    /// The tile, counted row by row from zero.
    pub tile: u32,
}

/// Returns the places to open: [`OPENINGS`] different ones in ascending order, or all where there are fewer.
///
/// Who left a fraction `f` of all tiles wrong is caught with probability `1 - (1 - f)^64`.
pub fn places(sigma: &[u8; 32], workload: Workload) -> Vec<Place> {
    let tiles = u64::from(workload.tiles());
    let all = tiles * u64::from(workload.rounds());
    let mut stream = blake3::Hasher::new_derive_key("throughput-proof 1 places")
        .update(sigma)
        .finalize_xof();
    let drawn = distinct(&mut stream, all, OPENINGS as u64).into_iter();
    // There are at most 2^16 rounds of 2^18 tiles.
    let places = drawn.map(|number| Place {
        round: (number / tiles) as u32,
        tile: (number % tiles) as u32,
    });
    places.collect()
}

/// Returns the entries of the tile at `place` that are recomputed: [`ENTRIES_PER_TILE`] different ones, counted row
/// by row in the tile.
pub(crate) fn entries(sigma: &[u8; 32], place: Place) -> Vec<u32> {
    let mut stream = blake3::Hasher::new_derive_key("throughput-proof 1 entries")
        .update(sigma)
        .update(&place.round.to_le_bytes())
        .update(&place.tile.to_le_bytes())
        .finalize_xof();
    let drawn = distinct(&mut stream, TILE_ENTRIES as u64, ENTRIES_PER_TILE as u64);
    drawn.into_iter().map(|entry| entry as u32).collect()
}

#[cfg(test)]
mod tests;
