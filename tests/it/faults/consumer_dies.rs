//! Owns the tests of a consumer whose machine dies in the middle of a job: for good, or for a while.
//!
//! Never ends the provider.

use std::time::{Duration, Instant};

use super::{
    BUDGET, SHORT_TICK_MS, check_outputs, check_price, check_steps, earned, newest, sold, start,
    wait_for_earned,
};
use crate::credits;
use crate::market::{Links, Market, Plan};
use crate::processes;
use crate::program;
use crate::proxy::{BOTH, Delay};
use crate::purchase::{self, LIMIT, Purchase};

/// How long leases wait in the first test, in seconds.
const PATIENCE_S: u32 = 10;

/// Within how long the fate of an opening is known, where a block is made each second.
const OPENING: Duration = Duration::from_secs(150);

/// Steps of the jobs.
const STEPS: u32 = 400;

#[test]
fn a_provider_whose_consumer_dies_pauses_then_stops_and_claims_what_was_vouchered() {
    if !program::has_adapter() {
        return;
    }
    let plan = Plan {
        patience_s: Some(PATIENCE_S),
        tick_ms: SHORT_TICK_MS,
        ..Plan::default()
    };
    let mut market = Market::found(&plan);
    let job = start(&market, STEPS);
    let workers = market.provider.processes();
    market.consumer.kill();
    let killed = Instant::now();
    wait_for_pause(&market);
    eprintln!("the provider paused after {:?}", killed.elapsed());
    let end = job.end();
    assert_ne!(end.done.code, Some(0), "{:?}", end.done);
    market.provider.retry("the end of the lease", || {
        let lease = sold(&market.provider);
        let is_over = lease.is_null() || lease["phase"] == "closing";
        is_over.then_some(()).ok_or(lease.to_string())
    });
    let gave_up = killed.elapsed();
    eprintln!("the provider gave up after {gave_up:?}");
    let patience = Duration::from_secs(PATIENCE_S.into());
    assert!(
        (patience..2 * patience).contains(&gave_up),
        "the provider gave up after {gave_up:?}"
    );
    processes::assert_gone(&workers, "the lease that was given up");
    market.consumer.restart();
    market.consumer.run(&["cancel", "latest"]);
    let paid = purchase::check_refund(&market, 1);
    // The newest voucher may have been on its way, to the screen or to the provider, when the consumer died.
    let promised = purchase::promised(&end.events);
    let tick = credits::nano("0.25") * i128::from(plan.tick_ms) / 3_600_000 + 1;
    assert!(
        (promised - 2 * tick..=promised + 2 * tick).contains(&paid),
        "{promised} was promised and {paid} was paid"
    );
    purchase::check_delivered(&end.events);
}

#[test]
fn a_consumer_that_is_killed_and_restarted_goes_on_with_the_same_agreement() {
    if !program::has_adapter() {
        return;
    }
    let plan = Plan {
        tick_ms: SHORT_TICK_MS,
        ..Plan::default()
    };
    let mut market = Market::found(&plan);
    let job = start(&market, STEPS);
    let before = newest(&market.consumer);
    market.consumer.kill();
    wait_for_pause(&market);
    job.end();
    market.consumer.restart();
    let arguments = ["logs", "-f", "latest", "--json"];
    let follow = program::start(program::command(&market.consumer.home, &arguments));
    let done = follow.finish((LIMIT, "nightshift logs -f"));
    assert_eq!(done.code, Some(0), "{done:?}");
    let events = purchase::numbered_events(&done.stdout);
    let last = newest(&market.consumer);
    assert_eq!(last["outcome"], "completed", "{last}");
    assert_eq!(last["run"], before["run"], "{last}");
    assert_eq!(last["agreement"], before["agreement"], "{last}");
    assert_eq!(last["attempts"], 1, "{last}");
    check_steps(&events, STEPS);
    check_outputs(&events, STEPS);
    check_price(&last, &plan);
    let paid = credits::of(&last["paid"]);
    assert_eq!(purchase::check_refund(&market, 1), paid);
    wait_for_earned(&market, paid);
}

#[test]
fn a_consumer_that_is_killed_while_it_reserves_finds_the_agreement_when_it_starts_again() {
    if !program::has_adapter() {
        return;
    }
    let plan = Plan {
        links: Links::Proxied,
        ..Plan::default()
    };
    let mut market = Market::found(&plan);
    // What the provider answers arrives after the consumer is dead.
    let slow = Delay {
        fixed: Duration::from_secs(3),
        jitter: Duration::ZERO,
    };
    delay(&market, slow);
    let file = purchase::small_training(&market, STEPS, BUDGET);
    let job = Purchase::start(&market.consumer, &file, &market.folder.path().join("out"));
    job.wait_for_event(0, "chosen");
    market.provider.retry("a reservation", || {
        let lease = sold(&market.provider);
        (!lease.is_null()).then_some(()).ok_or(lease.to_string())
    });
    market.consumer.kill();
    let end = job.end();
    let opened = end.events.iter().any(|event| event["event"] == "opened");
    assert!(!opened, "the consumer had not heard of the opening");
    delay(&market, Delay::default());
    market.consumer.restart();
    let follow = program::command(&market.consumer.home, &["logs", "-f", "latest", "--json"]);
    let done = program::start(follow).finish((LIMIT, "nightshift logs -f"));
    assert_eq!(done.code, Some(0), "{done:?}");
    let last = newest(&market.consumer);
    assert_eq!(last["outcome"], "completed", "{last}");
    assert_eq!(last["attempts"], 1, "{last}");
    let events = purchase::numbered_events(&done.stdout);
    check_steps(&events, STEPS);
    // One channel was opened, and what it cost is what the run says.
    let paid = credits::of(&last["paid"]);
    assert_eq!(purchase::check_refund(&market, 1), paid);
    wait_for_earned(&market, paid);
}

#[test]
fn an_agreement_that_opened_and_closed_while_the_consumer_was_down_is_counted() {
    if !program::has_adapter() {
        return;
    }
    let plan = Plan {
        links: Links::Proxied,
        patience_s: Some(PATIENCE_S),
        ..Plan::default()
    };
    let mut market = Market::found(&plan);
    // What the provider answers arrives after the consumer is dead.
    let slow = Delay {
        fixed: Duration::from_secs(3),
        jitter: Duration::ZERO,
    };
    delay(&market, slow);
    let file = purchase::small_training(&market, STEPS, BUDGET);
    let job = Purchase::start(&market.consumer, &file, &market.folder.path().join("out"));
    job.wait_for_event(0, "chosen");
    market.provider.retry("a reservation", || {
        let lease = sold(&market.provider);
        (!lease.is_null()).then_some(()).ok_or(lease.to_string())
    });
    market.consumer.kill();
    job.end();
    delay(&market, Delay::default());
    // The provider loses its patience, closes, and takes the tick that the opening prepaid.
    market.provider.retry("what was earned", || {
        let lease = sold(&market.provider);
        let is_paid = lease.is_null() && earned(&market.provider) > 0;
        is_paid.then_some(()).ok_or(lease.to_string())
    });
    market.consumer.restart();
    let last = market.consumer.retry("the end of the run", || {
        let last = newest(&market.consumer);
        let is_over = last["outcome"].is_string();
        is_over.then(|| last.clone()).ok_or(last.to_string())
    });
    assert_eq!(last["attempts"], 1, "{last}");
    let paid = credits::of(&last["paid"]);
    assert!(paid > 0, "{last}");
    assert_eq!(purchase::check_refund(&market, 1), paid);
    wait_for_earned(&market, paid);
}

#[test]
fn long_a_reservation_that_nobody_received_is_forgotten_after_a_restart() {
    if !program::has_adapter() {
        return;
    }
    let plan = Plan {
        links: Links::Proxied,
        ..Plan::default()
    };
    let mut market = Market::found(&plan);
    let proxy = market.provider.proxy.as_ref().expect("it has one");
    BOTH.iter().for_each(|way| proxy.stall(*way));
    let proxy = market.consumer.proxy.as_ref().expect("it has one");
    BOTH.iter().for_each(|way| proxy.stall(*way));
    let file = purchase::small_training(&market, STEPS, BUDGET);
    let job = Purchase::start(&market.consumer, &file, &market.folder.path().join("out"));
    let run = job.wait_for_event(0, "requested")["run"].clone();
    let run = run.as_str().expect("a run has a name").to_owned();
    job.wait_for_event(0, "chosen");
    market.provider.kill();
    market.consumer.kill();
    job.end();
    market.consumer.restart();
    // It was on disk, or nothing would be looked up.
    market.consumer.retry("the note that it is looked up", || {
        let told = market.consumer.run(&["logs", &run]);
        let is_looked_up = told.stdout.contains("whether an agreement came of it");
        is_looked_up.then_some(()).ok_or(format!("{told:?}"))
    });
    // An opening can be submitted for 60 blocks; until then nobody may say that it never will be.
    market
        .consumer
        .retry_within(OPENING, "the end of the run", || {
            let described = market.consumer.run(&["describe", &run]);
            let is_gone = described
                .stderr
                .contains("this node has bought nothing yet");
            is_gone.then_some(()).ok_or(format!("{described:?}"))
        });
    assert_eq!(purchase::check_refund(&market, 0), 0);
}

/// Delays whatever the provider and the consumer say to each other.
fn delay(market: &Market, delay: Delay) {
    for side in [&market.provider, &market.consumer] {
        let proxy = side.proxy.as_ref().expect("each side is behind a proxy");
        BOTH.iter().for_each(|way| proxy.delay(*way, delay));
    }
}

/// Waits until the provider has paused for want of a voucher.
fn wait_for_pause(market: &Market) {
    market.provider.retry("a pause", || {
        let lease = sold(&market.provider);
        assert!(!lease.is_null(), "the lease was given up at once");
        let is_paused = lease["phase"] == "paused";
        is_paused.then_some(()).ok_or(lease.to_string())
    });
}
