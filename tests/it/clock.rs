//! Owns the tests of machines whose wall clock is two days off, as after a dead battery or on a PC with two systems.
//!
//! Never changes the clock of this machine: the nodes see another one through libfaketime, where that is installed.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::credits;
use crate::market::Market;
use crate::node::Node;
use crate::program;
use crate::purchase::{Purchase, check_refund, small_training};

/// Where distributions put the library.
const LIBRARIES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
    "/usr/lib/faketime/libfaketime.so.1",
];

/// What protocol time may move while a test runs, in milliseconds.
const ONE_HOUR_MS: u64 = 3_600_000;

fn library() -> Option<PathBuf> {
    let path = LIBRARIES.iter().map(Path::new).find(|path| path.exists());
    if path.is_none() {
        eprintln!("skipped: libfaketime is not installed (Debian's package faketime)");
    }
    path.map(Path::to_owned)
}

/// What makes a process believe that it is `offset` from now, for example `+2d`.
fn off_by(library: &Path, offset: &str) -> [(String, String); 3] {
    [
        ("LD_PRELOAD", library.to_string_lossy().as_ref()),
        ("FAKETIME", offset),
        // Elapsed time is measured by another clock, which a wrong date leaves alone.
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
}

#[test]
fn clocks_that_are_two_days_off_cost_nobody_anything() {
    let Some(library) = library() else { return };
    if !program::has_adapter() {
        return;
    }
    let mut market = Market::start();
    let began = protocol_time(&market.consumer);
    market.provider.restart_with(&off_by(&library, "+2d"));
    market.consumer.restart_with(&off_by(&library, "-2d"));
    market.wait_for_offers(&market.consumer, 1);
    let mut paid = buy(&market, "members");
    market.operator.restart_with(&off_by(&library, "+2d"));
    paid += buy(&market, "ahead");
    let passed = protocol_time(&market.consumer) - began;
    assert!(
        passed < ONE_HOUR_MS,
        "an operator that is two days ahead moved protocol time by {passed} ms"
    );
    market.operator.restart_with(&off_by(&library, "-2d"));
    paid += buy(&market, "behind");
    let passed = protocol_time(&market.consumer) - began;
    assert!(passed < ONE_HOUR_MS && passed > 0, "{passed} ms passed");
    assert_eq!(check_refund(&market, 3), paid);
    told_by_the_doctor(&library, &market);
}

/// Buys a small job to its end; returns what it cost.
fn buy(market: &Market, name: &str) -> i128 {
    let file = small_training(market, 10, "total = \"0.1\"");
    let output = market.folder.path().join(name);
    let end = Purchase::start(&market.consumer, &file, &output).end();
    let last = end.last();
    let ended = (end.done.code, &last["outcome"]);
    let completed = (Some(0), &Value::from("completed"));
    assert_eq!(ended, completed, "{name}: {}", end.done.stderr);
    credits::of(&last["paid"])
}

fn protocol_time(node: &Node) -> u64 {
    let book = node.json(&["market", "book"]);
    book["time"].as_u64().expect("protocol time is known")
}

/// Who looks for the reason of strange dates is told.
fn told_by_the_doctor(library: &Path, market: &Market) {
    let mut doctor = program::command(&market.consumer.home, &["doctor", "--json"]);
    doctor.envs(off_by(library, "+2d"));
    let report = program::start(doctor).finish((program::LIMIT, "nightshift doctor"));
    let report: Value = serde_json::from_str(&report.stdout).expect("a report in JSON");
    let checks = report["checks"].as_array().cloned().unwrap_or_default();
    let clock = checks.iter().find(|check| check["name"] == "clock");
    let clock = clock.unwrap_or_else(|| panic!("no check of the clock in {report}"));
    assert_eq!(clock["verdict"], "failed", "{clock}");
    for (field, part) in [
        ("evidence", "ahead of protocol time"),
        ("advice", "timedatectl"),
    ] {
        let words = clock[field].as_str().unwrap_or_default();
        assert!(words.contains(part), "{part:?} is not said: {clock}");
    }
}
