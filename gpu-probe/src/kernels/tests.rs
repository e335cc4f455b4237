//! Tests of the patterns.

use super::*;

#[test]
fn filled_words_name_their_place_and_buffer() {
    assert_ne!(filled_word(1, 7), filled_word(2, 7));
    assert_ne!(filled_word(1, 7), filled_word(1, 8));
}
