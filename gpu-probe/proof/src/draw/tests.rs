//! Tests of what follows from sigma, and of how often it finds what is wrong.

use super::*;
use crate::mode::Mode;
use crate::shape::Shape;

fn workload(side: u32, rounds: u32) -> Workload {
    Workload::new(Mode::F, Shape::new(side, side, 256).unwrap(), rounds).unwrap()
}

#[test]
fn places_are_different_in_order_in_range_and_follow_sigma() {
    let workload = workload(256, 100);
    let drawn = places(&[1; 32], workload);
    assert_eq!(drawn.len(), OPENINGS);
    assert!(drawn.is_sorted_by(|a, b| a < b));
    assert!(
        drawn
            .iter()
            .all(|place| place.round < 100 && place.tile < 64)
    );
    assert!(drawn.iter().any(|place| place.round > 80));
    assert!(drawn.iter().any(|place| place.tile > 50));
    assert_eq!(drawn, places(&[1; 32], workload));
    assert_ne!(drawn, places(&[2; 32], workload));
}

#[test]
fn all_tiles_are_opened_where_there_are_few() {
    let drawn = places(&[1; 32], workload(64, 3));
    let all = (0..3).flat_map(|round| (0..4).map(move |tile| Place { round, tile }));
    assert_eq!(drawn, all.collect::<Vec<_>>());
}

#[test]
fn entries_are_different_and_others_in_every_tile() {
    let at = |round, tile| entries(&[1; 32], Place { round, tile });
    assert_eq!(at(0, 0).len(), ENTRIES_PER_TILE);
    assert!(at(0, 0).iter().all(|entry| *entry < 1_024));
    assert_ne!(at(0, 0), at(0, 1));
    assert_ne!(at(0, 0), at(1, 0));
    assert_ne!(at(0, 0), entries(&[2; 32], Place { round: 0, tile: 0 }));
}

/// For fractions of wrong tiles, the share of 2,000 sigmas whose places meet at least one wrong tile is
/// `1 - (1 - f)^64` within three standard deviations.
#[test]
fn wrong_tiles_are_met_as_often_as_the_formula_says() {
    const DRAWS: u32 = 2_000;
    let workload = workload(1_024, 1_000);
    for permille in [1_u32, 5, 10, 20, 50, 100] {
        let is_wrong = |place: &Place| {
            let bytes = [place.round.to_le_bytes(), place.tile.to_le_bytes()].concat();
            let hash = blake3::hash(&bytes);
            u16::from_le_bytes([hash.as_bytes()[0], hash.as_bytes()[1]]) % 1_000 < permille as u16
        };
        let meets = |seed: &u32| {
            let sigma = *blake3::hash(&seed.to_le_bytes()).as_bytes();
            places(&sigma, workload).iter().any(is_wrong)
        };
        let met = (0..DRAWS).filter(meets).count() as f64 / f64::from(DRAWS);
        let expected = 1.0 - (1.0 - f64::from(permille) / 1_000.0).powi(64);
        let deviation = (expected * (1.0 - expected) / f64::from(DRAWS)).sqrt();
        let off = (met - expected).abs();
        assert!(
            off < 3.0 * deviation + 0.001,
            "{permille} permille: {met} for {expected}"
        );
    }
}

/// What two versions of this crate must agree on.
#[test]
fn a_draw_is_the_one_that_it_always_was() {
    let drawn: Vec<(u32, u32)> = places(&[1; 32], workload(256, 100))
        .iter()
        .take(4)
        .map(|place| (place.round, place.tile))
        .collect();
    assert_eq!(drawn, [(0, 1), (0, 5), (0, 21), (2, 34)]);
    let entries = entries(&[1; 32], Place { round: 3, tile: 4 });
    assert_eq!(entries[..6], [70, 87, 122, 164, 184, 344]);
}
