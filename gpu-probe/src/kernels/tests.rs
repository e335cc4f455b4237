//! Tests of the generated text.

use super::*;

#[test]
fn every_accumulator_is_declared_and_stored_once_and_added_to_at_every_step() {
    for accumulate in [Accumulate::Fused, Accumulate::Separate] {
        let source = multiply(accumulate).source;
        assert!(!source.contains("{{"), "a placeholder is left");
        for row in 0..8 {
            for quad in 0..2 {
                let sum = format!("sum_{row}_{quad}");
                let declared = source.matches(&format!("var {sum} = ")).count();
                let stored = source.matches(&format!("] = {sum};")).count();
                let added = source.matches(&format!(" {sum} = ")).count() - declared;
                assert_eq!((declared, stored, added), (1, 1, 8), "{sum}");
            }
        }
    }
}

#[test]
fn filled_words_name_their_place_and_buffer() {
    assert_ne!(filled_word(1, 7), filled_word(2, 7));
    assert_ne!(filled_word(1, 7), filled_word(1, 8));
}
