//! Tests of clocks: what is late, what is too slow, and that no one but the verifier tells the time.

use super::exchange::{Exchange, ROOTS_MS, SIGMA, STARTED_MS, Work, expectation, usual};
use crate::draw::places;
use crate::message::{Message, Roots};
use crate::verifier::{Rejection, Verifier, VerifierOutput};
use crate::{DecodeError, VerifierInput};

fn started() -> (Exchange, Work) {
    let exchange = Exchange::start(usual(), 3);
    let work = Work::honest(&exchange.challenge);
    (exchange, work)
}

#[test]
fn the_rate_counts_from_the_challenge_to_the_roots() {
    let (mut exchange, work) = started();
    exchange
        .roots(work.roots.clone(), ROOTS_MS - 2_000)
        .unwrap();
    let drawn = places(&SIGMA, usual()).into_iter();
    let openings = drawn.map(|at| work.open(at)).collect();
    let proved = exchange.openings(openings, ROOTS_MS - 1_900).unwrap();
    // Twice as fast as reported: the run was long enough to show the reported rate, and no more.
    assert_eq!(proved.mflops, expectation(usual()).reported_mflops);
    let (mut exchange, work) = started();
    exchange.roots(work.roots.clone(), ROOTS_MS + 50).unwrap();
    let drawn = places(&SIGMA, usual()).into_iter();
    let openings = drawn.map(|at| work.open(at)).collect();
    let proved = exchange.openings(openings, ROOTS_MS + 100).unwrap();
    let elapsed_ms = ROOTS_MS + 50 - STARTED_MS;
    assert_eq!(proved.mflops, usual().rate_mflops(elapsed_ms));
}

#[test]
fn a_rate_below_95_percent_of_the_reported_one_is_rejected() {
    let (mut exchange, work) = started();
    let least_mflops = (expectation(usual()).reported_mflops * 95).div_ceil(100);
    let slowest_ms = STARTED_MS + usual().operations() / 1_000 / least_mflops;
    assert!(exchange.roots(work.roots.clone(), slowest_ms).is_ok());
    let (mut exchange, work) = started();
    let verdict = exchange.roots(work.roots, slowest_ms + 1);
    assert!(
        matches!(verdict, Err(Err(Rejection::TooSlow { .. }))),
        "{verdict:?}"
    );
}

#[test]
fn late_roots_are_rejected_with_and_without_a_timer() {
    let (mut exchange, work) = started();
    let limit_ms = u64::from(exchange.challenge.limit_ms);
    assert_eq!(
        limit_ms,
        2 * usual().duration_ms(expectation(usual()).reported_mflops)
    );
    let verdict = exchange.roots(work.roots, STARTED_MS + limit_ms);
    let late = Rejection::LateRoots { limit_ms };
    assert_eq!(verdict, Err(Err(late.clone())));

    let (mut exchange, _) = started();
    let due = exchange.verifier.poll_timeout().unwrap();
    assert_eq!(due, STARTED_MS + limit_ms);
    exchange.verifier.handle_timeout(due - 1);
    assert_eq!(exchange.verifier.poll_output(), None);
    exchange.verifier.handle_timeout(due);
    let verdict = exchange.verifier.poll_output();
    assert_eq!(verdict, Some(VerifierOutput::Verdict(Err(late))));
    assert_eq!(exchange.verifier.poll_timeout(), None);
}

#[test]
fn openings_may_take_twice_the_time_of_their_rounds_and_the_transfer() {
    let mut rounds: Vec<u32> = places(&SIGMA, usual()).iter().map(|at| at.round).collect();
    rounds.dedup();
    let limit_ms = (2 * 4_000 * rounds.len() as u64).div_ceil(30) + 100;

    let (mut exchange, work) = started();
    exchange.roots(work.roots.clone(), ROOTS_MS).unwrap();
    assert_eq!(exchange.verifier.poll_timeout(), Some(ROOTS_MS + limit_ms));
    let drawn = || places(&SIGMA, usual()).into_iter();
    let openings = drawn().map(|at| work.open(at)).collect();
    let verdict = exchange.openings(openings, ROOTS_MS + limit_ms);
    assert_eq!(verdict, Err(Rejection::LateOpenings { limit_ms }));

    let (mut exchange, work) = started();
    exchange.roots(work.roots.clone(), ROOTS_MS).unwrap();
    let openings = drawn().map(|at| work.open(at)).collect();
    assert!(exchange.openings(openings, ROOTS_MS + limit_ms - 1).is_ok());
}

/// No message has room for a time: one that is added makes the message none.
#[test]
fn a_prover_that_states_its_own_time_is_refused() {
    let (_, work) = started();
    let mut bytes = Message::Roots(Roots { roots: work.roots }).encode();
    bytes.extend(1_u64.to_le_bytes());
    let refused = Message::decode(&bytes);
    assert_eq!(refused, Err(DecodeError::TrailingBytes { extra: 8 }));
}

#[test]
fn a_clock_that_went_back_proves_nothing() {
    let mut verifier = Verifier::new(expectation(usual()), [3; 32], STARTED_MS);
    let roots = Roots {
        roots: vec![crate::Root::from_bytes([0; 32]); 30],
    };
    let sigma = SIGMA;
    let input = VerifierInput::Roots { roots, sigma };
    verifier.handle_input(input, STARTED_MS - 1).unwrap();
    assert_eq!(verifier.poll_timeout(), None);
    let outputs: Vec<_> = std::iter::from_fn(|| verifier.poll_output()).collect();
    let verdict = VerifierOutput::Verdict(Err(Rejection::BackwardClock));
    assert_eq!(outputs.last(), Some(&verdict));
}

#[test]
fn an_unreported_rate_gets_the_longest_time_and_the_shortest_is_a_second() {
    let limit = |reported_mflops| {
        let expectation = crate::Expectation {
            reported_mflops,
            ..expectation(usual())
        };
        Verifier::new(expectation, [3; 32], 0).poll_timeout()
    };
    assert_eq!(limit(0), Some(2 * usual().duration_ms(1)));
    assert_eq!(limit(u64::MAX), Some(1_000));
}
