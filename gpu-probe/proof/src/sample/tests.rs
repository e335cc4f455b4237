//! Tests of drawing and checking.

use super::*;

fn sample(count: u32) -> Sample {
    let shape = Shape::new(48, 80, 256).unwrap();
    let operands = Operands::new(&Seed::derive(b"operands"));
    Sample::draw(operands, shape, &Seed::derive(b"positions"), count)
}

fn honest(sample: &Sample) -> Vec<Entry> {
    let opened = sample.positions.iter().map(|at| Entry {
        at: *at,
        bits: sample.operands.entry_bits(sample.shape, *at),
    });
    opened.collect()
}

#[test]
fn an_honest_product_is_accepted() {
    let sample = sample(64);
    assert_eq!(sample.check(&honest(&sample)), Ok(()));
}

#[test]
fn positions_are_different_in_range_spread_and_follow_the_seed() {
    let sample = sample(64);
    let different: std::collections::BTreeSet<_> = sample.positions.iter().collect();
    assert_eq!(different.len(), 64);
    assert!(
        sample
            .positions
            .iter()
            .all(|at| at.row < 48 && at.column < 80)
    );
    assert!(sample.positions.iter().any(|at| at.row > 32));
    assert!(sample.positions.iter().any(|at| at.column > 60));
    let other = Sample::draw(sample.operands, sample.shape, &Seed::derive(b"other"), 64);
    assert_ne!(sample.positions, other.positions);
}

#[test]
fn at_least_one_and_at_most_all_entries_are_drawn() {
    assert_eq!(sample(0).positions.len(), 1);
    assert_eq!(sample(1_000_000).positions.len(), 48 * 80);
}

#[test]
fn an_empty_or_short_list_is_refused() {
    let sample = sample(64);
    let entries = honest(&sample);
    for actual in [0, 63] {
        let refused = sample.check(&entries[..actual]);
        let expected = 64;
        assert_eq!(refused, Err(Mismatch::Count { expected, actual }));
    }
}

#[test]
fn entries_of_the_provers_choice_are_refused() {
    let sample = sample(64);
    let mut entries = honest(&sample);
    entries[9] = entries[8];
    let refused = sample.check(&entries);
    assert!(matches!(refused, Err(Mismatch::Position { index: 9, .. })));
}

#[test]
fn an_entry_that_is_off_by_one_bit_is_refused() {
    let sample = sample(64);
    let mut entries = honest(&sample);
    entries[63].bits ^= 1;
    let refused = sample.check(&entries);
    assert!(matches!(
        refused,
        Err(Mismatch::Value {
            wrong: 1,
            drawn: 64,
            ..
        })
    ));
}
