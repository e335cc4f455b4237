//! Owns the drawing of different numbers from a stream of random bytes.
//!
//! Never draws entropy: the stream follows from a seed.

use std::collections::BTreeSet;

/// Draws `count` different numbers below `below`, all of them where there are fewer.
///
/// Each is uniform to one part in `2^64 / below` (multiply and shift: Lemire, "Fast random integer generation in an
/// interval", 2019).
pub(crate) fn distinct(stream: &mut blake3::OutputReader, below: u64, count: u64) -> BTreeSet<u64> {
    let wanted = count.min(below);
    let mut numbers = BTreeSet::new();
    while (numbers.len() as u64) < wanted {
        let mut bytes = [0; 8];
        stream.fill(&mut bytes);
        let scaled = u128::from(u64::from_le_bytes(bytes)) * u128::from(below);
        numbers.insert((scaled >> 64) as u64);
    }
    numbers
}

#[cfg(test)]
mod tests;
