//! Owns the tests of a link that is lost and comes back: once without a word, once with a reset.
//!
//! Never ends a process: both sides live all the time.

use std::time::{Duration, Instant};

use super::{
    SHORT_TICK_MS, check_outputs, check_price, check_steps, newest, sold, start, wait_for_earned,
};
use crate::credits;
use crate::market::{Links, Market, Plan};
use crate::program;
use crate::proxy::{BOTH, Proxy, Way};
use crate::purchase::{self, Purchase};

/// How long the link is lost.
const OUTAGE: Duration = Duration::from_secs(20);

/// Steps of the job.
const STEPS: u32 = 400;

#[test]
fn a_link_that_stalls_or_is_cut_for_20_s_pauses_the_lease_and_the_same_lease_goes_on() {
    if !program::has_adapter() {
        return;
    }
    let plan = Plan {
        links: Links::Proxied,
        tick_ms: SHORT_TICK_MS,
        ..Plan::default()
    };
    let market = Market::found(&plan);
    let job = start(&market, STEPS);
    let before = newest(&market.consumer);
    lose_the_link(&market, &job, |proxy| {
        BOTH.iter().for_each(|way| proxy.stall(*way));
    });
    lose_the_link(&market, &job, Proxy::cut);
    let end = job.end();
    assert_eq!(end.done.code, Some(0), "{:?}", end.done);
    let last = end.last();
    assert_eq!(last["outcome"], "completed", "{last}");
    assert_eq!(last["attempts"], 1, "{last}");
    assert_eq!(last["agreement"], before["agreement"], "{last}");
    check_steps(&end.events, STEPS);
    check_outputs(&end.events, STEPS);
    check_price(&last, &plan);
    let paid = credits::of(&last["paid"]);
    assert_eq!(purchase::check_refund(&market, 1), paid);
    wait_for_earned(&market, paid);
}

/// Breaks the link between the two sides for a while. The operator stays in reach of both.
fn lose_the_link(market: &Market, job: &Purchase, lose: impl Fn(&Proxy)) {
    let sides = [&market.provider, &market.consumer];
    let proxies = sides.map(|side| side.proxy.as_ref().expect("each side is behind a proxy"));
    let passed = |way: Way| proxies.map(|proxy| proxy.bytes(way)).iter().sum::<u64>();
    let seen = job.events().len();
    proxies.iter().for_each(|proxy| lose(proxy));
    let lost = Instant::now();
    let (forward, back) = (passed(Way::Forward), passed(Way::Back));
    job.wait_for_event(seen, "silent");
    eprintln!(
        "the consumer said after {:?} that it is silent",
        lost.elapsed()
    );
    market.consumer.retry("a note", || {
        let note = newest(&market.consumer)["note"].clone();
        let says_so = note.as_str().is_some_and(|note| note.contains("silent"));
        says_so.then_some(()).ok_or(note.to_string())
    });
    market.provider.retry("a pause for the whole outage", || {
        let lease = sold(&market.provider);
        assert!(!lease.is_null(), "the lease was given up");
        match lease["phase"] == "paused" && lost.elapsed() >= OUTAGE {
            true => Ok(()),
            false => Err(lease.to_string()),
        }
    });
    assert_eq!((passed(Way::Forward), passed(Way::Back)), (forward, back));
    proxies.iter().for_each(|proxy| proxy.heal());
    let healed = Instant::now();
    job.wait_for_event(seen, "back");
    job.wait_after(seen, "the job going on", |event| {
        (event["event"] == "phase" && event["phase"] == "running").then_some(())
    });
    eprintln!(
        "the job went on {:?} after the link was back",
        healed.elapsed()
    );
}
