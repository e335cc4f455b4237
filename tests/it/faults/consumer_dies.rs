//! Owns the tests of a consumer whose machine dies in the middle of a job: for good, or for a while.
//!
//! Never ends the provider.

use std::time::{Duration, Instant};

use super::{
    SHORT_TICK_MS, check_outputs, check_price, check_steps, newest, sold, start, wait_for_earned,
};
use crate::credits;
use crate::market::{Market, Plan};
use crate::processes;
use crate::program;
use crate::purchase::{self, LIMIT};

/// How long leases wait in the first test, in seconds.
const PATIENCE_S: u32 = 10;

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
    // The newest voucher may have been on its way to the screen when the consumer died.
    let promised = purchase::promised(&end.events);
    let tick = credits::nano("0.25") * i128::from(plan.tick_ms) / 3_600_000 + 1;
    assert!(
        (promised..=promised + 2 * tick).contains(&paid),
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

/// Waits until the provider has paused for want of a voucher.
fn wait_for_pause(market: &Market) {
    market.provider.retry("a pause", || {
        let lease = sold(&market.provider);
        assert!(!lease.is_null(), "the lease was given up at once");
        let is_paused = lease["phase"] == "paused";
        is_paused.then_some(()).ok_or(lease.to_string())
    });
}
