//! Silence, evidence of death, and an operator that is away.

use super::*;

fn outputs_of(pair: &Pair, role: Role) -> Vec<&Output> {
    let of_role = pair.log.iter().filter(|(who, _)| *who == role);
    of_role.map(|(_, output)| output).collect()
}

#[test]
fn a_payer_says_that_its_payee_is_silent_after_fifteen_seconds_and_when_it_is_back() {
    let mut pair = Pair::opened(terms(100, 30));
    pair.seconds(20);
    let heard_at = pair.now;
    pair.link = Link::Down;
    pair.seconds(14);
    assert_eq!(pair.payer.silent_since(), None);
    pair.seconds(2);
    let since = pair.payer.silent_since().expect("it is silent");
    assert!(since <= heard_at && heard_at.saturating_since(since) < Duration::from_secs(5));
    assert_eq!(pair.payer.waits_for(), Some(WaitsFor::OtherSide));
    let promised = pair.payer.promised();
    pair.seconds(30);
    assert_eq!(pair.payer.promised(), promised, "nothing more is signed");
    pair.link = Link::Up;
    pair.seconds(6);
    assert_eq!(pair.payer.silent_since(), None);
    let seen = outputs_of(&pair, Role::Payer);
    let told = |wanted: fn(&Output) -> bool| seen.iter().filter(|output| wanted(output)).count();
    assert_eq!(told(|output| matches!(output, Output::Silent { .. })), 1);
    assert_eq!(told(|output| *output == Output::Back), 1);
}

#[test]
fn a_payer_in_doubt_asks_every_two_seconds() {
    let mut pair = Pair::opened(terms(100, 30));
    pair.link = Link::Down;
    pair.seconds(15);
    let asks = |output: &&Output| **output == Output::Send(Box::new(Message::Repeat));
    let asked = outputs_of(&pair, Role::Payer)
        .into_iter()
        .filter(asks)
        .count();
    assert_eq!(asked, 5, "at 6, 8, 10, 12 and 14 seconds");
}

#[test]
fn evidence_that_the_payee_is_dead_closes_at_once_with_what_was_promised() {
    let mut pair = Pair::opened(terms(100, 30));
    pair.seconds(25);
    pair.link = Link::Down;
    let promised = pair.payer.promised();
    let reason = Gone::Refused;
    pair.give(Role::Payer, Input::PeerGone { reason }).unwrap();
    let seen = outputs_of(&pair, Role::Payer);
    let lost = seen
        .iter()
        .position(|o| **o == Output::Lost(Loss::Gone(reason)));
    let closes =
        |o: &&Output| matches!(o, Output::PayerClose { cumulative, .. } if *cumulative == promised);
    let closed = seen.iter().position(closes);
    assert!(lost.unwrap() < closed.unwrap());
    let again = pair.log.len();
    pair.give(Role::Payer, Input::PeerGone { reason }).unwrap();
    pair.seconds(600);
    assert!(
        pair.log[again..]
            .iter()
            .all(|(role, _)| *role == Role::Payee)
    );
    pair.give(Role::Payer, Input::Settled { paid: promised })
        .unwrap();
    assert_eq!(pair.ending(Role::Payer).outcome, Outcome::Lost);
    assert_eq!(pair.ending(Role::Payer).paid, promised);
}

#[test]
fn a_payee_whose_payer_is_dead_waits_for_it_as_long_as_it_is_patient() {
    let mut pair = Pair::opened(terms(100, 30));
    pair.seconds(12);
    pair.link = Link::Down;
    let reason = Gone::Refused;
    pair.give(Role::Payee, Input::PeerGone { reason }).unwrap();
    assert!(pair.running, "what is prepaid is worked off");
    pair.seconds(60);
    assert!(!pair.running && pair.closed.is_none());
    pair.seconds(240);
    let kept = pair.payee_kept;
    assert_eq!(pair.closed, Some(kept), "claims what was vouchered");
}

#[test]
fn a_payer_that_was_given_up_and_speaks_is_heard() {
    let mut pair = Pair::opened(terms(100, 30));
    pair.seconds(12);
    pair.link = Link::Down;
    pair.give(Role::Payee, Input::LinkLost).unwrap();
    pair.seconds(60);
    pair.link = Link::Up;
    let repeat = Input::Received(Box::new(Message::Repeat));
    pair.give(Role::Payee, repeat).unwrap();
    assert_eq!(pair.payee.silent_since(), None);
    pair.seconds(1);
    assert!(pair.running);
}

#[test]
fn no_payee_signs_that_it_was_lost() {
    let mut pair = Pair::opened(terms(100, 30));
    let finished = Message::Finished {
        outcome: Outcome::Lost,
        meter: Meter::default(),
    };
    let refused = pair.give(Role::Payer, Input::Received(Box::new(finished)));
    assert!(matches!(refused, Err(Rejected::ReceiptMismatch { .. })));
}

/// A pair whose payee has these waits.
fn opened_with(timing: Timing) -> Pair {
    let mut pair = Pair::new(terms(1_000, 1_000));
    pair.payee = pair.payee.with_timing(timing);
    let at = pair.now;
    pair.give(Role::Payer, Input::Opened { at }).unwrap();
    pair.give(Role::Payee, Input::Opened { at }).unwrap();
    pair
}

/// Time passes, and the operator answers nothing.
fn operator_away(pair: &mut Pair, seconds: u64) {
    pair.operator_is_away = true;
    pair.seconds(seconds);
    pair.operator_is_away = false;
}

#[test]
fn work_goes_on_as_long_as_the_last_proof_is_good_then_pauses_and_resumes_with_the_next() {
    let timing = Timing::for_challenge(Duration::from_secs(400));
    assert_eq!(timing.proof_valid, Duration::from_secs(100));
    let mut pair = opened_with(timing);
    pair.seconds(55);
    operator_away(&mut pair, 44);
    assert!(pair.running, "the proof at 50 s is good until 150 s");
    operator_away(&mut pair, 60);
    assert!(!pair.running);
    assert_eq!(pair.payee.waits_for(), Some(WaitsFor::Proof));
    assert!(pair.closed.is_none(), "a payer that pays is waited for");
    operator_away(&mut pair, 600);
    let at = pair.now;
    pair.give(Role::Payee, Input::ProvedOpen { at }).unwrap();
    assert!(pair.running);
    assert_eq!(pair.payee.waits_for(), None);
}

#[test]
fn the_waits_follow_the_markets_window() {
    let day = Timing::for_challenge(Duration::from_secs(24 * 3600));
    assert_eq!(day.proof_valid, Duration::from_secs(6 * 3600));
    assert_eq!(day.prove_every, Duration::from_secs(3 * 3600));
    let short = Timing::for_challenge(Duration::from_secs(5));
    assert_eq!(short.proof_valid, Duration::from_secs(30));
    assert_eq!(short.prove_every, Duration::from_secs(1));
}
