//! Tests of rounds against sums and hashes made here.

use throughput_proof::{Position, Product, conforms};

use super::*;
use crate::best_adapter;
use crate::tests::session;
use crate::tuning::candidates::integer_candidates;

fn operands(mode: Mode, name: &str) -> Operands {
    Operands::in_mode(mode, &Seed::derive(name.as_bytes()))
}

fn prover() -> Option<DeviceProver> {
    match best_adapter() {
        Ok(adapter) => Some(DeviceProver::open(&adapter, &Tuning::default()).unwrap()),
        Err(error) => {
            eprintln!("skipped: {error}");
            None
        }
    }
}

fn round(mode: Mode, (rows, columns, depth): (u32, u32, u32)) -> Round {
    Round {
        round: 0,
        operands: operands(mode, "tests"),
        shape: Shape::new(rows, columns, depth).unwrap(),
    }
}

#[test]
fn words_and_leaves_are_those_that_the_verifier_computes() {
    let Some(mut prover) = prover() else { return };
    for mode in [Mode::F, Mode::I] {
        // Neither side is a multiple of any kernel's tile.
        let round = round(mode, (96, 160, 512));
        let all: Vec<u32> = (0..15).collect();
        let (leaves, tiles) = prover.open_tiles(round, &all).unwrap();
        let product = Product::compute(&round.operands, round.shape);
        assert_eq!(leaves, product.leaves(), "{mode:?}");
        let expected: Vec<Tile> = all.iter().filter_map(|tile| product.tile(*tile)).collect();
        assert_eq!(tiles, expected, "{mode:?}");
    }
}

#[test]
fn a_round_has_the_same_leaves_twice_and_others_with_other_operands() {
    let Some(mut prover) = prover() else { return };
    let round = round(Mode::F, (64, 64, 256));
    let leaves = prover.compute(round).unwrap();
    let other = Round {
        operands: operands(Mode::F, "other"),
        ..round
    };
    let others = prover.compute(other).unwrap();
    assert!(leaves.iter().zip(&others).all(|(one, other)| one != other));
    // Asked for in any order, and more than once.
    let (again, tiles) = prover.open_tiles(round, &[3, 0, 3]).unwrap();
    assert_eq!(again, leaves);
    let hashes: Vec<Leaf> = tiles.iter().map(Tile::leaf).collect();
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
            let found = tiles[tile as usize].words()[word as usize];
            let expected = round
                .operands
                .entry_bits(round.shape, Position { row, column });
            assert_eq!(found, expected, "{kernel}");
        }
    }
}

#[test]
fn this_driver_adds_in_order() {
    let Some(mut prover) = prover() else { return };
    assert!(conforms(&prover.conformance().unwrap()));
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
