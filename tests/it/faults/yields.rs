//! Owns the test of a provider who wants the machine back in the middle of a job.
//!
//! Never ends a process by itself.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{check_steps, start, wait_for_earned};
use crate::credits;
use crate::market::{Market, Plan};
use crate::program;
use crate::purchase;

/// Steps of the job.
const STEPS: u32 = 400;

#[test]
fn a_job_whose_provider_yields_is_gone_at_once_is_paid_and_goes_on_elsewhere() {
    if !program::has_adapter() {
        return;
    }
    let mut market = Market::found(&Plan {
        prices: &["0.25", "0.3"],
        ..Plan::default()
    });
    let job = start(&market, STEPS);
    let chosen = job.wait_for_event(0, "chosen")["offer"]["row"]["node"].clone();
    let yielding = market.provider_of(&chosen);
    let workers = yielding.processes();
    assert!(!workers.is_empty(), "the job ran in a process of its own");
    let watched = workers.clone();
    let pressed = Instant::now();
    let watch = std::thread::spawn(move || {
        let gone = |process: &crate::processes::Process| process.is_gone_within(purchase::LIMIT);
        watched.iter().all(gone).then(|| pressed.elapsed())
    });
    yielding.post("/v1/provider/pause", &json!({}));
    let gone = watch.join().expect("watching ends");
    let gone = gone.expect("the worker is gone");
    eprintln!("the worker was gone {} ms after the key", gone.as_millis());
    assert!(gone < Duration::from_secs(2), "the game waited {gone:?}");
    let moved = job.wait_for_event(0, "moved");
    let end = job.end();
    assert_eq!(end.done.code, Some(0), "{:?}", end.done);
    let last = end.last();
    assert_eq!(last["outcome"], "completed", "{last}");
    assert_eq!(last["attempts"], 2, "{last}");
    let after = end.events.iter().skip_while(|event| **event != moved);
    let after: Vec<serde_json::Value> = after.cloned().collect();
    let from = moved["from_step"].as_u64();
    assert_eq!(
        after.iter().find_map(purchase::step),
        from.map(|step| step + 1)
    );
    check_steps(&after, STEPS);
    purchase::check_delivered(&end.events);
    let paid = credits::of(&last["paid"]);
    assert_eq!(purchase::check_refund(&market, 2), paid);
    wait_for_earned(&market, paid);
    assert!(
        market
            .providers()
            .all(|provider| super::earned(provider) > 0)
    );
}
