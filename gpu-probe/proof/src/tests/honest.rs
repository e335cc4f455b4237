//! Tests of exchanges in which both sides keep to the protocol, through the bytes of every message.

use super::exchange::{
    Exchange, OPENINGS_MS, ROOTS_MS, STARTED_MS, SUBJECT, Work, expectation, usual, workload,
};
use crate::message::Message;
use crate::mode::Mode;
use crate::prover::{Prover, ProverInput, ProverOutput, ProverPolicy};
use crate::tile::Product;
use crate::verifier::{Proved, Rejection, Verifier, VerifierInput, VerifierOutput};
use crate::workload::Workload;

pub(super) const POLICY: ProverPolicy = ProverPolicy {
    subject: SUBJECT,
    max_rounds: u32::MAX,
    max_limit_ms: u32::MAX,
    max_operations: u64::MAX,
    max_matrix_bytes: u64::MAX,
};

/// Carries a message over as bytes.
fn carried(message: &Message) -> Message {
    let bytes = message.encode();
    assert!(bytes.len() <= Message::MAX_BYTES);
    Message::decode(&bytes).unwrap()
}

/// Runs the prover until it has something to send; every product is computed on the CPU.
fn run_prover(prover: &mut Prover, now: u64) -> Message {
    loop {
        let output = prover.poll_output().unwrap();
        let input = match output {
            ProverOutput::Compute(round) => ProverInput::Computed {
                round: round.round,
                leaves: Product::compute(&round.operands, round.shape).leaves(),
            },
            ProverOutput::Recompute { round, tiles } => {
                let product = Product::compute(&round.operands, round.shape);
                let tiles = tiles.into_iter().map(|tile| product.tile(tile).unwrap());
                ProverInput::Recomputed {
                    round: round.round,
                    leaves: product.leaves(),
                    tiles: tiles.collect(),
                }
            }
            ProverOutput::Send(message) => return message,
            ProverOutput::Ended(ending) => unreachable!("ended with {ending:?}"),
        };
        prover.handle_input(input, now).unwrap();
    }
}

fn send(verifier: &mut Verifier) -> Message {
    match verifier.poll_output() {
        Some(VerifierOutput::Send(message)) => carried(&message),
        other => unreachable!("{other:?} where a message was to be sent"),
    }
}

fn exchange(workload: Workload) -> Result<Proved, Rejection> {
    let mut verifier = Verifier::new(expectation(workload), [3; 32], STARTED_MS);
    let Message::Challenge(challenge) = send(&mut verifier) else {
        unreachable!("the challenge comes first");
    };
    let mut prover = Prover::new(challenge, &POLICY, STARTED_MS).unwrap();
    let Message::Roots(roots) = carried(&run_prover(&mut prover, ROOTS_MS - 1)) else {
        unreachable!("the roots come first");
    };
    let sigma = [9; 32];
    let input = VerifierInput::Roots { roots, sigma };
    verifier.handle_input(input, ROOTS_MS).unwrap();
    let Message::Draw(draw) = send(&mut verifier) else {
        unreachable!("the draw answers the roots");
    };
    prover
        .handle_input(ProverInput::Draw(draw), ROOTS_MS + 1)
        .unwrap();
    let Message::Openings(openings) = carried(&run_prover(&mut prover, OPENINGS_MS - 1)) else {
        unreachable!("the openings come last");
    };
    assert_eq!(prover.poll_output(), Some(ProverOutput::Ended(Ok(()))));
    let input = VerifierInput::Openings(openings);
    verifier.handle_input(input, OPENINGS_MS).unwrap();
    match verifier.poll_output() {
        Some(VerifierOutput::Verdict(verdict)) => verdict,
        other => unreachable!("{other:?} where a verdict was due"),
    }
}

#[test]
fn both_machines_end_in_a_proof_in_both_modes_and_many_shapes() {
    let workloads = [
        usual(),
        workload(Mode::I, [64, 96, 256], 30),
        workload(Mode::F, [32, 32, 8_192], 1),
        workload(Mode::I, [32, 32, 32_768], 1),
        // 33 tiles are more than one chunk of leaves.
        workload(Mode::F, [32, 33 * 32, 256], 3),
    ];
    for workload in workloads {
        let expected = Proved {
            subject: SUBJECT,
            workload,
            mflops: workload.operations() / 4_000_000,
        };
        assert_eq!(exchange(workload), Ok(expected), "{workload:?}");
    }
}

#[test]
fn work_done_by_hand_is_the_provers() {
    let exchange = Exchange::start(usual(), 3);
    let work = Work::honest(&exchange.challenge);
    assert!(exchange.finish(&work).is_ok());
}

/// Mode I certifies an integer rate, whatever unit did it: products of 8-bit halves pass.
#[test]
fn in_mode_i_eight_bit_units_give_the_right_answer() {
    let exchange = Exchange::start(workload(Mode::I, [64, 64, 256], 4), 3);
    let work = Work::chained(&exchange.challenge, |_, operands, shape| {
        super::exchange::Computed::of(&super::precision::int8_halves(operands, shape))
    });
    assert!(exchange.finish(&work).is_ok());
}
