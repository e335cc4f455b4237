//! Owns the measurement of how long an order takes to run where every link is as long as between continents.
//!
//! Never asserts a duration: the figure is for docs/measurements.

use std::time::Duration;

use serde_json::Value;

use super::BUDGET;
use crate::market::{Links, Market, Plan};
use crate::program;
use crate::proxy::{BOTH, Delay};
use crate::purchase::{self, Purchase};

/// How often it is measured.
const ORDERS: usize = 20;

#[test]
fn long_an_order_runs_where_a_round_trip_takes_100_ms() {
    if !program::has_adapter() {
        return;
    }
    let market = Market::found(&Plan {
        links: Links::Proxied,
        ..Plan::default()
    });
    let delay = Delay {
        fixed: Duration::from_millis(50),
        jitter: Duration::from_millis(5),
    };
    let nodes = [&market.operator, &market.provider, &market.consumer];
    for proxy in nodes.iter().filter_map(|node| node.proxy.as_ref()) {
        BOTH.iter().for_each(|way| proxy.delay(*way, delay));
    }
    let file = purchase::small_training(&market, 2, BUDGET);
    let mut measured: Vec<u64> = (0..ORDERS)
        .map(|number| order(&market, &file, number))
        .collect();
    measured.sort_unstable();
    let connections = nodes.iter().filter_map(|node| node.proxy.as_ref());
    assert!(connections.map(|proxy| proxy.connections()).sum::<u64>() >= 2);
    let (middle, late) = (measured[ORDERS / 2], measured[ORDERS * 95 / 100]);
    println!("order to first step at 100 ms: median {middle} ms, p95 {late} ms, all {measured:?}");
}

/// Buys a job of two steps and returns after how many milliseconds its first step was reported.
fn order(market: &Market, file: &str, number: usize) -> u64 {
    let output = market.folder.path().join(format!("out-{number}"));
    let end = Purchase::start(&market.consumer, file, &output).end();
    assert_eq!(end.done.code, Some(0), "{:?}", end.done);
    let is_step = |event: &&Value| purchase::step(event).is_some();
    let first = end.events.iter().find(is_step).expect("a step was made");
    first["at_ms"].as_u64().expect("reports carry their time")
}
