//! Owns the operands of a checked product: which integer stands where in `A` and `B`, and what an
//! entry of the product must be.
//!
//! Never stores a whole matrix: every element is computed from its place.

use std::collections::BTreeMap;

use crate::mode::Mode;
use crate::philox::philox4x32;
use crate::sample::Position;
use crate::shape::{ELEMENTS_PER_BLOCK, Shape};

/// Thirty-two bytes that everything random in one challenge comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl Seed {
    /// Makes a seed of 32 bytes that are already uniform.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Derives a seed from any material, such as a nonce, a key and an earlier root one after another.
    pub fn derive(material: &[u8]) -> Self {
        let seed = blake3::derive_key("throughput-proof 1 seed", material);
        Self(seed)
    }

    /// Returns the bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Which operand an element belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matrix {
    /// `A`; its lines are rows.
    Left,
    /// `B`; its lines are columns.
    Right,
}

impl Matrix {
    /// Returns the third word of the counter.
    pub const fn tag(self) -> u32 {
        match self {
            Self::Left => 0,
            Self::Right => 1,
        }
    }
}

/// The generator of both operands of one product.
///
/// Elements `4b` to `4b + 3` along the depth of a line are the words of
/// Philox4x32-10(counter = [line, b, tag, words\[2\]], key = words\[0..2\]), each mapped by [`Mode::element`].
/// A line is a row of `A` (tag 0) or a column of `B` (tag 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operands {
    mode: Mode,
    words: [u32; 3],
}

impl Operands {
    /// Makes the operands of `seed` in mode F.
    pub fn new(seed: &Seed) -> Self {
        Self::in_mode(Mode::F, seed)
    }

    /// Makes the operands of `seed`; both modes map the same words of the generator.
    pub fn in_mode(mode: Mode, seed: &Seed) -> Self {
        let bytes = blake3::derive_key("throughput-proof 1 operands", seed.as_bytes());
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let words = [word(0), word(4), word(8)];
        Self { mode, words }
    }

    /// Returns the mode.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Returns the three words that a device needs to make the same elements.
    pub const fn words(&self) -> [u32; 3] {
        self.words
    }

    /// Returns the four elements of block `block` of line `line`.
    pub fn block(&self, matrix: Matrix, line: u32, block: u32) -> [i32; 4] {
        let counter = [line, block, matrix.tag(), self.words[2]];
        let words = philox4x32(counter, [self.words[0], self.words[1]]);
        words.map(|word| self.mode.element(word))
    }

    /// Returns the bits that the entry at `at` must have: those of the fp32 sum in order of `k` with one accumulator
    /// in mode F, those of the integer sum in two's complement in mode I, which is exact up to a depth of 2^15.
    ///
    /// Costs `depth` multiply-adds and `depth / 2` generator blocks; a position outside of the shape has a value too.
    pub fn entry_bits(&self, shape: Shape, at: Position) -> u32 {
        let left = self.line(Matrix::Left, at.row, shape.depth());
        let right = self.line(Matrix::Right, at.column, shape.depth());
        self.mode.sum_bits(&left, &right)
    }

    /// Returns [`Self::entry_bits`] of every position, in order.
    ///
    /// Makes each row and column once and holds them meanwhile, `2 * depth` bytes a line.
    pub fn entries_bits(&self, shape: Shape, at: &[Position]) -> Vec<u32> {
        let left = self.lines(Matrix::Left, at.iter().map(|at| at.row), shape.depth());
        let right = self.lines(Matrix::Right, at.iter().map(|at| at.column), shape.depth());
        let entries = at
            .iter()
            .map(|at| self.mode.sum_bits(&left[&at.row], &right[&at.column]));
        entries.collect()
    }

    fn lines(
        &self,
        matrix: Matrix,
        lines: impl Iterator<Item = u32>,
        depth: u32,
    ) -> BTreeMap<u32, Vec<i16>> {
        let mut made = BTreeMap::new();
        for line in lines {
            made.entry(line)
                .or_insert_with(|| self.line(matrix, line, depth));
        }
        made
    }

    fn line(&self, matrix: Matrix, line: u32, depth: u32) -> Vec<i16> {
        let blocks = 0..depth / ELEMENTS_PER_BLOCK;
        // The magnitude of an element is at most 4,095.
        let elements = blocks.flat_map(|block| self.block(matrix, line, block).map(|x| x as i16));
        elements.collect()
    }
}

#[cfg(test)]
mod tests;
