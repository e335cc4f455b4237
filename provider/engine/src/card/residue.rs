//! What one worker leaves on the card and another finds there: the attack of whoever reads memory that was not cleared.
//!
//! Never used by a job. A worker that is started for it fills memory with a pattern and ends without scrubbing, as one that
//! is killed does; the next one reads buffers that nothing has written.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use super::{Card, CardError};

/// Buffers that are filled, and read.
const BUFFERS: usize = 4;
/// Numbers of 32 bits in each: 64 MiB.
const NUMBERS: usize = 16 << 20;
/// A pattern that no driver writes by itself, as the bits of a number.
const PATTERN: u32 = 0x5eed_5eed;

/// What was found in memory, counted in numbers of 32 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Residue {
    /// Read in all.
    pub numbers: u64,
    /// Not zero.
    pub not_zero: u64,
    /// The pattern of [`leave_residue`].
    pub of_pattern: u64,
}

/// Fills 256 MiB of the card's memory with a pattern and returns what is then read back from it: the proof that the pattern
/// was there. Nothing is scrubbed.
///
/// # Errors
/// The card failed, or has not so much memory.
pub fn leave_residue(card: &Card) -> Result<Residue, CardError> {
    let pattern = f32::from_bits(PATTERN);
    let fill = |_| Tensor::<1>::full([NUMBERS], pattern, &card.handle);
    let left: Vec<_> = (0..BUFFERS).map(fill).collect();
    card.sync()?;
    count(left.iter().cloned())
}

/// Reads 256 MiB of buffers that nothing has written.
///
/// # Errors
/// The card failed, or has not so much memory.
pub fn find_residue(card: &Card) -> Result<Residue, CardError> {
    count((0..BUFFERS).map(|_| Tensor::empty([NUMBERS], &card.handle)))
}

fn count(buffers: impl Iterator<Item = Tensor<1>>) -> Result<Residue, CardError> {
    let mut found = Residue {
        numbers: 0,
        not_zero: 0,
        of_pattern: 0,
    };
    for buffer in buffers {
        let values = buffer.into_data().try_into_vec::<f32>();
        for value in values.map_err(|error| CardError::failed(format!("{error:?}")))? {
            found.numbers += 1;
            found.not_zero += u64::from(value.to_bits() != 0);
            found.of_pattern += u64::from(value.to_bits() == PATTERN);
        }
    }
    Ok(found)
}
