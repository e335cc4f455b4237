//! Owns the tests of providers that cheat: each costs its buyer a few ticks at most, and the work moves on.
//!
//! Never asks for more patience than 5 s, which the buyer of these tests has.

use std::time::Duration;

use market::agreement::Meter;
use market::lease::{Artefact, Message};
use market::voucher::Voucher;
use market::{Amount, BlobHash, Signed};
use market_node::lease_protocol::LeaseResponse;
use market_node::ledger::client::LedgerError;

use super::seller::Sold;
use super::stage::Stage;
use super::stranger::Lie;
use crate::program;

/// What each job may cost: enough for the honest provider.
const BUDGET: &str = "total = \"0.2\"";

/// The same, where at most three ticks are paid before something is delivered.
const CAREFUL: &str = "total = \"0.2\"\ndelivery_ticks = 3";

/// Why a provider is given up that does nothing: which of its shortcomings is noticed first, is up to time.
const GIVEN_UP: &[&str] = &[
    "silent",
    "not begun",
    "nothing has come",
    "nothing was delivered",
    "stopped the job",
];

/// How often a cheat says something.
const OFTEN: Duration = Duration::from_millis(300);

#[test]
fn providers_that_cheat_cost_a_few_ticks_and_the_work_moves_on() {
    if !program::has_adapter() {
        return;
    }
    let stage = Stage::build();
    one_that_never_starts(&stage);
    one_that_takes_vouchers_and_delivers_nothing(&stage);
    one_whose_outputs_are_something_else(&stage);
    one_whose_meter_runs_too_fast(&stage);
    one_that_claims_more_than_it_has(&stage);
    one_that_is_busy_only_in_words(&stage);
    an_opening_that_lands_late_comes_back(&stage);
    let audit = stage.market.operator.json(&["operator", "status"])["audit"].clone();
    assert_eq!(audit["conserved"], true, "{audit}");
}

/// What so many ticks cost under what was sold.
fn ticks(sold: &Sold, count: u16) -> Amount {
    let rates = &sold.terms.rates;
    let meter = Meter {
        running_ms: u64::from(rates.tick_ms) * u64::from(count),
        hold_ms: 0,
    };
    rates.due(meter).expect("a few ticks")
}

/// Countersigns, and is silent from then on. Costs the first tick, which the opening pays.
fn one_that_never_starts(stage: &Stage) {
    let (purchase, (cheat, paid, limit)) = stage.play("sleeper", BUDGET, |mut sold| async move {
        let paid = sold.until_closed().await;
        (sold.stranger.node(), paid, ticks(&sold, 1))
    });
    eprintln!("never starts: paid {paid}, at most one tick, {limit}");
    assert!(paid <= limit, "{paid} was paid, more than {limit}");
    purchase.moved_on(stage, cheat, GIVEN_UP);
}

/// Says that it works, at the rate that is believed, and closes with what it got.
fn one_that_takes_vouchers_and_delivers_nothing(stage: &Stage) {
    let script = |mut sold: Sold| async move {
        sold.pretend_begun().await;
        loop {
            let meter = sold.full_meter();
            sold.pretend_running(meter).await;
            let answer = sold.ask_for(meter).await;
            sold.hear(OFTEN).await;
            if answer != Some(LeaseResponse::Acknowledged) {
                break;
            }
        }
        let _closed_already = sold.close(sold.vouchers.last().cloned()).await;
        let paid = sold.until_closed().await;
        (sold.stranger.node(), paid, ticks(&sold, 3))
    };
    let (purchase, (cheat, paid, limit)) = stage.play("taker", CAREFUL, script);
    eprintln!("takes vouchers, delivers nothing: paid {paid}, at most three ticks, {limit}");
    assert!(paid <= limit, "{paid} was paid, more than {limit}");
    assert!(purchase.promised_first() <= i128::from(limit.nanocredits()));
    purchase.moved_on(stage, cheat, GIVEN_UP);
}

/// Announces an output, and gives other bytes under its hash.
fn one_whose_outputs_are_something_else(stage: &Stage) {
    let script = |mut sold: Sold| async move {
        let hash = BlobHash::of(b"what was promised");
        sold.stranger.lie_about(hash, Lie::Garbage);
        sold.pretend_begun().await;
        sold.pretend_running(sold.full_meter()).await;
        let artefact = Artefact {
            index: 0,
            name: "step-000001/model.safetensors".to_owned(),
            hash,
            bytes: 20_000,
        };
        sold.say(Message::Artefact(artefact)).await;
        let mut is_heard = true;
        while is_heard && !sold.cancelled {
            let meter = sold.full_meter();
            is_heard = sold.pretend_running(meter).await == Some(LeaseResponse::Acknowledged);
            sold.hear(OFTEN).await;
        }
        let paid = sold.until_closed().await;
        (sold.stranger.node(), paid, ticks(&sold, 3))
    };
    let (purchase, (cheat, paid, limit)) = stage.play("forger", CAREFUL, script);
    eprintln!("outputs that do not match: paid {paid}, at most three ticks, {limit}");
    assert!(paid <= limit, "{paid} was paid, more than {limit}");
    purchase.moved_on(stage, cheat, &["not right"]);
}

/// States ten times the time that has passed. Not one voucher is signed for that.
fn one_whose_meter_runs_too_fast(stage: &Stage) {
    let script = |mut sold: Sold| async move {
        sold.pretend_begun().await;
        let (mut refusals, mut tries) = (0, 0);
        // The payer knows the lease a moment after its provider does, and no longer once it has closed.
        while tries < 5 || refusals > 0 {
            tries += 1;
            let honest = sold.full_meter();
            let meter = Meter {
                running_ms: honest.running_ms * 10 + 60_000,
                ..honest
            };
            match sold.ask_for(meter).await {
                Some(LeaseResponse::Rejected(reason)) if reason.contains("meter") => {
                    refusals += 1;
                }
                Some(LeaseResponse::Acknowledged) => panic!("the meter was believed"),
                _ if refusals > 0 => break,
                _ => {}
            }
            sold.hear(OFTEN).await;
        }
        let paid = sold.until_closed().await;
        assert!(
            refusals > 0 && sold.vouchers.is_empty(),
            "vouchers were signed"
        );
        (sold.stranger.node(), paid, ticks(&sold, 1))
    };
    let (purchase, (cheat, paid, limit)) = stage.play("racer", BUDGET, script);
    eprintln!("a meter ten times too fast: paid {paid}, at most one tick, {limit}");
    assert!(paid <= limit, "{paid} was paid, more than {limit}");
    purchase.moved_on(stage, cheat, GIVEN_UP);
}

/// Works for two vouchers, then asks the ledger for the whole deposit.
fn one_that_claims_more_than_it_has(stage: &Stage) {
    let script = |mut sold: Sold| async move {
        sold.pretend_begun().await;
        while sold.vouchers.len() < 2 {
            let meter = sold.full_meter();
            sold.pretend_running(meter).await;
            sold.ask_for(meter).await;
            sold.hear(OFTEN).await;
        }
        for forged in forgeries(&sold) {
            let refused = sold.close(Some(forged)).await;
            assert!(
                matches!(refused, Err(LedgerError::Rejected(_))),
                "a forged voucher closed the channel: {refused:?}"
            );
        }
        let newest = sold.vouchers.last().cloned().expect("two vouchers");
        let promised = newest.verify(&sold.stranger.chain).expect("the payer's");
        sold.close(Some(newest))
            .await
            .expect("a good voucher closes");
        let paid = sold.until_closed().await;
        (sold.stranger.node(), paid, promised.value.cumulative)
    };
    let (purchase, (cheat, paid, promised)) = stage.play("claimer", BUDGET, script);
    eprintln!("claims the deposit: paid {paid}, which is what was promised, {promised}");
    assert_eq!(paid, promised);
    purchase.moved_on(stage, cheat, GIVEN_UP);
}

/// Vouchers for the whole deposit: of the payee's own making, and for another channel.
fn forgeries(sold: &Sold) -> Vec<Signed<Voucher>> {
    let stranger = &sold.stranger;
    let whole = sold.terms.deposit;
    let own = stranger.voucher(sold.channel, 99, whole);
    let mut bytes = market::wire::encode(sold.vouchers.last().expect("two vouchers"));
    // Somewhere in these bytes lies the sum; whichever byte is changed, the signature does not cover it.
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let changed = market::wire::decode(&bytes, 1 << 10);
    [Some(own), changed.ok()].into_iter().flatten().collect()
}

/// Says that its GPU is taken, keeps the signed opening, and submits it later.
fn one_that_is_busy_only_in_words(stage: &Stage) {
    let (peer, mut inbox) = stage.cheat("liar");
    let stranger = peer.stranger.clone();
    let kept = peer.begin(async move { stranger.pretend_busy(&mut inbox).await });
    let purchase = stage.buy("liar", BUDGET);
    let refused = purchase.event("refused")["reason"].to_string();
    assert!(refused.contains("taken"), "{refused}");
    assert_eq!(purchase.done.code, Some(0), "{}", purchase.done.stderr);
    let kept = peer.act(kept).expect("the stranger was asked");
    let (_, open) = peer.stranger.countersign(&kept);
    let late = peer.act(peer.stranger.ledger.submit(&open));
    assert!(
        matches!(late, Err(LedgerError::Rejected(_))),
        "the number of an opening was used twice: {late:?}"
    );
    stage.leave(peer);
}

/// The same where nobody else sells: the late opening is taken by the ledger, and the buyer closes it.
fn an_opening_that_lands_late_comes_back(stage: &Stage) {
    let (peer, mut inbox) = stage.cheat("hoarder");
    let stranger = peer.stranger.clone();
    let kept = peer.begin(async move { stranger.pretend_busy(&mut inbox).await });
    let only_the_cheap = "total = \"0.2\"\nmax_price = \"0.05\"";
    let purchase = stage.buy("hoarder", only_the_cheap);
    assert_ne!(purchase.done.code, Some(0), "nobody ran this job");
    let kept = peer.act(kept).expect("the stranger was asked");
    let (terms, open) = peer.stranger.countersign(&kept);
    let late = peer.act(peer.stranger.ledger.submit(&open));
    late.expect("the only opening of its number is taken");
    let consumer = &stage.market.consumer;
    consumer.retry("the deposit", || {
        let balance = consumer.json(&["wallet", "balance"]);
        match balance["in_channels"].as_str() {
            Some("0") => Ok(()),
            _ => Err(balance.to_string()),
        }
    });
    let channel = terms.channel_id(&peer.stranger.chain);
    let paid = peer.act(peer.stranger.claimed(channel));
    let tick = terms.rates.first_tick().expect("a tick is an amount");
    eprintln!("busy in words, with the deposit in hand: paid {paid}, the first tick");
    assert_eq!(paid, tick, "the rest of the deposit is back");
    stage.leave(peer);
}
