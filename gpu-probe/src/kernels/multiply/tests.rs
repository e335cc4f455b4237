//! Tests of the generated text.

use super::*;
use crate::tuning::candidates::tests::all;

#[test]
fn every_accumulator_is_declared_and_stored_once_and_added_to_at_every_step() {
    for kernel in all() {
        for kernel in [kernel, kernel.adding(Sum::Separate)] {
            let source = kernel.kernel().source;
            assert!(!source.contains("{{"), "a placeholder is left");
            for row in 0..4 * kernel.row_quads {
                for quad in 0..kernel.column_quads {
                    let sum = format!("sum_{row}_{quad}");
                    let declared = source.matches(&format!("var {sum} = ")).count();
                    let stored = source.matches(&format!("({sum});")).count();
                    let added = source.matches(&format!(" {sum} = ")).count() - declared;
                    let steps = kernel.lines() as usize;
                    assert_eq!((declared, stored, added), (1, 1, steps), "{kernel} {sum}");
                }
            }
        }
    }
}

#[test]
fn a_name_says_what_the_kernel_is() {
    let kernel = Multiply {
        row_quads: 2,
        column_quads: 1,
        across: 16,
        down: 8,
        reading: Reading::Workgroup { lines: 8 },
        sum: Sum::Separate,
        element: Element::F32,
    };
    assert_eq!(kernel.to_string(), "8x4-8x16-workgroup8-separate-f32");
    assert_eq!((kernel.tile_rows(), kernel.tile_columns()), (64, 64));
    assert_eq!(kernel.workgroup_bytes(), 4 * 8 * 128);
}

#[test]
fn partial_sums_of_mode_i_stay_exact() {
    let largest = (Sum::Integer.values() / 2).pow(2) * EXACT_TERMS;
    assert!(largest < 1 << 24);
}
