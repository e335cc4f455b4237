//! Owns the tests of an operator that dies and comes back, or stays away for a while.
//!
//! Never ends anybody else.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{
    BUDGET, check_outputs, check_price, check_steps, newest, sold, start, wait_for_earned,
};
use crate::credits;
use crate::market::{Market, Plan};
use crate::program;
use crate::purchase::{self, End, Purchase};

/// One provider works and offers nothing meanwhile; the other one's offer stands.
const TWO: [&str; 2] = ["0.25", "0.3"];

/// Steps of the short jobs.
const STEPS: u32 = 400;

#[test]
fn an_operator_that_is_killed_and_restarted_loses_nothing_and_the_job_goes_on() {
    if !program::has_adapter() {
        return;
    }
    let plan = Plan::default();
    let mut market = Market::found(&plan);
    let job = start(&market, STEPS);
    let height = |market: &Market| market.operator.json(&["operator", "status"])["height"].as_u64();
    let (before, locked) = (
        height(&market),
        market.consumer.json(&["wallet", "balance"]),
    );
    market.operator.kill();
    market.operator.restart();
    assert!(height(&market) >= before, "a block was lost");
    let after = market.consumer.retry("the balance", || {
        let asked = market.consumer.run(&["wallet", "balance", "--json"]);
        serde_json::from_str::<Value>(&asked.stdout).map_err(|_| asked.stderr)
    });
    assert_eq!(
        after["in_channels"], locked["in_channels"],
        "the deposit was lost"
    );
    check_completed(&market, &job.end(), &plan);
}

#[test]
fn while_the_operator_is_away_a_running_job_goes_on_and_says_so_and_the_book_shows_its_offers() {
    if !program::has_adapter() {
        return;
    }
    // The channel is proved open again every quarter of this, so work goes on without a proof for as long.
    let plan = Plan {
        prices: &TWO,
        challenge_s: 600,
        ..Plan::default()
    };
    let mut market = Market::found(&plan);
    let end = outlast(&mut market, Duration::from_secs(20));
    settle(&market, &end, &plan);
}

#[test]
fn long_an_operator_that_is_away_for_ten_minutes_stops_no_running_job() {
    if !program::has_adapter() {
        return;
    }
    let plan = Plan {
        prices: &TWO,
        challenge_s: 3_600,
        tick_ms: 10_000,
        ..Plan::default()
    };
    let mut market = Market::found(&plan);
    let end = outlast(&mut market, Duration::from_secs(600));
    settle(&market, &end, &plan);
}

/// Takes the operator away for a while from a job that is longer than that, and cancels the job afterwards.
fn outlast(market: &mut Market, absence: Duration) -> End {
    let file = purchase::long_training(market);
    let job = Purchase::start(&market.consumer, &file, &market.folder.path().join("out"));
    job.wait_for_step(50);
    market.operator.kill();
    let away = Away::begin(market, &job);
    away.last(absence);
    away.refuses_new_purchases();
    market.operator.restart();
    let consumer = &market.consumer;
    consumer.retry("the operator", || {
        let balance = consumer.run(&["wallet", "balance", "--json"]);
        let is_there = balance.code == Some(0);
        is_there.then_some(()).ok_or(balance.stderr)
    });
    job.interrupt();
    let end = job.end();
    assert_eq!(end.last()["outcome"], "cancelled", "{:?}", end.done);
    end
}

/// A time without the operator.
struct Away<'a> {
    market: &'a Market,
    job: &'a Purchase,
    since: Instant,
    /// Events of the job that came before it.
    seen: usize,
}

impl<'a> Away<'a> {
    fn begin(market: &'a Market, job: &'a Purchase) -> Self {
        Self {
            market,
            job,
            since: Instant::now(),
            seen: job.events().len(),
        }
    }

    /// Looks until `duration` has passed: the offers stand, the lease is kept, steps are made, and the consumer
    /// says what is the matter.
    fn last(&self, duration: Duration) {
        let consumer = &self.market.consumer;
        let begun = self.job.events().iter().filter_map(purchase::step).max();
        consumer.retry_within(2 * duration, "the end of the absence", || {
            let book = consumer.json(&["market", "book"]);
            assert_eq!(book["asks"].as_array().map(Vec::len), Some(1), "{book}");
            let leases = self.market.providers().map(sold);
            let lease = leases.into_iter().find(|lease| !lease.is_null());
            let lease = lease.expect("the lease is kept");
            assert_eq!(lease["phase"], "running", "{lease}");
            let is_over = self.since.elapsed() >= duration;
            is_over.then_some(()).ok_or(lease.to_string())
        });
        let now = self
            .job
            .events()
            .iter()
            .skip(self.seen)
            .filter_map(purchase::step)
            .max();
        assert!(now > begun, "no step was made since {begun:?}");
        consumer.retry("a note", || {
            let note = newest(consumer)["note"].clone();
            let says_so = note.as_str().is_some_and(|note| note.contains("operator"));
            says_so.then_some(()).ok_or(note.to_string())
        });
    }

    /// A new job cannot be bought, and the person is told why.
    fn refuses_new_purchases(&self) {
        let file = purchase::small_training(self.market, 10, BUDGET);
        let out = self.market.folder.path().join("other");
        let out = out.to_str().expect("temporary paths are UTF-8");
        let arguments = ["run", &file, "--yes", "--json", "-o", out];
        let done = self.market.consumer.run(&arguments);
        assert_ne!(done.code, Some(0), "{done:?}");
        assert!(done.stderr.contains("operator"), "{}", done.stderr);
    }
}

fn check_completed(market: &Market, end: &End, plan: &Plan) {
    assert_eq!(end.done.code, Some(0), "{:?}", end.done);
    check_steps(&end.events, STEPS);
    check_outputs(&end.events, STEPS);
    settle(market, end, plan);
}

/// What was metered is paid, the rest is back, and all money adds up.
fn settle(market: &Market, end: &End, plan: &Plan) {
    let last = end.last();
    assert_eq!(last["attempts"], 1, "{last}");
    check_price(&last, plan);
    let paid = credits::of(&last["paid"]);
    assert_eq!(purchase::check_refund(market, 1), paid);
    wait_for_earned(market, paid);
}
