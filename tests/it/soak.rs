//! Owns the soak: four providers and four consumers, many small jobs, and accidents all the while.
//!
//! Never measures speed, and never forgets: what a run of it leaves in money, processes, files and memory is
//! counted at the end. One seed decides which accidents come in which order; when they meet a job is up to the
//! machine.
//!
//! ```text
//!   four threads that buy ──► nightshift run ──► four consumers ◄─proxy─► four providers
//!   this thread ──► kills, cuts, stalls, pauses ──► any of them and the operator
//!               ──► readings of memory and files ──► the summary
//! ```

mod accidents;
mod blocks;
mod buyers;
mod leftovers;
mod readings;
mod summary;

use std::time::{Duration, Instant};

use accidents::Accidents;
use buyers::Buyers;
use leftovers::Before;
use readings::Readings;
use summary::Summary;

use crate::market::{Links, Market, Plan};
use crate::program;

/// Jobs of a whole soak, unless `NIGHTSHIFT_SOAK_JOBS` says otherwise.
const JOBS: u32 = 200;

/// What decides the accidents, unless `NIGHTSHIFT_SOAK_SEED` says otherwise.
const SEED: u64 = 20_261_120;

/// How often the processes are looked at.
const LOOK: Duration = Duration::from_secs(2);

/// How long all money may take to be settled after the last job.
const SETTLE: Duration = Duration::from_secs(180);

#[test]
fn soak_of_four_providers_and_four_consumers() {
    soak(setting("NIGHTSHIFT_SOAK_JOBS", JOBS));
}

#[test]
fn long_ten_jobs_among_accidents_leave_nothing_behind() {
    soak(10);
}

fn setting<T: std::str::FromStr>(name: &str, otherwise: T) -> T {
    let Ok(text) = std::env::var(name) else {
        return otherwise;
    };
    let number = text.parse();
    number.unwrap_or_else(|_| panic!("{name} is {text:?}, which is no number"))
}

fn soak(jobs: u32) {
    if !program::has_adapter() {
        return;
    }
    let before = Before::look();
    let started = Instant::now();
    let mut market = Market::found(&Plan {
        prices: &["0.20", "0.21", "0.22", "0.23"],
        consumers: 4,
        patience_s: Some(10),
        links: Links::Proxied,
        ..Plan::default()
    });
    let seed = setting("NIGHTSHIFT_SOAK_SEED", SEED);
    eprintln!("the soak begins: {jobs} jobs, seed {seed}");
    let buyers = Buyers::begin(&market, jobs);
    let mut accidents = Accidents::new(seed, jobs);
    let mut readings = Readings::default();
    readings.take(&market, buyers.bought());
    while !buyers.are_done_within(LOOK) {
        accidents.pass_time(&mut market);
        readings.take(&market, buyers.bought());
    }
    accidents.heal(&mut market);
    let outcomes = buyers.outcomes(&market, SETTLE);
    let money = leftovers::settled_money(&market, SETTLE);
    readings.take(&market, jobs);
    leftovers::check_running(&market);
    let pids = readings.pids();
    let homes = leftovers::stop(market);
    let blocks = blocks::replay(&homes.operator);
    before.check(&homes, &pids);
    let summary = Summary {
        jobs,
        seed,
        seconds: started.elapsed().as_secs(),
        outcomes,
        accidents: accidents.counts(),
        blocks,
        money,
        nodes: readings.nodes(),
    };
    summary.print();
    summary.check();
}
