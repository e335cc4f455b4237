//! Owns the operands of a checked product: which integer stands where in `A` and `B`, and what an
//! entry of the product must be.
//!
//! Never stores a matrix: every element is computed from its place.

use crate::challenge::Position;
use crate::philox::philox4x32;

/// The largest magnitude of an element; the square stays below 2^24, so products are exact in fp32.
pub const OPERAND_LIMIT: i32 = 4_095;

/// How many values an element can have.
const OPERAND_VALUES: u32 = 8_191;

/// Elements that come from one block of the generator, neighbours along the depth.
const ELEMENTS_PER_BLOCK: u32 = 4;

/// The largest side and depth: the counters' words hold them and sums stay far below fp32's range.
const MAX_LENGTH: u32 = 1 << 20;

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

/// The lengths of a product: `A` is rows x depth, `B` is depth x columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    rows: u32,
    columns: u32,
    depth: u32,
}

/// Why lengths are not a shape.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{rows} x {columns} x {depth}: each length must be 1 to {MAX_LENGTH} and the depth a multiple of {ELEMENTS_PER_BLOCK}"
)]
pub struct ShapeError {
    rows: u32,
    columns: u32,
    depth: u32,
}

impl Shape {
    /// Makes a shape; each length is 1 to 2^20 and the depth is a multiple of 4.
    pub fn new(rows: u32, columns: u32, depth: u32) -> Result<Self, ShapeError> {
        let in_range = |length| (1..=MAX_LENGTH).contains(&length);
        let whole_blocks = depth.is_multiple_of(ELEMENTS_PER_BLOCK);
        if in_range(rows) && in_range(columns) && in_range(depth) && whole_blocks {
            Ok(Self {
                rows,
                columns,
                depth,
            })
        } else {
            Err(ShapeError {
                rows,
                columns,
                depth,
            })
        }
    }

    /// Returns the rows of the product.
    pub const fn rows(self) -> u32 {
        self.rows
    }

    /// Returns the columns of the product.
    pub const fn columns(self) -> u32 {
        self.columns
    }

    /// Returns the terms of each sum.
    pub const fn depth(self) -> u32 {
        self.depth
    }

    /// Returns the entries of the product, at most 2^40.
    pub const fn entries(self) -> u64 {
        self.rows as u64 * self.columns as u64
    }

    /// Returns the floating-point operations of one product: 2 * rows * columns * depth, at most 2^61.
    pub const fn operations(self) -> u64 {
        2 * self.entries() * self.depth as u64
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
/// Philox4x32-10(counter = [line, b, tag, words\[2\]], key = words\[0..2\]), each mapped to
/// `(((word >> 16) * 8191) >> 16) - 4095`. A line is a row of `A` (tag 0) or a column of `B` (tag 1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operands {
    words: [u32; 3],
}

impl Operands {
    /// Makes the operands of `seed`.
    pub fn new(seed: &Seed) -> Self {
        let bytes = blake3::derive_key("throughput-proof 1 operands", seed.as_bytes());
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        Self {
            words: [word(0), word(4), word(8)],
        }
    }

    /// Returns the three words that a device needs to make the same elements.
    pub const fn words(&self) -> [u32; 3] {
        self.words
    }

    /// Returns the four elements of block `block` of line `line`.
    pub fn block(&self, matrix: Matrix, line: u32, block: u32) -> [i32; 4] {
        let counter = [line, block, matrix.tag(), self.words[2]];
        philox4x32(counter, [self.words[0], self.words[1]]).map(element)
    }

    /// Returns what the entry at `at` must be: the fp32 sum in order of `k`, one accumulator.
    ///
    /// Costs `depth` multiply-adds and `depth / 2` generator blocks; a position outside of the shape has a value too.
    pub fn entry(&self, shape: Shape, at: Position) -> f32 {
        let mut sum = 0.0_f32;
        for block in 0..shape.depth / ELEMENTS_PER_BLOCK {
            let left = self.block(Matrix::Left, at.row, block);
            let right = self.block(Matrix::Right, at.column, block);
            for (a, b) in left.into_iter().zip(right) {
                // Exact: both magnitudes are at most 4,095, so the product needs at most 24 bits.
                sum += (a * b) as f32;
            }
        }
        sum
    }
}

/// Maps a word to an integer in [-4095, 4095], uniform to one part in eight.
fn element(word: u32) -> i32 {
    let value = ((word >> 16) * OPERAND_VALUES) >> 16;
    i32::try_from(value).expect("the value is below 8,191") - OPERAND_LIMIT
}

#[cfg(test)]
mod tests;
