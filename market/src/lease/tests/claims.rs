//! Claims beside the running lease, what a refusal leads to, and what follows the close.

use super::*;

fn claims(pair: &Pair) -> Vec<u64> {
    let totals = pair.log.iter().filter_map(|(_, output)| match output {
        Output::Claim(voucher) => Some(voucher.verify(&chain()).unwrap().value.cumulative),
        _ => None,
    });
    totals.map(Amount::nanocredits).collect()
}

fn refuse(pair: &mut Pair, total: u64) {
    let cumulative = Amount::from_nanocredits(total);
    pair.give(Role::Payee, Input::ClaimRefused { cumulative })
        .unwrap();
}

#[test]
fn a_refused_claim_is_made_again_at_once_where_more_was_promised_since() {
    let mut pair = Pair::opened(terms(200, 300));
    pair.seconds(601);
    let first = claims(&pair);
    assert_eq!(first.len(), 1);
    pair.seconds(30);
    assert_eq!(claims(&pair).len(), 1, "the next one is due in ten minutes");
    refuse(&mut pair, first[0]);
    let both = claims(&pair);
    assert_eq!(both[1..], [pair.payee.promised().nanocredits()]);
    assert!(both[1] > both[0]);
}

#[test]
fn a_refused_claim_of_the_newest_voucher_waits_for_the_next_voucher_alone() {
    let mut pair = Pair::opened(terms(200, 300));
    pair.seconds(599);
    pair.link = Link::Down;
    pair.seconds(2);
    let first = claims(&pair)[0];
    assert_eq!(first, pair.payee.promised().nanocredits());
    refuse(&mut pair, first);
    assert_eq!(claims(&pair).len(), 1, "there is nothing else to claim");
    pair.link = Link::Up;
    pair.seconds(12);
    assert_eq!(claims(&pair).len(), 2, "the next voucher came");
    pair.seconds(60);
    assert_eq!(claims(&pair).len(), 2, "and it was taken");
}

#[test]
fn a_claim_that_a_newer_one_has_overtaken_may_be_refused() {
    let mut pair = Pair::opened(terms(400, 400));
    pair.seconds(1_300);
    let made = claims(&pair);
    assert_eq!(made.len(), 2);
    refuse(&mut pair, made[0]);
    pair.seconds(30);
    assert_eq!(claims(&pair), made);
}

#[test]
fn the_machine_is_free_before_the_receipt_is_waited_for() {
    let mut pair = Pair::opened(terms(100, 30));
    pair.seconds(15);
    pair.link = Link::Down;
    pair.give(Role::Payee, Input::Yield).unwrap();
    pair.seconds(29);
    let place = |wanted: fn(&Output) -> bool| {
        let mut log = pair.log.iter();
        log.position(|(role, output)| *role == Role::Payee && wanted(output))
    };
    let stopped = place(|output| *output == Output::StopWorker);
    let paid = place(|output| matches!(output, Output::Paid(_)));
    assert!(stopped.is_some() && stopped < paid, "{stopped:?} {paid:?}");
    assert!(place(|output| matches!(output, Output::Ended(_))) > paid);
}

#[test]
fn both_sides_know_until_when_the_work_goes_on_without_the_operator() {
    let mut pair = Pair::opened(terms(100, 30));
    pair.seconds(6);
    let until = pair.payee.proved_until();
    assert!(until.is_some_and(|until| until > pair.now));
    assert_eq!(pair.payer.proved_until(), until);
    let fresh = Pair::new(terms(100, 30));
    assert_eq!(fresh.payee.proved_until(), None, "no work has begun");
}
