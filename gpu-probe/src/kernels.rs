//! Owns the shaders: their sources, and the text that the matrix kernel's unrolled parts are made of.
//!
//! Never takes a shader from outside: these run without runtime checks.

use std::fmt::Write as _;

/// The invocations of the largest workgroup used, 16 x 16.
pub(crate) const WORKGROUP_INVOCATIONS: u32 = 256;

/// A shader ready to be compiled.
#[derive(Debug, Clone)]
pub(crate) struct Kernel {
    /// WGSL.
    pub(crate) source: String,
    /// The function to run.
    pub(crate) entry_point: &'static str,
}

/// How the matrix kernel adds a product to its accumulator; the bits are equal, the speed is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accumulate {
    /// `fma(a, b, c)`.
    Fused,
    /// `c + a * b`, which the driver may fuse. Some cards are throttled in fused operations alone.
    Separate,
}

/// How much of the product one invocation computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tile {
    /// 4 x 4 entries an invocation, 64 x 64 a workgroup.
    Small,
    /// 8 x 8 entries an invocation, 128 x 128 a workgroup.
    Large,
}

impl Tile {
    /// Returns the groups of four rows, and of four columns, of one invocation.
    const fn quads(self) -> u32 {
        match self {
            Self::Small => 1,
            Self::Large => 2,
        }
    }

    /// Returns the rows and columns of the product that a workgroup computes.
    pub(crate) const fn side(self) -> u32 {
        64 * self.quads()
    }

    /// Returns the steps along the depth between two barriers; each invocation loads one vector of
    /// each operand for them, and so each operand's tile has 256 vectors.
    const fn depth(self) -> u32 {
        WORKGROUP_INVOCATIONS / (16 * self.quads())
    }
}

/// Returns the kernel that makes an operand.
pub(crate) fn operands() -> Kernel {
    Kernel {
        source: include_str!("kernels/operands.wgsl").into(),
        entry_point: "generate",
    }
}

/// Returns the kernel that writes a pattern over a buffer.
pub(crate) fn fill() -> Kernel {
    Kernel {
        source: include_str!("kernels/fill.wgsl").into(),
        entry_point: "fill",
    }
}

/// Returns the word that [`fill`] writes at `index` under `salt`.
pub(crate) const fn filled_word(index: u32, salt: u32) -> u32 {
    (index ^ salt).wrapping_mul(0x9E37_79B1)
}

/// Returns the matrix kernel: tiles in workgroup memory, accumulators in registers, `k` in sequence.
pub(crate) fn multiply(tile: Tile, accumulate: Accumulate) -> Kernel {
    let source = include_str!("kernels/multiply.wgsl")
        .replace("{{QUADS}}", &tile.quads().to_string())
        .replace("{{DEPTH}}", &tile.depth().to_string())
        .replace("{{ACCUMULATORS}}", &accumulators(tile))
        .replace("{{STEPS}}", &steps(tile, accumulate))
        .replace("{{STORES}}", &stores(tile));
    Kernel {
        source,
        entry_point: "multiply",
    }
}

fn accumulators(tile: Tile) -> String {
    let mut text = String::new();
    for row in 0..4 * tile.quads() {
        for quad in 0..tile.quads() {
            line(&mut text, &format!("var sum_{row}_{quad} = vec4<f32>();"));
        }
    }
    text
}

fn steps(tile: Tile, accumulate: Accumulate) -> String {
    let mut text = String::new();
    for k in 0..tile.depth() {
        line(&mut text, "{");
        for quad in 0..tile.quads() {
            let at = k * 16 * tile.quads() + quad * 16;
            let a = format!("let a{quad} = left_tile[{at}u + local.y];");
            let b = format!("let b{quad} = right_tile[{at}u + local.x];");
            line(&mut text, &a);
            line(&mut text, &b);
        }
        for row in 0..4 * tile.quads() {
            let component = ["x", "y", "z", "w"][row as usize % 4];
            let a = format!("a{}.{component}", row / 4);
            for quad in 0..tile.quads() {
                let sum = format!("sum_{row}_{quad}");
                let value = match accumulate {
                    Accumulate::Fused => format!("fma(vec4<f32>({a}), b{quad}, {sum})"),
                    Accumulate::Separate => format!("{sum} + {a} * b{quad}"),
                };
                line(&mut text, &format!("{sum} = {value};"));
            }
        }
        line(&mut text, "}");
    }
    text
}

fn stores(tile: Tile) -> String {
    let mut text = String::new();
    for row in 0..4 * tile.quads() {
        for quad in 0..tile.quads() {
            let down = (row / 4) * 64 + row % 4;
            let right = quad * 16;
            let at = format!("(first_row + {down}u) * quads + first_quad + {right}u");
            line(&mut text, &format!("product[{at}] = sum_{row}_{quad};"));
        }
    }
    text
}

fn line(text: &mut String, statement: &str) {
    writeln!(text, "        {statement}").expect("writing to a String does not fail");
}

#[cfg(test)]
mod tests;
