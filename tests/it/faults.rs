//! Owns the tests of what happens when machines die and links break, on markets of real processes.
//!
//! Never looks inside a process: it sees what a person or a script sees.

mod consumer_dies;
mod damaged_store;
mod latency;
mod link;
mod operator_away;
mod provider_dies;
mod yields;

use serde_json::Value;

use crate::credits;
use crate::market::{Market, Plan};
use crate::node::Node;
use crate::purchase::{self, Purchase};

/// What each job may cost: enough for the slowest machine, and for short ticks.
const BUDGET: &str = "total = \"0.5\"\ndelivery_ticks = 300";

/// Ticks so short that a provider without vouchers pauses before the fastest machine is done.
const SHORT_TICK_MS: u32 = 200;

/// Buys a training of `steps` steps for the market's first consumer and returns once two checkpoints have come.
fn start(market: &Market, steps: u32) -> Purchase {
    let file = purchase::small_training(market, steps, BUDGET);
    let output = market.folder.path().join("out");
    let job = Purchase::start(&market.consumer, &file, &output);
    job.wait_for_step(2 * purchase::CHECKPOINT_EVERY + 5);
    job.wait_for_checkpoint();
    job
}

/// Returns the newest run of a consumer.
fn newest(consumer: &Node) -> Value {
    let jobs = consumer.json(&["ps", "--all"]);
    jobs[0].clone()
}

/// Returns the lease that a provider sells now; null where it sells none.
fn sold(provider: &Node) -> Value {
    provider.json(&["status"])["provider"]["lease"].clone()
}

/// Returns what a provider has earned.
fn earned(provider: &Node) -> i128 {
    credits::of(&provider.json(&["status"])["provider"]["earned"])
}

/// Waits until the providers that live have noted what was paid as earned, and no more.
fn wait_for_earned(market: &Market, paid: i128) {
    market.provider.retry("what was earned", || {
        let earned: i128 = market.providers().map(earned).sum();
        assert!(earned <= paid, "{earned} was earned where {paid} was paid");
        let is_noted = earned == paid;
        is_noted.then_some(()).ok_or(format!("{earned} of {paid}"))
    });
}

/// The steps of a run are reported in order and none twice, up to the last one.
fn check_steps(events: &[Value], steps: u32) {
    let reported: Vec<u64> = events.iter().filter_map(purchase::step).collect();
    assert!(
        reported.is_sorted_by(|step, next| step < next),
        "steps came twice or out of order: {reported:?}"
    );
    assert_eq!(reported.last(), Some(&u64::from(steps)));
}

/// Every checkpoint came, each once, and the trained model after them.
fn check_outputs(events: &[Value], steps: u32) {
    purchase::check_delivered(events);
    let models = events.iter().filter(|event| purchase::is_model(event));
    let names: Vec<&str> = models.filter_map(|event| event["name"].as_str()).collect();
    let every = usize::try_from(purchase::CHECKPOINT_EVERY).expect("a small number");
    let steps = usize::try_from(steps).expect("a small number");
    let checkpoints = (every..steps).step_by(every);
    let wanted = checkpoints.map(|step| format!("step-{step:06}/model.safetensors"));
    let wanted: Vec<String> = wanted.chain(["model.safetensors".to_owned()]).collect();
    assert_eq!(names, wanted);
}

/// What was paid is what the metered time costs, and at most two prepaid ticks more.
fn check_price(view: &Value, plan: &Plan) {
    let price = credits::of(&view["price_per_hour"]);
    let meter = |name: &str| {
        let reading = view["meter"][name].as_u64();
        i128::from(reading.unwrap_or_else(|| panic!("no {name} in {view}")))
    };
    // Pauses cost a quarter, and a started billionth is a whole one.
    let weighted = meter("running_ms") * 10_000 + meter("hold_ms") * 2_500;
    let due = (price * weighted + 35_999_999_999) / 36_000_000_000;
    let ticks = 2 * price * i128::from(plan.tick_ms) / 3_600_000 + 2;
    let paid = credits::of(&view["paid"]);
    assert!(
        (due..=due + ticks).contains(&paid),
        "{paid} was paid where {due} was due: {view}"
    );
}
