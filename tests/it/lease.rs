//! Owns the tests of a lease that ends early where nobody else sells: the provider vanishes, or wants its machine
//! back.
//!
//! Never waits for a training to end: both jobs are longer than any limit.

use serde_json::{Value, json};

use crate::credits;
use crate::market::{Market, Plan};
use crate::processes;
use crate::program;
use crate::purchase::{self, Purchase};

/// A job that would run for an hour where there is no GPU, with a checkpoint every few steps.
const TRAIN: &str = "steps = 3000\ncheckpoint_every = 3\nlog_every = 1";

/// The exit code of a run whose provider is gone and which nobody else took over.
const NOBODY_ELSE: i32 = 6;

/// What it may cost and how long it may take: enough for the slowest machine.
const BUDGET: &str = "total = \"2\"\n[limits]\nwall_clock_s = 80000";

/// How long a lease waits for a silent other side, and a run for another provider, in seconds.
const PATIENCE_S: u32 = 6;

fn market() -> Market {
    Market::found(&Plan {
        patience_s: Some(PATIENCE_S),
        ..Plan::default()
    })
}

/// Buys a long job and returns once its first checkpoint has arrived.
fn start(market: &Market) -> Purchase {
    let file = market.train_job("long.toml", TRAIN, BUDGET);
    let job = Purchase::start(&market.consumer, &file, &market.folder.path().join("out"));
    job.wait_for_checkpoint();
    job
}

#[test]
fn pausing_yields_the_job_at_once_and_what_was_done_is_paid() {
    if !program::has_adapter() {
        return;
    }
    let market = market();
    let job = start(&market);
    market.provider.post("/v1/provider/pause", &json!({}));
    let end = job.end();
    let (done, last) = (&end.done, end.last());
    assert_eq!(
        (done.code, &last["outcome"]),
        (Some(NOBODY_ELSE), &"lost".into()),
        "{done:?}"
    );
    let run = market.consumer.json(&["describe", "latest"]);
    assert_eq!(run["attempts"][0]["outcome"], "yielded", "{run}");
    let told = "no other took the job over";
    assert!(done.stderr.contains(told), "{}", done.stderr);
    let paid = credits::of(&last["paid"]);
    assert!(paid > 0 && last["receipt"] == true, "{last}");
    assert_eq!(
        paid + credits::of(&last["refunded"]),
        credits::of(&last["deposit"])
    );
    purchase::check_delivered(&end.events);
    assert_eq!(purchase::check_refund(&market, 1), paid);
    check_provider(&market, paid);
}

/// The provider has earned what was paid, offers nothing while it is paused, and offers again after it.
fn check_provider(market: &Market, paid: i128) {
    let provider = market.provider.json(&["status"]);
    assert_eq!(provider["provider"]["state"], "paused", "{provider}");
    assert_eq!(credits::of(&provider["provider"]["earned"]), paid);
    market.wait_for_offers(&market.consumer, 0);
    let resumed: Value = market.provider.post("/v1/provider/resume", &json!({}));
    assert_eq!(resumed["state"], "waiting", "{resumed}");
}

#[test]
fn a_provider_that_vanishes_keeps_no_more_than_it_was_promised() {
    if !program::has_adapter() {
        return;
    }
    let mut market = market();
    let job = start(&market);
    let workers = market.provider.kill();
    assert!(!workers.is_empty(), "the job ran in a process of its own");
    processes::assert_gone(&workers, "the provider that vanished");
    let end = job.end();
    let (done, last) = (&end.done, end.last());
    assert_eq!(
        (done.code, &last["outcome"]),
        (Some(NOBODY_ELSE), &"lost".into()),
        "{done:?}"
    );
    let paid = credits::of(&last["paid"]);
    let promised = purchase::promised(&end.events);
    assert!(
        paid <= promised,
        "{paid} was paid and {promised} was promised: {last}"
    );
    assert_eq!(last["receipt"], false, "nobody was there to sign");
    assert_eq!(
        paid + credits::of(&last["refunded"]),
        credits::of(&last["deposit"])
    );
    purchase::check_delivered(&end.events);
    assert_eq!(purchase::check_refund(&market, 1), paid);
}
