//! Owns the tests of an operator that dies and comes back, or stays away for a while.
//!
//! Never ends anybody else.

use serde_json::Value;

use super::{check_outputs, check_price, check_steps, earned, start};
use crate::credits;
use crate::market::{Market, Plan};
use crate::program;
use crate::purchase::{self, End};

/// Steps of the short jobs.
const STEPS: u32 = 600;

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
    purchase::check_refund(market, paid, 1);
    assert_eq!(market.providers().map(earned).sum::<i128>(), paid);
}
