//! Owns the chains: the text of their kernels, and where each must end.
//!
//! Never simplifies a step: the device and the CPU do the same operations in the same order.

use crate::kernels::Kernel;
use crate::mixer::{self, start_word};

/// Chains of one invocation.
pub(super) const CHAINS: u32 = 16;

/// Steps that are unrolled into one turn of the loop.
pub(super) const STEPS_PER_TURN: u32 = 8;

/// How a product and the sum that it goes into were rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rounding {
    /// Once.
    Fused,
    /// Each by itself.
    Separate,
}

/// Returns the kernel of chains of fused multiply-adds.
pub(super) fn fma() -> Kernel {
    of_floats("fma(@, @, c)")
}

/// Returns the kernel of chains of multiplications and additions.
pub(super) fn mul_add() -> Kernel {
    of_floats("@ * @ + c")
}

fn of_floats(step: &str) -> Kernel {
    let steps = ["a", "b", "d", "e"].map(|x| format!("{x} = {};\n", step.replace('@', x)));
    Kernel {
        source: include_str!("../kernels/chains.wgsl")
            .replace(mixer::PLACE, mixer::TEXT)
            .replace("{{STEPS}}", &steps.concat().repeat(STEPS_PER_TURN as usize)),
        entry_point: "chains",
    }
}

/// Returns the kernel of chains of dot products.
pub(super) fn dots() -> Kernel {
    let pairs = 0..CHAINS / 2;
    let starts: String = (0..CHAINS)
        .map(|chain| format!("var x{chain} = i32(start_word(parameters.seed, id.x, {chain}u));\n"))
        .collect();
    let half = |into: u32, from: u32| {
        let dot = format!("dot4I8Packed(u32(x{from}), w)");
        format!("x{into} += {dot};\n")
    };
    let evens: String = pairs
        .clone()
        .map(|pair| half(2 * pair, 2 * pair + 1))
        .collect();
    let odds: String = pairs.map(|pair| half(2 * pair + 1, 2 * pair)).collect();
    // A step of every chain is one of the evens and one of the odds.
    let turn = (evens + &odds).repeat(STEPS_PER_TURN as usize);
    let names: Vec<String> = (0..CHAINS).map(|chain| format!("u32(x{chain})")).collect();
    Kernel {
        source: include_str!("../kernels/dots.wgsl")
            .replace(mixer::PLACE, mixer::TEXT)
            .replace("{{STARTS}}", &starts)
            .replace("{{STEPS}}", &turn)
            .replace("{{FOLD}}", &names.join(" ^ ")),
        entry_point: "dots",
    }
}

/// Returns what an invocation of [`fma`] must store, if each step rounds once.
pub(super) fn fused_end(seed: u32, invocation: u32, steps: u32) -> u32 {
    end_of_floats(seed, invocation, steps, |x, c| x.mul_add(x, c))
}

/// Returns what an invocation of [`mul_add`] must store.
pub(super) fn separate_end(seed: u32, invocation: u32, steps: u32) -> u32 {
    // Rust never fuses these.
    end_of_floats(seed, invocation, steps, |x, c| x * x + c)
}

fn end_of_floats(seed: u32, invocation: u32, steps: u32, step: fn(f32, f32) -> f32) -> u32 {
    let word = |chain| start_word(seed, invocation, chain);
    // Exact: fewer than 24 bits and a power of two.
    let scaled = |integer: u32, below: i32, exponent: i32| {
        (integer.cast_signed() - below) as f32 * 2.0_f32.powi(exponent)
    };
    let c = scaled(word(CHAINS) >> 12, 1 << 24, -23);
    let ends = (0..CHAINS).map(|chain| {
        let start = scaled(word(chain) >> 9, 1 << 22, -22);
        (0..steps).fold(start, |x, _| step(x, c)).to_bits()
    });
    ends.fold(0, |folded, bits| folded ^ bits)
}

/// Returns what an invocation of [`dots`] must store.
pub(super) fn dots_end(seed: u32, invocation: u32, steps: u32) -> u32 {
    let word = |chain| start_word(seed, invocation, chain);
    let w = word(CHAINS);
    let ends = (0..CHAINS / 2).map(|pair| {
        let (mut x, mut y) = (word(2 * pair), word(2 * pair + 1));
        for _ in 0..steps {
            x = x.wrapping_add(dot(y, w));
            y = y.wrapping_add(dot(x, w));
        }
        x ^ y
    });
    ends.fold(0, |folded, end| folded ^ end)
}

/// Returns the dot product of four packed signed bytes, as WGSL defines `dot4I8Packed`.
fn dot(left: u32, right: u32) -> u32 {
    let byte = |word: u32, at: u32| (word << (24 - at)).cast_signed() >> 24;
    let product = |at| byte(left, at) * byte(right, at);
    (product(0) + product(8) + product(16) + product(24)).cast_unsigned()
}

#[cfg(test)]
mod tests;
