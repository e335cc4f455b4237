//! Owns the sampled check of a timed result: which words are read back, and what is said of wrong ones.
//!
//! Never lets the device know the places before it is done.

use throughput_proof::{Seed, philox4x32};

use crate::device::Session;
use crate::error::ProbeError;

/// Words compared of one result.
pub(crate) const SAMPLES: u64 = 64;

/// Draws [`SAMPLES`] places below `count`, one at random in each part of it, in ascending order; `count` is
/// at least as many.
pub(crate) fn places(count: u64, seed: &Seed) -> Vec<u64> {
    let key = seed.as_bytes();
    let word = |at: usize| u32::from_le_bytes([key[at], key[at + 1], key[at + 2], key[at + 3]]);
    (0..SAMPLES)
        .map(|sample| {
            let [low, high, ..] = philox4x32([sample as u32, 0, 0, 0], [word(0), word(4)]);
            let start = count * sample / SAMPLES;
            let part = count * (sample + 1) / SAMPLES - start;
            let random = u64::from(high) << 32 | u64::from(low);
            start + random % part.max(1)
        })
        .collect()
}

/// Reads the words at `places` of a buffer of words and compares them with what they must be.
pub(crate) fn check(
    session: &Session,
    buffer: &wgpu::Buffer,
    places: &[u64],
    expected: impl Fn(u64) -> u32,
) -> Result<(), ProbeError> {
    let actual = read(session, buffer, places)?;
    compare(places, &actual, expected)
}

/// Reads the words at `places` of a buffer of words.
pub(crate) fn read(
    session: &Session,
    buffer: &wgpu::Buffer,
    places: &[u64],
) -> Result<Vec<u32>, ProbeError> {
    let reads: Vec<(&wgpu::Buffer, u64)> = places.iter().map(|place| (buffer, 4 * place)).collect();
    session.read_words(&reads)
}

/// Compares words with what they must be.
pub(crate) fn compare(
    places: &[u64],
    actual: &[u32],
    expected: impl Fn(u64) -> u32,
) -> Result<(), ProbeError> {
    let wrong: Vec<(u64, u32, u32)> = places
        .iter()
        .zip(actual)
        .map(|(place, actual)| (*place, *actual, expected(*place)))
        .filter(|(_, actual, expected)| actual != expected)
        .collect();
    match wrong.first() {
        None => Ok(()),
        Some((first, actual, expected)) => Err(ProbeError::WrongWords {
            wrong: wrong.len(),
            checked: places.len(),
            first: *first,
            expected: *expected,
            actual: *actual,
        }),
    }
}

#[cfg(test)]
mod tests;
