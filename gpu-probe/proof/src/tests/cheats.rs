//! Tests of provers that skip work or show something else than what was drawn.

use super::exchange::{
    Computed, Exchange, OPENINGS_MS, ROOTS_MS, SIGMA, SUBJECT, Work, usual, workload,
};
use crate::chain::{Root, round_seed};
use crate::draw::{Place, places};
use crate::message::{Challenge, Roots};
use crate::mode::Mode;
use crate::operands::{Operands, Seed};
use crate::tile::{Product, Tile};
use crate::verifier::{Rejection, VerifierInput, VerifierOutput};
use crate::workload::Workload;

fn is_wrong_entry(verdict: Result<crate::Proved, Rejection>) -> bool {
    matches!(verdict, Err(Rejection::WrongEntry { .. }))
}

fn is_not_committed(verdict: Result<crate::Proved, Rejection>) -> bool {
    matches!(verdict, Err(Rejection::NotCommitted { .. }))
}

/// Does a prover's work for another challenge than the one that was sent.
fn verdict_of_work_for(change: impl FnOnce(&mut Challenge)) -> Result<crate::Proved, Rejection> {
    let exchange = Exchange::start(usual(), 3);
    let mut other = exchange.challenge.clone();
    change(&mut other);
    exchange.finish(&Work::honest(&other))
}

#[test]
fn canned_results_are_rejected() {
    let exchange = Exchange::start(usual(), 3);
    let canned = Operands::new(&Seed::derive(b"computed long ago"));
    let canned = Computed::of(&Product::compute(&canned, usual().shape()));
    let work = Work::chained(&exchange.challenge, |_, _, _| canned.clone());
    assert!(is_wrong_entry(exchange.finish(&work)));
}

#[test]
fn the_work_of_an_earlier_challenge_is_rejected() {
    let verdict = verdict_of_work_for(|challenge| challenge.rho = [2; 32]);
    assert!(is_wrong_entry(verdict));
}

#[test]
fn work_for_another_gpu_or_key_is_rejected() {
    let verdict = verdict_of_work_for(|challenge| challenge.subject.gpu += 1);
    assert!(is_wrong_entry(verdict));
    let verdict = verdict_of_work_for(|challenge| challenge.subject.key[0] ^= 1);
    assert!(is_wrong_entry(verdict));
}

#[test]
fn work_in_the_cheaper_mode_or_on_fewer_terms_is_rejected() {
    let cheaper = Workload::new(Mode::I, usual().shape(), usual().rounds()).unwrap();
    let verdict = verdict_of_work_for(|challenge| challenge.workload = cheaper);
    assert!(is_not_committed(verdict));
    let exchange = Exchange::start(workload(Mode::F, [64, 96, 512], 30), 3);
    let work = Work::chained(&exchange.challenge, |_, operands, _| {
        Computed::of(&Product::compute(operands, usual().shape()))
    });
    assert!(is_wrong_entry(exchange.finish(&work)));
}

#[test]
fn one_root_for_all_rounds_is_rejected() {
    let exchange = Exchange::start(usual(), 3);
    let mut work = Work::honest(&exchange.challenge);
    work.roots = vec![work.roots[0]; work.roots.len()];
    assert!(is_not_committed(exchange.finish(&work)));
}

#[test]
fn rounds_that_are_one_round_many_times_are_rejected() {
    let exchange = Exchange::start(usual(), 3);
    let first = Work::honest(&exchange.challenge).rounds[0].clone();
    // The roots are right over these leaves and differ, because each commits to its round.
    let work = Work::chained(&exchange.challenge, |_, _, _| first.clone());
    assert!(is_wrong_entry(exchange.finish(&work)));
}

#[test]
fn too_few_and_too_many_roots_are_rejected() {
    for count in [0, 29, 31] {
        let mut exchange = Exchange::start(usual(), 3);
        let roots = vec![Root::from_bytes([0; 32]); count];
        let expected = Rejection::RootCount {
            expected: 30,
            actual: count,
        };
        assert_eq!(exchange.roots(roots, ROOTS_MS), Err(Err(expected)));
    }
}

#[test]
fn an_empty_list_of_openings_is_rejected() {
    let exchange = Exchange::start(usual(), 3);
    let work = Work::honest(&exchange.challenge);
    let verdict = exchange.finish_with(&work, Vec::clear);
    let expected = Rejection::OpeningCount {
        expected: 64,
        actual: 0,
    };
    assert_eq!(verdict, Err(expected));
}

#[test]
fn tiles_of_the_provers_choice_are_rejected() {
    let exchange = Exchange::start(usual(), 3);
    let work = Work::honest(&exchange.challenge);
    let verdict = exchange.finish_with(&work, |openings| openings[9] = openings[8].clone());
    assert!(matches!(
        verdict,
        Err(Rejection::WrongPlace { index: 9, .. })
    ));
}

#[test]
fn tiles_in_another_order_are_rejected() {
    let exchange = Exchange::start(usual(), 3);
    let work = Work::honest(&exchange.challenge);
    let verdict = exchange.finish_with(&work, |openings| openings.swap(0, 1));
    assert!(matches!(
        verdict,
        Err(Rejection::WrongPlace { index: 0, .. })
    ));
}

#[test]
fn another_tile_under_the_name_of_the_one_drawn_is_rejected() {
    let exchange = Exchange::start(usual(), 3);
    let work = Work::honest(&exchange.challenge);
    let verdict = exchange.finish_with(&work, |openings| {
        let place = openings[9].place;
        openings[9] = openings[8].clone();
        openings[9].place = place;
    });
    assert!(is_not_committed(verdict));
}

#[test]
fn a_changed_bit_of_a_tile_is_rejected() {
    let exchange = Exchange::start(usual(), 3);
    let work = Work::honest(&exchange.challenge);
    let verdict = exchange.finish_with(&work, |openings| {
        let mut words = openings[63].tile.words().to_vec();
        words[1_023] ^= 1;
        openings[63].tile = Tile::from_words(words).unwrap();
    });
    assert!(is_not_committed(verdict));
}

/// Half of the tiles are left out, and those drawn are computed as soon as sigma is known.
#[test]
fn tiles_computed_only_after_the_draw_are_rejected() {
    let exchange = Exchange::start(usual(), 3);
    let work = Work::chained(&exchange.challenge, |_, operands, shape| {
        // The tiles are those that can be computed later; the roots do not know them yet.
        let mut computed = Computed::of(&Product::compute(operands, shape));
        for leaf in computed.leaves.iter_mut().step_by(2) {
            *leaf = [0; 32];
        }
        computed
    });
    assert!(is_not_committed(exchange.finish(&work)));
}

#[test]
fn tiles_left_empty_are_rejected() {
    let exchange = Exchange::start(usual(), 3);
    let empty = Tile::from_words(vec![0; 1_024]).unwrap();
    let work = Work::chained(&exchange.challenge, |_, operands, shape| {
        let mut computed = Computed::of(&Product::compute(operands, shape));
        computed.tiles[4] = empty.clone();
        computed.leaves[4] = empty.leaf();
        computed
    });
    assert!(is_wrong_entry(exchange.finish(&work)));
}

/// Rounds could run at the same time if the root before were guessed.
#[test]
fn rounds_run_from_guessed_roots_are_rejected() {
    let exchange = Exchange::start(usual(), 3);
    let Challenge {
        rho,
        subject,
        workload,
        ..
    } = exchange.challenge.clone();
    let guess = Root::from_bytes([0x6e; 32]);
    let work = Work::chained(&exchange.challenge, |round, operands, shape| {
        let seed = round_seed(&rho, &subject, round, Some(&guess));
        let guessed = Operands::in_mode(workload.mode(), &seed);
        let operands = if round == 0 { operands } else { &guessed };
        Computed::of(&Product::compute(operands, shape))
    });
    assert!(is_wrong_entry(exchange.finish(&work)));

    // Naming the guess as the root does not help: the tiles are not under it.
    let exchange = Exchange::start(usual(), 3);
    let mut work = work;
    work.roots = vec![guess; 30];
    assert!(is_not_committed(exchange.finish(&work)));
}

/// One root that is made up lets a second device begin with the round behind it; it costs the round that it stands for.
#[test]
fn one_guessed_root_is_found_where_its_round_is_drawn() {
    let exchange = Exchange::start(usual(), 3);
    let guessed = 14;
    assert!(places(&SIGMA, usual()).iter().any(|at| at.round == guessed));
    let challenge = exchange.challenge.clone();
    let made_up = Root::from_bytes([0x6e; 32]);
    let mut work = Work::chained(&challenge, |round, operands, shape| {
        let seed = round_seed(&challenge.rho, &challenge.subject, round, Some(&made_up));
        let behind = Operands::in_mode(challenge.workload.mode(), &seed);
        let operands = if round == guessed + 1 {
            &behind
        } else {
            operands
        };
        Computed::of(&Product::compute(operands, shape))
    });
    work.roots[guessed as usize] = made_up;
    assert!(is_not_committed(exchange.finish(&work)));
}

#[test]
fn inputs_out_of_turn_are_refused_and_change_nothing() {
    let mut exchange = Exchange::start(usual(), 3);
    let work = Work::honest(&exchange.challenge);
    let openings = |work: &Work| {
        let drawn = places(&SIGMA, usual()).into_iter();
        drawn.map(|at| work.open(at)).collect::<Vec<_>>()
    };
    let early = VerifierInput::Openings(crate::Openings {
        openings: openings(&work),
    });
    assert!(exchange.verifier.handle_input(early, ROOTS_MS - 1).is_err());
    exchange.roots(work.roots.clone(), ROOTS_MS).unwrap();
    // Other roots cannot be slipped in once sigma is known.
    let again = VerifierInput::Roots {
        roots: Roots {
            roots: vec![Root::from_bytes([1; 32]); 30],
        },
        sigma: [2; 32],
    };
    assert!(exchange.verifier.handle_input(again, ROOTS_MS + 1).is_err());
    assert_eq!(exchange.verifier.poll_output(), None);
    let proved = exchange.openings(openings(&work), OPENINGS_MS).unwrap();
    assert_eq!(proved.subject, SUBJECT);
    let after = VerifierInput::Openings(crate::Openings { openings: vec![] });
    assert!(exchange.verifier.handle_input(after, OPENINGS_MS).is_err());
    assert_eq!(exchange.verifier.poll_output(), None::<VerifierOutput>);
    assert_eq!(exchange.verifier.poll_timeout(), None);
}

#[test]
fn places_that_do_not_exist_are_rejected() {
    let exchange = Exchange::start(usual(), 3);
    let work = Work::honest(&exchange.challenge);
    let nowhere = Place {
        round: u32::MAX,
        tile: u32::MAX,
    };
    let verdict = exchange.finish_with(&work, |openings| openings[0].place = nowhere);
    assert!(matches!(verdict, Err(Rejection::WrongPlace { .. })));
}

/// A prover that leaves one tile in twenty wrong is caught as often as the formula says: 64 openings of 180 tiles,
/// of which nine are wrong, miss all of them in 1.6 % of draws.
#[test]
fn a_twentieth_of_wrong_tiles_is_caught_by_nearly_every_sigma() {
    let honest = Exchange::start(usual(), 3);
    let empty = Tile::from_words(vec![0; 1_024]).unwrap();
    let work = Work::chained(&honest.challenge, |round, operands, shape| {
        let mut computed = Computed::of(&Product::compute(operands, shape));
        if round % 10 < 3 {
            computed.tiles[(round % 6) as usize] = empty.clone();
            computed.leaves[(round % 6) as usize] = empty.leaf();
        }
        computed
    });
    let caught = |seed: &u8| {
        let mut exchange = Exchange::start(usual(), 3);
        let sigma = [*seed; 32];
        let roots = Roots {
            roots: work.roots.clone(),
        };
        let input = VerifierInput::Roots { roots, sigma };
        exchange.verifier.handle_input(input, ROOTS_MS).unwrap();
        exchange.verifier.poll_output().unwrap();
        let drawn = places(&sigma, usual()).into_iter();
        let openings = drawn.map(|at| work.open(at)).collect();
        is_wrong_entry(exchange.openings(openings, OPENINGS_MS))
    };
    let count = (0..200_u8).filter(caught).count();
    assert!((190..200).contains(&count), "{count} of 200");
}
