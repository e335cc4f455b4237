//! Tests of the decorations.

use super::*;
use crate::arithmetic::chains;

#[test]
fn every_product_and_sum_is_decorated_once_and_nothing_else_changes() {
    let words = spirv(&chains::mul_add().source).unwrap();
    let arithmetic = |instruction: &[u32]| matches!(opcode(instruction), OP_F_ADD | OP_F_MUL);
    let results: Vec<u32> = instructions(&words)
        .filter(|(_, instruction)| arithmetic(instruction))
        .map(|(_, instruction)| instruction[2])
        .collect();
    // Four vectors, two operations and eight steps; the rest makes the starts.
    assert!(results.len() >= 4 * 2 * 8, "{}", results.len());
    let decorated: Vec<u32> = instructions(&words)
        .filter(|(_, instruction)| {
            opcode(instruction) == OP_DECORATE && instruction[2] == NO_CONTRACTION
        })
        .map(|(_, instruction)| instruction[1])
        .collect();
    assert_eq!(decorated, results);
    let length: usize = instructions(&words).map(|(_, words)| words.len()).sum();
    assert_eq!(length + HEADER_WORDS, words.len());
}

#[test]
fn a_source_that_does_not_compile_is_refused_in_words() {
    let error = spirv("fn f() { nothing(); }").unwrap_err();
    assert!(error.contains("nothing"), "{error}");
}
