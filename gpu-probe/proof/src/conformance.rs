//! Owns the conformance vector of mode F: a small product by which a driver shows that it adds in order.
//!
//! Never tells which entry differs: a driver conforms in all bits or not at all.

use crate::operands::{Operands, Seed};
use crate::shape::Shape;

/// Rows and columns of the vector.
const SIDE: u32 = 64;

/// Its depth: deep enough that nearly all sums round.
const DEPTH: u32 = 2_048;

/// BLAKE3 of all entries' bits, row by row, as little-endian bytes.
const DIGEST: &str = "7b5b36d0adc918cad444eff365e1a6730f89584ca33c39b8652d733450803649";

/// Returns the operands of the vector.
pub fn conformance_operands() -> Operands {
    Operands::new(&Seed::derive(b"conformance"))
}

/// Returns the lengths of the vector, 64 x 64 x 2048.
///
/// An entry does not depend on the number of rows and columns: a kernel with larger tiles computes more of both and
/// takes the first 64.
pub fn conformance_shape() -> Shape {
    Shape::new(SIDE, SIDE, DEPTH).expect("the lengths are in range")
}

/// Tells whether a device's entries of the vector, row by row, are those of mode F in every bit.
pub fn conforms(entries: &[u32]) -> bool {
    let mut hasher = blake3::Hasher::new();
    for bits in entries {
        hasher.update(&bits.to_le_bytes());
    }
    hasher.finalize().to_hex().as_str() == DIGEST
}

#[cfg(test)]
mod tests;
