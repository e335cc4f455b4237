//! Owns those who buy in a soak: a thread a consumer, one job after the other, as a script would.
//!
//! Never gives up: a job that could not be bought is bought again, also after its node was killed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::market::Market;
use crate::program;
use crate::purchase::{events, small_training};

/// Steps of a job.
const STEPS: u32 = 60;

/// What a job may cost.
const BUDGET: &str = "total = \"0.05\"";

/// How long one job may take, with everything that happens to it.
const LIMIT: Duration = Duration::from_secs(300);

/// How long to wait before a job that could not be bought is tried again.
const AGAIN: Duration = Duration::from_millis(500);

/// All buyers.
pub(super) struct Buyers {
    bought: Arc<AtomicU32>,
    ended: Receiver<()>,
    threads: std::cell::Cell<usize>,
}

/// One buyer.
struct Buyer {
    home: PathBuf,
    file: String,
    outputs: PathBuf,
    left: Arc<AtomicU32>,
    bought: Arc<AtomicU32>,
    /// Lives as long as the buyer does.
    _ended: SyncSender<()>,
}

impl Buyers {
    /// Lets all consumers of a market buy until `jobs` jobs were bought.
    pub(super) fn begin(market: &Market, jobs: u32) -> Self {
        let file = small_training(market, STEPS, BUDGET);
        let (left, bought) = (Arc::new(AtomicU32::new(jobs)), Arc::new(AtomicU32::new(0)));
        let mut threads = 0;
        let (sender, ended) = sync_channel(8);
        for consumer in market.consumers() {
            let buyer = Buyer {
                home: consumer.home.clone(),
                file: file.clone(),
                outputs: consumer.home.with_extension("outputs"),
                left: left.clone(),
                bought: bought.clone(),
                _ended: sender.clone(),
            };
            let sender = sender.clone();
            std::thread::spawn(move || {
                buyer.buy_all();
                let _over = sender.send(());
            });
            threads += 1;
        }
        Self {
            bought,
            ended,
            threads: std::cell::Cell::new(threads),
        }
    }

    /// Returns how many jobs have been bought so far.
    pub(super) fn bought(&self) -> u32 {
        self.bought.load(Ordering::Relaxed)
    }

    /// Waits, at most for `limit`; tells whether all buyers have all they wanted.
    pub(super) fn are_done_within(&self, limit: Duration) -> bool {
        if self.ended.recv_timeout(limit).is_ok() {
            self.threads.set(self.threads.get() - 1);
        }
        self.threads.get() == 0
    }

    /// Waits until every run of every consumer is over, and counts how they ended.
    pub(super) fn outcomes(&self, market: &Market, limit: Duration) -> BTreeMap<String, u32> {
        let deadline = Instant::now() + limit;
        let mut outcomes = BTreeMap::new();
        for consumer in market.consumers() {
            let runs = consumer.retry("the end of all runs", || {
                let runs = consumer.json(&["ps", "--all"]);
                let runs = runs.as_array().cloned().unwrap_or_default();
                match runs.iter().find(|run| run["phase"] != "ended") {
                    Some(open) if Instant::now() < deadline => Err(open.to_string()),
                    _ => Ok(runs),
                }
            });
            for run in runs {
                *outcomes.entry(outcome(&run)).or_default() += 1;
            }
        }
        outcomes
    }
}

fn outcome(run: &Value) -> String {
    let words = match run["phase"].as_str() {
        Some("ended") => run["outcome"].as_str(),
        phase => phase,
    };
    words.unwrap_or("unknown").to_owned()
}

impl Buyer {
    fn buy_all(&self) {
        let take = |left: u32| left.checked_sub(1);
        let order = Ordering::Relaxed;
        while let Ok(left) = self.left.fetch_update(order, order, take) {
            let output = self.outputs.join(left.to_string());
            let deadline = Instant::now() + LIMIT;
            while !self.buy(&output) {
                assert!(
                    Instant::now() < deadline,
                    "{} could buy nothing within {LIMIT:?}",
                    self.home.display()
                );
                wait(AGAIN);
            }
            self.bought.fetch_add(1, order);
        }
    }

    /// Buys one job and waits for its end, or for its node's; tells whether it was bought.
    fn buy(&self, output: &Path) -> bool {
        let out = output.to_str().expect("temporary paths are UTF-8");
        let arguments = ["run", &self.file, "--yes", "--json", "-o", out];
        let command = program::command(&self.home, &arguments);
        let done = program::start(command).finish((LIMIT, "nightshift run"));
        let events = events(&done.stdout);
        let is_bought = events.iter().any(|event| event["event"] == "opened");
        if done.code != Some(0) {
            let last = events.last().cloned().unwrap_or_default();
            let told = done.stderr.lines().last().unwrap_or_default().to_owned();
            eprintln!("a purchase ended with {:?}: {told} {last}", done.code);
        }
        is_bought
    }
}

/// Lets time pass for something that nothing announces: that a node is back, or an offer.
fn wait(time: Duration) {
    let (_nobody, never) = sync_channel::<()>(1);
    let _time_is_up = never.recv_timeout(time);
}
