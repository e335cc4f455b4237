//! Owns the test of a provider whose machine dies in the middle of a job.
//!
//! Never tells the consumer anything: it must find out.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{check_steps, newest, start};
use crate::credits;
use crate::market::{Market, Plan};
use crate::processes;
use crate::program;
use crate::purchase::{self, End, Purchase};

/// Within how long the consumer must know.
const KNOWN: Duration = Duration::from_secs(15);

/// Steps of the job.
const STEPS: u32 = 400;

#[test]
fn a_job_whose_provider_is_killed_goes_on_elsewhere_from_the_last_checkpoint_within_its_budget() {
    if !program::has_adapter() {
        return;
    }
    let mut market = Market::found(&Plan {
        prices: &["0.25", "0.3"],
        ..Plan::default()
    });
    let job = start(&market, STEPS);
    let chosen = job.wait_for_event(0, "chosen")["offer"]["row"]["node"].clone();
    let workers = market.provider_of(&chosen).kill();
    let killed = Instant::now();
    assert!(!workers.is_empty(), "the job ran in a process of its own");
    let lost = job.wait_for_event(0, "lost");
    let known = killed.elapsed();
    eprintln!("the consumer knew after {known:?}: {lost}");
    assert!(known <= KNOWN, "the consumer knew after {known:?}");
    processes::assert_gone(&workers, "the provider that was killed");
    let delivered = job.events();
    let refund = pending_refund(&market, &job);
    let moved = job.wait_for_event(0, "moved");
    assert_eq!(moved["attempt"], 2, "{moved}");
    assert_eq!(moved["from_step"].as_u64(), newest_checkpoint(&delivered));
    let end = job.end();
    check_end(&market, &end, refund);
    check_attempts(&market, &chosen, purchase::promised(&delivered));
}

/// The first attempt got no more than what was promised to it, the second was another's, and the budget covered
/// both.
fn check_attempts(market: &Market, chosen: &Value, promised: i128) {
    let attempts = market.consumer.json(&["describe", "latest"])["attempts"].clone();
    assert_eq!(attempts.as_array().map(Vec::len), Some(2), "{attempts}");
    assert_eq!(attempts[0]["provider"], *chosen, "{attempts}");
    assert_ne!(attempts[1]["provider"], *chosen, "{attempts}");
    let first = credits::of(&attempts[0]["paid"]);
    assert!(
        first <= promised,
        "{first} was paid and {promised} was promised: {attempts}"
    );
    let second = credits::of(&attempts[1]["deposit"]);
    assert!(first + second <= total(market), "{attempts}");
}

/// The most that the job may cost.
fn total(market: &Market) -> i128 {
    let budget = market.consumer.json(&["describe", "latest"])["budget"].clone();
    credits::of(&budget["total"])
}

/// The refund is announced, and shown until it arrives.
fn pending_refund(market: &Market, job: &Purchase) -> i128 {
    let announced = job.wait_for_event(0, "pending_refund");
    let amount = credits::of(&announced["amount"]);
    assert!(amount > 0 && announced["due_at"].is_u64(), "{announced}");
    let shown = newest(&market.consumer)["pending_refund"].clone();
    // It may have arrived before `ps` looked.
    assert!(
        shown.is_null() || credits::of(&shown["amount"]) == amount,
        "{shown}"
    );
    amount
}

/// Returns the step of the newest checkpoint that arrived.
fn newest_checkpoint(events: &[Value]) -> Option<u64> {
    let models = events.iter().filter(|event| purchase::is_model(event));
    let steps = models.filter_map(|event| {
        let (folder, _) = event["name"].as_str()?.split_once('/')?;
        folder.strip_prefix("step-")?.parse().ok()
    });
    steps.max()
}

/// The job completed with all its steps, within the budget, and all money is back where it belongs.
fn check_end(market: &Market, end: &End, refund: i128) {
    assert_eq!(end.done.code, Some(0), "{:?}", end.done);
    let last = end.last();
    assert_eq!(last["outcome"], "completed", "{last}");
    assert_eq!(last["attempts"], 2, "{last}");
    let is_moved = |event: &Value| event["event"] == "moved";
    let moved = end.events.iter().position(is_moved);
    let (before, after) = end.events.split_at(moved.expect("it moved"));
    let first_after = after.iter().find_map(purchase::step);
    let resumed = newest_checkpoint(before).map(|step| step + 1);
    assert_eq!(first_after, resumed, "the first step elsewhere");
    check_steps(after, STEPS);
    purchase::check_delivered(&end.events);
    let paid = credits::of(&last["paid"]);
    let total = total(market);
    assert!(paid > 0 && refund < total, "{last}");
    assert!(paid <= total, "{paid} was paid of {total}");
    assert_eq!(purchase::check_refund(market, 2), paid);
    // The ledger has paid it; the run hears of that a moment later.
    market.consumer.retry("the end of the refund", || {
        let after = newest(&market.consumer);
        let is_over = after["pending_refund"].is_null();
        is_over.then_some(()).ok_or(after.to_string())
    });
}
