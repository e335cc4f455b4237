//! Tests of rounds against sums and hashes made here.

use throughput_proof::{Position, philox4x32};

use super::*;
use crate::best_adapter;
use crate::tests::session;
use crate::tuning::candidates::integer_candidates;

fn operands(name: &str) -> Operands {
    Operands::new(&Seed::derive(name.as_bytes()))
}

fn prover() -> Option<Prover> {
    match best_adapter() {
        Ok(adapter) => Some(Prover::open(&adapter, &Tuning::default()).unwrap()),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

fn round(mode: Mode, (rows, columns, depth): (u32, u32, u32)) -> Round {
    Round {
        operands: operands("tests"),
        mode,
        shape: Shape::new(rows, columns, depth).unwrap(),
    }
}

/// An element of mode I, straight from the generator.
fn integer(operands: Operands, tag: u32, line: u32, k: u32) -> i32 {
    let [key_0, key_1, word] = operands.words();
    let words = philox4x32([line, k / 4, tag, word], [key_0, key_1]);
    (((words[k as usize % 4] >> 16) * 511) >> 16).cast_signed() - 255
}

/// What an entry must be.
fn expected(round: Round, at: Position) -> u32 {
    let Round {
        operands,
        mode,
        shape,
    } = round;
    match mode {
        Mode::F => operands.entry(shape, at).to_bits(),
        Mode::I => (0..shape.depth())
            .map(|k| integer(operands, 0, at.row, k) * integer(operands, 1, at.column, k))
            .sum::<i32>()
            .cast_unsigned(),
    }
}

fn hashed(words: &[u32]) -> Leaf {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    *blake3::hash(&bytes).as_bytes()
}

#[test]
fn words_of_tiles_are_the_sums_and_leaves_are_their_hashes() {
    let Some(mut prover) = prover() else { return };
    for mode in [Mode::F, Mode::I] {
        // Neither side is a multiple of any kernel's tile.
        let round = round(mode, (96, 160, 512));
        let all: Vec<u32> = (0..15).collect();
        let (leaves, tiles) = prover.open_tiles(round, &all).unwrap();
        assert_eq!(leaves.len(), 15);
        let hashes: Vec<Leaf> = tiles.iter().map(|tile| hashed(tile)).collect();
        assert_eq!(leaves, hashes, "{mode:?}");
        for (tile, word) in [(0, 0), (4, 1_023), (7, 33), (14, 1_023), (10, 31)] {
            let at = Position {
                row: tile / 5 * 32 + word / 32,
                column: tile % 5 * 32 + word % 32,
            };
            let found = tiles[tile as usize][word as usize];
            assert_eq!(found, expected(round, at), "{mode:?} {at:?}");
        }
    }
}

#[test]
fn a_round_has_the_same_leaves_twice_and_others_with_other_operands() {
    let Some(mut prover) = prover() else { return };
    let round = round(Mode::F, (64, 64, 256));
    let leaves = prover.compute(round).unwrap();
    let other = Round {
        operands: operands("other"),
        ..round
    };
    let others = prover.compute(other).unwrap();
    assert!(leaves.iter().zip(&others).all(|(one, other)| one != other));
    // Asked for in any order, and more than once.
    let (again, tiles) = prover.open_tiles(round, &[3, 0, 3]).unwrap();
    assert_eq!(again, leaves);
    let hashes: Vec<Leaf> = tiles.iter().map(|tile| hashed(tile)).collect();
    assert_eq!(hashes, [leaves[3], leaves[0], leaves[3]]);
}

#[test]
fn every_kernel_of_mode_i_has_the_exact_sums() {
    let Some(session) = session() else { return };
    let mut offered = session.offered();
    // Those of other forms run here too.
    let mut kernels = integer_candidates(&offered);
    offered.form = market::gpu::AdapterForm::Discrete;
    kernels.extend(integer_candidates(&offered));
    let round = round(Mode::I, (64, 64, 1_024));
    let corners = [(0, 0), (63, 63), (5, 40), (40, 5)];
    for kernel in kernels {
        let mut prepared = Prepared::new(&session, round, kernel).unwrap();
        let (_, tiles) = prepared.compute(round.operands, &[0, 1, 2, 3]).unwrap();
        for (row, column) in corners {
            let tile = row / 32 * 2 + column / 32;
            let word = row % 32 * 32 + column % 32;
            let found = tiles[tile as usize][word as usize];
            assert_eq!(found, expected(round, Position { row, column }), "{kernel}");
        }
    }
}

#[test]
fn the_extremes_of_mode_i_stay_exact() {
    // 255 * 255 * 256 is the largest partial sum: f32 holds it, and its neighbours.
    let largest = 255 * 255 * 256;
    assert_eq!((largest as f32) as i32, largest);
    assert_eq!(((largest - 1) as f32) as i32, largest - 1);
    assert!(i64::from(largest) * i64::from(MAX_DEPTH / DEPTH_STEP) < i64::from(i32::MAX));
}

#[test]
fn the_conformance_product_has_the_bits_of_sums_in_order() {
    let Some(mut prover) = prover() else { return };
    let words = prover.conformance(operands("conformance")).unwrap();
    assert_eq!(words.len(), 64 * 64);
    let shape = Shape::new(64, 64, 2_048).unwrap();
    for (row, column) in [(0, 0), (0, 63), (31, 32), (63, 0), (63, 63)] {
        let entry = operands("conformance").entry(shape, Position { row, column });
        assert_eq!(words[(row * 64 + column) as usize], entry.to_bits());
    }
}

#[test]
fn what_is_no_round_is_refused_in_words() {
    let Some(mut prover) = prover() else { return };
    for lengths in [
        (48, 32, 256),
        (32, 48, 256),
        (32, 32, 128),
        (32, 32, 1 << 16),
    ] {
        let refused = prover.compute(round(Mode::I, lengths));
        assert!(
            matches!(refused, Err(ProverError::Shape { .. })),
            "{lengths:?}"
        );
    }
    let refused = prover.open_tiles(round(Mode::F, (32, 64, 256)), &[2]);
    assert!(matches!(
        refused,
        Err(ProverError::NoSuchTile { tile: 2, tiles: 2 })
    ));
    let huge = prover.compute(round(Mode::F, (1 << 20, 1 << 20, 256)));
    assert!(matches!(huge, Err(ProverError::TooLarge { .. })));
}
