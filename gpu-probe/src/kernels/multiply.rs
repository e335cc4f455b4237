//! Owns the matrix kernels: which shapes they have, and the WGSL that is generated from a shape.
//!
//! Never lets an entry have two accumulators or add out of order in mode F, whatever the shape: the shapes
//! differ in how operands reach the registers, and in nothing else.
//!
//! What decides the rate, with `r x c` entries an invocation. These are counts, not measurements: they say which shapes
//! are worth trying, and the tournament says which is fastest.
//! - Each step along `k` costs `r * c` multiply-adds and reads `r + c` words. From workgroup memory NVIDIA and AMD
//!   deliver 32 words a cycle to an array that does 128 multiply-adds, so `r * c / (r + c)` must be above 4 for lanes
//!   that read different words. At 8 x 8 it is 4; but all lanes of a row read the same words of A, which is one
//!   access, so that about 6 of every 16 cycles are taken by reads.
//! - Registers: `r * c` accumulators, `r + c` operands and addresses; 8 x 8 takes about 90 of the 255 that NVIDIA and
//!   AMD allow, 16 x 8 about 160. Intel's 128 registers of 8 lanes suit 4 x 4 to 8 x 4.
//! - A workgroup's tile of `R x C` reads `R + C` words from memory or cache for `R * C` multiply-adds: 128 x 128 does 32
//!   operations a byte.
//! - Lanes next to each other read neighbouring vectors of B, so no bank of workgroup memory is asked twice at once.

mod matrix_text;
mod text;

use std::fmt;

use throughput_proof::Shape;

use super::Kernel;

/// Steps along the depth for which a subgroup holds one line a lane; no adapter's subgroups are allowed to be smaller.
pub(crate) const SUBGROUP_LINES: u32 = 8;

/// Terms of mode I that fit an f32 exactly: 256 * 255 * 255 is below 2^24.
pub(crate) const EXACT_TERMS: u32 = 256;

/// How operands reach the registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// Each invocation reads what it needs from the buffers; caches do the rest.
    Direct,
    /// A workgroup brings so many lines of both operands into its memory, then multiplies them.
    Workgroup {
        /// Lines between two barriers.
        lines: u32,
    },
    /// The same with two sets of lines, so that the next ones are on their way during the arithmetic.
    DoubleBuffered {
        /// Lines between two barriers.
        lines: u32,
    },
    /// The lanes of a subgroup share the rows: each reads another line of A and broadcasts it.
    Subgroup,
    /// A workgroup is one subgroup and feeds square blocks to matrix units; f16 elements of mode I alone.
    MatrixUnits {
        /// Rows and columns of a block, 8 or 16.
        side: u32,
        /// Lanes of every subgroup of the device.
        lanes: u32,
    },
}

/// How an entry is added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sum {
    /// Mode F with `fma(a, b, c)`.
    Fused,
    /// Mode F with `c + a * b`, which the driver may fuse. Some cards are throttled in fused operations alone.
    Separate,
    /// Mode I: [`EXACT_TERMS`] terms in f32, their sum in an i32.
    Integer,
}

impl Sum {
    /// Returns how many values an element has: the integers up to 4,095, or up to 255, on both sides of zero.
    pub(crate) const fn values(self) -> u32 {
        match self {
            Self::Fused | Self::Separate => 8_191,
            Self::Integer => 511,
        }
    }
}

/// What the operands are stored as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    /// 32 bits.
    F32,
    /// 16 bits, exact for mode I alone; the device needs `SHADER_F16`.
    F16,
}

impl Element {
    /// Returns the bytes of one element.
    pub(crate) const fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    /// Returns the type's name in WGSL.
    pub(super) const fn wgsl(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }

    /// Returns the directive that a shader with this type begins with.
    pub(super) const fn extension(self) -> &'static str {
        match self {
            Self::F32 => "",
            Self::F16 => "enable f16;\n",
        }
    }
}

/// A matrix kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Multiply {
    /// Groups of four rows of one invocation.
    pub(crate) row_quads: u32,
    /// Groups of four columns of one invocation.
    pub(crate) column_quads: u32,
    /// Invocations of a workgroup along the columns.
    pub(crate) across: u32,
    /// Invocations of a workgroup along the rows; 1 with [`Reading::Subgroup`].
    pub(crate) down: u32,
    /// How operands are read.
    pub(crate) reading: Reading,
    /// How they are added up.
    pub(crate) sum: Sum,
    /// How they are stored.
    pub(crate) element: Element,
}

impl fmt::Display for Multiply {
    /// Writes a name that no two kernels share, for example `8x8-16x16-workgroup8-fused-f32`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, columns) = (4 * self.row_quads, 4 * self.column_quads);
        write!(f, "{rows}x{columns}-{}x{}-", self.down, self.across)?;
        match self.reading {
            Reading::Direct => write!(f, "direct")?,
            Reading::Workgroup { lines } => write!(f, "workgroup{lines}")?,
            Reading::DoubleBuffered { lines } => write!(f, "double{lines}")?,
            Reading::Subgroup => write!(f, "subgroup")?,
            Reading::MatrixUnits { side, lanes } => write!(f, "matrix{side}x{lanes}")?,
        }
        let sum = match self.sum {
            Sum::Fused => "fused",
            Sum::Separate => "separate",
            Sum::Integer => "integer",
        };
        write!(f, "-{sum}-{}", self.element.wgsl())
    }
}

impl Multiply {
    /// Returns the same kernel that adds up in another way.
    #[must_use]
    pub(crate) const fn adding(self, sum: Sum) -> Self {
        Self { sum, ..self }
    }

    /// Returns the same kernel for operands that are stored in another way.
    #[must_use]
    pub(crate) const fn of(self, element: Element) -> Self {
        Self { element, ..self }
    }

    /// Returns the rows of the product that a workgroup computes.
    pub(crate) const fn tile_rows(&self) -> u32 {
        4 * self.row_quads * self.down
    }

    /// Returns the columns of the product that a workgroup computes.
    pub(crate) const fn tile_columns(&self) -> u32 {
        4 * self.column_quads * self.across
    }

    /// Returns the rows and columns of the product rounded up to whole tiles.
    pub(crate) fn padded(&self, shape: Shape) -> (u32, u32) {
        let rows = shape.rows().next_multiple_of(self.tile_rows());
        let columns = shape.columns().next_multiple_of(self.tile_columns());
        (rows, columns)
    }

    /// Returns the lines along the depth that one turn of the loop adds.
    pub(crate) const fn lines(&self) -> u32 {
        match self.reading {
            Reading::Direct => 1,
            Reading::Workgroup { lines } | Reading::DoubleBuffered { lines } => lines,
            Reading::Subgroup => SUBGROUP_LINES,
            Reading::MatrixUnits { side, .. } => side,
        }
    }

    /// Returns the bytes of workgroup memory that it takes.
    pub(crate) const fn workgroup_bytes(&self) -> u32 {
        let one = 4 * (self.tile_rows() + self.tile_columns()) * self.lines();
        match self.reading {
            Reading::Direct | Reading::Subgroup => 0,
            Reading::Workgroup { .. } => one,
            Reading::DoubleBuffered { .. } => 2 * one,
            Reading::MatrixUnits { side, .. } => {
                4 * (self.tile_rows() * self.tile_columns() + side * side)
            }
        }
    }

    /// Returns the kernel's source.
    pub(crate) fn kernel(&self) -> Kernel {
        Kernel {
            source: match self.reading {
                Reading::MatrixUnits { side, lanes } => matrix_text::source(self, side, lanes),
                _ => text::source(self),
            },
            entry_point: "multiply",
        }
    }
}

#[cfg(test)]
mod tests;
