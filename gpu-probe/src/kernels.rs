//! Owns the shaders: their sources, and the text that unrolled parts are made of.
//!
//! Never takes a shader from outside: these run without runtime checks.

mod hash;
mod multiply;

pub(crate) use hash::{TILES_PER_GROUP, hash};
pub(crate) use multiply::{EXACT_TERMS, Element, Multiply, Reading, SUBGROUP_LINES, Sum};

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

/// Returns the kernel that makes an operand.
pub(crate) fn operands(element: Element) -> Kernel {
    Kernel {
        source: include_str!("kernels/operands.wgsl")
            .replace("{{EXTENSIONS}}", element.extension())
            .replace("{{ELEMENT}}", element.wgsl()),
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

#[cfg(test)]
mod tests;
