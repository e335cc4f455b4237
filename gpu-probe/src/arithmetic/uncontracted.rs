//! Owns the SPIR-V in which no multiplication and addition may be fused, which WGSL cannot ask for.
//!
//! Never takes a source from outside.

use naga::back::spv;
use naga::proc::{BoundsCheckPolicies, BoundsCheckPolicy};
use naga::valid::{Capabilities, ValidationFlags, Validator};

/// Words before the first instruction (SPIR-V 1.0, section 2.3).
const HEADER_WORDS: usize = 5;

/// Opcodes and a decoration of SPIR-V 1.0, section 3.32 and 3.20.
const OP_DECORATE: u32 = 71;
const OP_MEMBER_DECORATE: u32 = 72;
const OP_F_ADD: u32 = 129;
const OP_F_SUB: u32 = 131;
const OP_F_MUL: u32 = 133;
const NO_CONTRACTION: u32 = 42;

/// Compiles WGSL and decorates every addition, subtraction and multiplication of floats with `NoContraction`.
///
/// # Errors
/// What the compiler said.
pub(super) fn spirv(source: &str) -> Result<Vec<u32>, String> {
    let module = naga::front::wgsl::parse_str(source).map_err(|error| error.to_string())?;
    let info = Validator::new(ValidationFlags::all(), Capabilities::empty())
        .validate(&module)
        .map_err(|error| error.to_string())?;
    let unchecked = BoundsCheckPolicies {
        index: BoundsCheckPolicy::Unchecked,
        buffer: BoundsCheckPolicy::Unchecked,
        image_load: BoundsCheckPolicy::Unchecked,
        binding_array: BoundsCheckPolicy::Unchecked,
    };
    let options = spv::Options {
        flags: spv::WriterFlags::empty(),
        bounds_check_policies: unchecked,
        force_loop_bounding: false,
        ..spv::Options::default()
    };
    let words =
        spv::write_vec(&module, &info, &options, None).map_err(|error| error.to_string())?;
    Ok(decorated(&words))
}

/// Adds the decorations where the module's own stand; a module without any stays as it is.
fn decorated(words: &[u32]) -> Vec<u32> {
    let decorations: Vec<u32> = instructions(words)
        .filter(|(_, instruction)| matches!(opcode(instruction), OP_F_ADD | OP_F_SUB | OP_F_MUL))
        // The result's id follows that of its type.
        .flat_map(|(_, instruction)| [3 << 16 | OP_DECORATE, instruction[2], NO_CONTRACTION])
        .collect();
    let own = instructions(words)
        .find(|(_, instruction)| matches!(opcode(instruction), OP_DECORATE | OP_MEMBER_DECORATE));
    let mut all = words.to_vec();
    if let Some((at, _)) = own {
        all.splice(at..at, decorations);
    }
    all
}

/// Splits a module into its instructions, each with the place where it begins.
fn instructions(words: &[u32]) -> impl Iterator<Item = (usize, &[u32])> {
    let mut at = HEADER_WORDS;
    std::iter::from_fn(move || {
        let length = (words.get(at)? >> 16) as usize;
        let instruction = words.get(at..at + length.max(1))?;
        let place = at;
        at += instruction.len();
        Some((place, instruction))
    })
}

fn opcode(instruction: &[u32]) -> u32 {
    instruction[0] & 0xffff
}

#[cfg(test)]
mod tests;
