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

/// Groups of four rows, and of four columns, of one invocation: 8 x 8 entries.
const QUADS: u32 = 2;

/// Steps along the depth between two barriers. Each invocation loads one vector of each operand for
/// them, so each operand's tile has as many vectors as the workgroup has invocations.
const TILE_DEPTH: u32 = WORKGROUP_INVOCATIONS / (16 * QUADS);

/// The rows and columns of the product that one workgroup computes.
pub(crate) const TILE_SIDE: u32 = 64 * QUADS;

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
pub(crate) fn multiply(accumulate: Accumulate) -> Kernel {
    let source = include_str!("kernels/multiply.wgsl")
        .replace("{{QUADS}}", &QUADS.to_string())
        .replace("{{DEPTH}}", &TILE_DEPTH.to_string())
        .replace("{{ACCUMULATORS}}", &accumulators())
        .replace("{{STEPS}}", &steps(accumulate))
        .replace("{{STORES}}", &stores());
    Kernel {
        source,
        entry_point: "multiply",
    }
}

fn accumulators() -> String {
    let mut text = String::new();
    for row in 0..4 * QUADS {
        for quad in 0..QUADS {
            line(&mut text, &format!("var sum_{row}_{quad} = vec4<f32>();"));
        }
    }
    text
}

fn steps(accumulate: Accumulate) -> String {
    let mut text = String::new();
    for k in 0..TILE_DEPTH {
        line(&mut text, "{");
        for quad in 0..QUADS {
            let at = k * 16 * QUADS + quad * 16;
            let a = format!("let a{quad} = left_tile[{at}u + local.y];");
            let b = format!("let b{quad} = right_tile[{at}u + local.x];");
            line(&mut text, &a);
            line(&mut text, &b);
        }
        for row in 0..4 * QUADS {
            let component = ["x", "y", "z", "w"][row as usize % 4];
            let a = format!("a{}.{component}", row / 4);
            for quad in 0..QUADS {
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

fn stores() -> String {
    let mut text = String::new();
    for row in 0..4 * QUADS {
        for quad in 0..QUADS {
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
