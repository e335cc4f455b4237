//! Owns the sample: which entries of one product are opened, and the check of what was opened.
//!
//! Never takes the prover's word for which entries they are, and never accepts an empty list.

use crate::distinct::distinct;
use crate::operands::{Operands, Seed};
use crate::shape::Shape;

/// The place of an entry in the product.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The row, from zero.
    pub row: u32,
    /// The column, from zero.
    pub column: u32,
}

/// An entry as the prover's device computed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub at: Position,
    /// Its bits.
    pub bits: u32,
}

/// Why opened entries do not show that the product was computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Another number of entries than was drawn.
    #[error("{actual} entries were opened where {expected} were drawn")]
    Count {
        /// Entries drawn.
        expected: usize,
        /// Entries opened.
        actual: usize,
    },
    /// An entry that was not drawn at this place of the list.
    #[error("entry {index} is at {actual:?}, not at {expected:?}, which was drawn")]
    Position {
        /// Place in the list.
        index: usize,
        /// The position drawn.
        expected: Position,
        /// The position opened.
        actual: Position,
    },
    /// Entries with other bits than the mode asks for.
    #[error(
        "{wrong} of {drawn} entries are wrong; the first is at {first:?}: {actual_bits:#010x} instead of {expected_bits:#010x}"
    )]
    Value {
        /// Entries that are wrong.
        wrong: usize,
        /// Entries that were drawn.
        drawn: usize,
        /// The first wrong one.
        first: Position,
        /// Its bits by the verifier's sum.
        expected_bits: u32,
        /// Its bits as opened.
        actual_bits: u32,
    },
}

/// Positions drawn in one product, to be opened and checked.
///
/// A prover that left a fraction `f` of the entries uncomputed passes `n` openings with probability
/// `(1 - f)^n`, as long as the seed is drawn after the product exists.
///
/// ```
/// use throughput_proof::{Entry, Operands, Sample, Seed, Shape};
///
/// let operands = Operands::new(&Seed::derive(b"a nonce that the verifier chose"));
/// let shape = Shape::new(64, 64, 256).expect("sides and depth are in range");
/// // The device multiplies here; then, and only then, the verifier draws positions.
/// let sample = Sample::draw(operands, shape, &Seed::derive(b"drawn afterwards"), 64);
/// let entries: Vec<Entry> = sample
///     .positions()
///     .iter()
///     .map(|at| Entry { at: *at, bits: operands.entry_bits(shape, *at) })
///     .collect();
/// assert!(sample.check(&entries).is_ok());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    operands: Operands,
    shape: Shape,
    positions: Vec<Position>,
}

impl Sample {
    /// Draws `count` different positions of the product from `seed`: at least one, and at most all of them.
    pub fn draw(operands: Operands, shape: Shape, seed: &Seed, count: u32) -> Self {
        let wanted = u64::from(count).max(1);
        let mut stream = blake3::Hasher::new_derive_key("throughput-proof 1 positions")
            .update(seed.as_bytes())
            .finalize_xof();
        let places = distinct(&mut stream, shape.entries(), wanted).into_iter();
        let positions = places.map(|place| position(place, shape));
        Self {
            operands,
            shape,
            positions: positions.collect(),
        }
    }

    /// Returns the positions to open, row by row.
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// Checks opened entries: exactly the drawn positions in their order, each with the bits that
    /// [`Operands::entry_bits`] has. Costs the depth in multiply-adds for each entry.
    pub fn check(&self, entries: &[Entry]) -> Result<(), Mismatch> {
        if entries.len() != self.positions.len() {
            return Err(Mismatch::Count {
                expected: self.positions.len(),
                actual: entries.len(),
            });
        }
        let pairs = self.positions.iter().zip(entries);
        if let Some((index, (expected, entry))) = pairs
            .enumerate()
            .find(|(_, (expected, entry))| entry.at != **expected)
        {
            return Err(Mismatch::Position {
                index,
                expected: *expected,
                actual: entry.at,
            });
        }
        self.check_values(entries)
    }

    fn check_values(&self, entries: &[Entry]) -> Result<(), Mismatch> {
        let expected = self.operands.entries_bits(self.shape, &self.positions);
        let wrong: Vec<(&Entry, u32)> = entries
            .iter()
            .zip(expected)
            .filter(|(entry, expected)| entry.bits != *expected)
            .collect();
        match wrong.first() {
            None => Ok(()),
            Some((entry, expected_bits)) => Err(Mismatch::Value {
                wrong: wrong.len(),
                drawn: entries.len(),
                first: entry.at,
                expected_bits: *expected_bits,
                actual_bits: entry.bits,
            }),
        }
    }
}

/// Returns the position of the entry that is `place`-th in row order.
fn position(place: u64, shape: Shape) -> Position {
    let columns = u64::from(shape.columns());
    let word = |value: u64| u32::try_from(value).expect("a place is below rows x columns");
    Position {
        row: word(place / columns),
        column: word(place % columns),
    }
}

#[cfg(test)]
mod tests;
