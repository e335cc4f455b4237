//! Tests of the kernel that no device here may run: it is taken through the whole compiler.

use naga::back::spv;
use naga::valid::{Capabilities, ValidationFlags, Validator};

use super::*;

/// The opcode of `OpCooperativeMatrixMulAddKHR` (SPV_KHR_cooperative_matrix).
const COOPERATIVE_MULTIPLY_ADD: u32 = 4_459;

#[test]
fn the_kernel_for_matrix_units_compiles_and_multiplies_on_them() {
    for (side, lanes) in [(8, 8), (8, 32), (16, 32), (16, 64)] {
        let source = on_units(MatrixUnits { side, lanes }).source;
        let module = naga::front::wgsl::parse_str(&source)
            .map_err(|error| error.emit_to_string(&source))
            .unwrap();
        let capabilities = Capabilities::SHADER_FLOAT16 | Capabilities::COOPERATIVE_MATRIX;
        let info = Validator::new(ValidationFlags::all(), capabilities)
            .validate(&module)
            .unwrap();
        let options = spv::Options {
            lang_version: (1, 6),
            ..spv::Options::default()
        };
        let words = spv::write_vec(&module, &info, &options, None).unwrap();
        let (mut at, mut multiplications) = (5, 0);
        while at < words.len() {
            multiplications += usize::from(words[at] & 0xffff == COOPERATIVE_MULTIPLY_ADD);
            at += (words[at] >> 16) as usize;
        }
        assert_eq!(multiplications, UNITS * UNITS);
    }
}

#[test]
fn every_accumulator_of_the_plain_kernel_is_stored_once() {
    let source = plain().source;
    assert!(!source.contains("{{"), "a placeholder is left");
    for (row, quad) in pairs(ROWS, 2) {
        let stored = source.matches(&format!("] = sum_{row}_{quad};")).count();
        assert_eq!(stored, 1, "{row} {quad}");
    }
}
