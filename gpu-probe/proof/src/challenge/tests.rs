//! Tests of drawing and checking.

use super::*;

fn challenge(count: u32) -> Challenge {
    let shape = Shape::new(48, 80, 256).unwrap();
    let operands = Operands::new(&Seed::derive(b"operands"));
    Challenge::draw(operands, shape, &Seed::derive(b"positions"), count)
}

fn honest(challenge: &Challenge) -> Vec<Entry> {
    let opened = challenge.positions.iter().map(|at| Entry {
        at: *at,
        bits: challenge.operands.entry(challenge.shape, *at).to_bits(),
    });
    opened.collect()
}

#[test]
fn an_honest_product_is_accepted() {
    let challenge = challenge(64);
    assert_eq!(challenge.check(&honest(&challenge)), Ok(()));
}

#[test]
fn positions_are_different_in_range_spread_and_follow_the_seed() {
    let challenge = challenge(64);
    let different: BTreeSet<_> = challenge.positions.iter().collect();
    assert_eq!(different.len(), 64);
    assert!(
        challenge
            .positions
            .iter()
            .all(|at| at.row < 48 && at.column < 80)
    );
    assert!(challenge.positions.iter().any(|at| at.row > 32));
    assert!(challenge.positions.iter().any(|at| at.column > 60));
    let other = Challenge::draw(
        challenge.operands,
        challenge.shape,
        &Seed::derive(b"other"),
        64,
    );
    assert_ne!(challenge.positions, other.positions);
}

#[test]
fn at_least_one_and_at_most_all_entries_are_drawn() {
    assert_eq!(challenge(0).positions.len(), 1);
    assert_eq!(challenge(1_000_000).positions.len(), 48 * 80);
}

#[test]
fn an_empty_or_short_list_is_refused() {
    let challenge = challenge(64);
    let entries = honest(&challenge);
    for actual in [0, 63] {
        let refused = challenge.check(&entries[..actual]);
        let expected = 64;
        assert_eq!(refused, Err(Mismatch::Count { expected, actual }));
    }
}

#[test]
fn entries_of_the_provers_choice_are_refused() {
    let challenge = challenge(64);
    let mut entries = honest(&challenge);
    entries[9] = entries[8];
    let refused = challenge.check(&entries);
    assert!(matches!(refused, Err(Mismatch::Position { index: 9, .. })));
}

#[test]
fn an_entry_that_is_off_by_one_bit_is_refused() {
    let challenge = challenge(64);
    let mut entries = honest(&challenge);
    entries[63].bits ^= 1;
    let refused = challenge.check(&entries);
    assert!(matches!(
        refused,
        Err(Mismatch::Value {
            wrong: 1,
            drawn: 64,
            ..
        })
    ));
}
