//! Tests of drawing places and comparing words.

use super::*;

#[test]
fn places_are_different_spread_in_range_and_follow_the_seed() {
    let drawn = places(1_000_000, &Seed::derive(b"a"));
    assert_eq!(drawn.len() as u64, SAMPLES);
    assert!(drawn.is_sorted_by(|a, b| a < b), "{drawn:?}");
    assert!(drawn[0] < 15_625 && (984_375..1_000_000).contains(&drawn[63]));
    assert_ne!(drawn, places(1_000_000, &Seed::derive(b"b")));
    assert_eq!(
        places(64, &Seed::derive(b"a")),
        (0..64).collect::<Vec<u64>>()
    );
}

#[test]
fn wrong_words_are_counted_and_the_first_is_named() {
    let error = compare(&[3, 5, 9], &[30, 51, 91], |place| 10 * place as u32).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("2 of 3 words are wrong; word 5 is 0x00000033"),
        "{text}"
    );
}
