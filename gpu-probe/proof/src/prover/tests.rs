//! Tests of what a prover refuses: other devices' challenges, too much work, a wrong or an unstable device.

use super::*;
use crate::mode::Mode;
use crate::tile::Product;
use crate::workload::Workload;

const SUBJECT: Subject = Subject {
    key: [1; 32],
    gpu: 0,
};

const POLICY: ProverPolicy = ProverPolicy {
    subject: SUBJECT,
    max_rounds: u32::MAX,
    max_limit_ms: u32::MAX,
    max_operations: 1 << 24,
    max_matrix_bytes: 1 << 20,
};

fn challenge(rounds: u32) -> Challenge {
    let shape = Shape::new(64, 64, 256).unwrap();
    Challenge {
        rho: [3; 32],
        subject: SUBJECT,
        workload: Workload::new(Mode::F, shape, rounds).unwrap(),
        limit_ms: 1_000,
    }
}

fn prover() -> Prover {
    Prover::new(challenge(2), &POLICY, 0).unwrap()
}

/// Runs both rounds, and takes the roots from the prover.
fn committed() -> Prover {
    let mut prover = prover();
    while let Some(ProverOutput::Compute(round)) = prover.poll_output() {
        let leaves = Product::compute(&round.operands, round.shape).leaves();
        let round = round.round;
        let input = ProverInput::Computed { round, leaves };
        prover.handle_input(input, 500).unwrap();
    }
    prover
}

/// Takes the first request to recompute.
fn drawn() -> (Prover, Round, Vec<u32>) {
    let mut prover = committed();
    let draw = Draw { sigma: [5; 32] };
    prover.handle_input(ProverInput::Draw(draw), 600).unwrap();
    match prover.poll_output() {
        Some(ProverOutput::Recompute { round, tiles }) => (prover, round, tiles),
        other => unreachable!("the draw was answered with {other:?}"),
    }
}

#[test]
fn a_challenge_for_another_gpu_or_key_is_refused() {
    for other in [
        Subject { gpu: 1, ..SUBJECT },
        Subject {
            key: [2; 32],
            gpu: 0,
        },
    ] {
        let policy = ProverPolicy {
            subject: other,
            ..POLICY
        };
        let refused = Prover::new(challenge(2), &policy, 0).err();
        assert_eq!(refused, Some(Refusal::Subject { actual: SUBJECT }));
    }
}

#[test]
fn more_work_or_memory_than_allowed_is_refused() {
    assert!(Prover::new(challenge(8), &POLICY, 0).is_ok());
    let refused = Prover::new(challenge(9), &POLICY, 0).err();
    let (actual, max) = (9 << 21, 1 << 24);
    assert_eq!(refused, Some(Refusal::TooMuchWork { actual, max }));
    let policy = ProverPolicy {
        max_matrix_bytes: 4 * (2 * 64 * 256 + 64 * 64) - 1,
        ..POLICY
    };
    let refused = Prover::new(challenge(1), &policy, 0).err();
    assert!(matches!(refused, Some(Refusal::TooLarge { .. })));
    let policy = ProverPolicy {
        max_rounds: 7,
        ..POLICY
    };
    let refused = Prover::new(challenge(8), &policy, 0).err();
    let (actual, max) = (8, 7);
    assert_eq!(refused, Some(Refusal::TooManyRounds { actual, max }));
    let policy = ProverPolicy {
        max_limit_ms: 999,
        ..POLICY
    };
    let refused = Prover::new(challenge(1), &policy, 0).err();
    let (actual_ms, max_ms) = (1_000, 999);
    assert_eq!(refused, Some(Refusal::TooLong { actual_ms, max_ms }));
}

#[test]
fn rounds_are_asked_for_one_after_another_and_depend_on_the_one_before() {
    let mut prover = prover();
    let Some(ProverOutput::Compute(first)) = prover.poll_output() else {
        unreachable!("the first round is asked for at once");
    };
    assert_eq!(prover.poll_output(), None);
    let leaves = vec![[1; 32]; 4];
    let early = ProverInput::Computed {
        round: 1,
        leaves: leaves.clone(),
    };
    assert_eq!(prover.handle_input(early, 1), Err(Unexpected::OutOfTurn));
    let input = ProverInput::Computed { round: 0, leaves };
    prover.handle_input(input, 1).unwrap();
    let Some(ProverOutput::Compute(second)) = prover.poll_output() else {
        unreachable!("the second round follows");
    };
    assert_eq!((first.round, second.round), (0, 1));
    assert_ne!(first.operands, second.operands);
}

#[test]
fn a_device_that_answers_with_too_few_leaves_is_refused() {
    let mut prover = prover();
    let leaves = vec![[1; 32]; 3];
    let refused = prover.handle_input(ProverInput::Computed { round: 0, leaves }, 1);
    let (leaves, tiles) = (3, 0);
    assert_eq!(refused, Err(Unexpected::WrongCount { leaves, tiles }));
}

#[test]
fn a_draw_before_the_roots_is_refused() {
    let mut prover = prover();
    let draw = ProverInput::Draw(Draw { sigma: [5; 32] });
    assert_eq!(prover.handle_input(draw, 1), Err(Unexpected::OutOfTurn));
}

#[test]
fn a_second_draw_is_refused() {
    let (mut prover, ..) = drawn();
    let draw = ProverInput::Draw(Draw { sigma: [6; 32] });
    assert_eq!(prover.handle_input(draw, 700), Err(Unexpected::OutOfTurn));
}

#[test]
fn a_device_that_gives_another_result_is_called_unstable() {
    let (mut prover, round, tiles) = drawn();
    let mut product = Product::compute(&round.operands, round.shape);
    let mut words = product.words().to_vec();
    words[0] ^= 1;
    product = Product::from_words(round.shape, words).unwrap();
    let tiles = tiles.iter().map(|tile| product.tile(*tile).unwrap());
    let input = ProverInput::Recomputed {
        round: round.round,
        leaves: product.leaves(),
        tiles: tiles.collect(),
    };
    prover.handle_input(input, 700).unwrap();
    let round = round.round;
    let ended = ProverOutput::Ended(Err(Failure::Unstable { round }));
    assert_eq!(prover.poll_output(), Some(ended));
}

#[test]
fn tiles_that_are_missing_or_not_those_of_the_leaves_are_never_sent() {
    let (mut prover, round, tiles) = drawn();
    let product = Product::compute(&round.operands, round.shape);
    let opened: Vec<Tile> = tiles
        .iter()
        .map(|tile| product.tile(*tile).unwrap())
        .collect();
    let answer = |tiles: Vec<Tile>| ProverInput::Recomputed {
        round: round.round,
        leaves: product.leaves(),
        tiles,
    };
    let refused = prover.handle_input(answer(opened[1..].to_vec()), 700);
    assert!(matches!(refused, Err(Unexpected::WrongCount { .. })));
    let mut swapped = opened;
    swapped.swap(0, 1);
    prover.handle_input(answer(swapped), 700).unwrap();
    let ended = prover.poll_output();
    assert!(matches!(
        ended,
        Some(ProverOutput::Ended(Err(Failure::Unstable { .. })))
    ));
}

#[test]
fn a_slow_device_and_a_silent_verifier_end_the_exchange() {
    let mut slow = prover();
    assert_eq!(slow.poll_timeout(), Some(1_000));
    slow.poll_output();
    slow.handle_timeout(999);
    assert_eq!(slow.poll_output(), None);
    slow.handle_timeout(1_000);
    let late = Some(ProverOutput::Ended(Err(Failure::Late)));
    assert_eq!(slow.poll_output(), late);
    assert_eq!(slow.poll_timeout(), None);

    let mut waiting = committed();
    assert_eq!(waiting.poll_timeout(), Some(500 + DRAW_WAIT_MS));
    waiting.handle_timeout(500 + DRAW_WAIT_MS);
    assert_eq!(waiting.poll_output(), late);
}
