//! Owns the lengths of a product.
//!
//! Never knows how a product is computed.

/// Elements that come from one block of the generator, neighbours along the depth.
pub(crate) const ELEMENTS_PER_BLOCK: u32 = 4;

/// The largest side and depth: the counters' words hold them and sums stay far below fp32's range.
const MAX_LENGTH: u32 = 1 << 20;

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

#[cfg(test)]
mod tests;
