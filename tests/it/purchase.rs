//! Owns a job that was bought by `nightshift run`: its events, its outputs, what it cost.
//!
//! Never reads anything but what a person or a script reads.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::credits;
use crate::market::Market;
use crate::node::Node;
use crate::processes;
use crate::program::{self, Done, Running};

/// How long a phase of a lease may take. Settling alone takes up to 30 s of patience and a window of 5 s.
pub(crate) const LIMIT: Duration = Duration::from_secs(90);

/// What is trained: little enough for a step in tens of milliseconds without a GPU, so that a few hundred steps
/// leave time for accidents.
const SMALL: &str = "batch = 8\nsequence = 64\nlog_every = 1\n\
     model = { dim = 32, layers = 1, heads = 2, kv_heads = 1, ffn_dim = 64, context = 64 }";

/// Steps between two checkpoints of a small training.
pub(crate) const CHECKPOINT_EVERY: u32 = 25;

/// A job of `nightshift run --json`.
pub(crate) struct Purchase {
    running: Running,
}

/// The end of a job: how the command ended, and its events.
#[derive(Debug)]
pub(crate) struct End {
    /// The command.
    pub(crate) done: Done,
    /// What it printed, line by line.
    pub(crate) events: Vec<Value>,
}

/// Writes the job file of a training of `steps` steps with a checkpoint every 25 of them. `budget` follows as
/// it is.
pub(crate) fn small_training(market: &Market, steps: u32, budget: &str) -> String {
    let train = format!("steps = {steps}\ncheckpoint_every = {CHECKPOINT_EVERY}\n{SMALL}");
    market.train_job("job.toml", &train, budget)
}

/// Writes the job file of a training that is longer than any test.
pub(crate) fn long_training(market: &Market) -> String {
    let small = SMALL.replace("log_every = 1", "log_every = 50");
    let train = format!("steps = 400000\ncheckpoint_every = 50000\n{small}");
    let budget = "total = \"5\"\ndelivery_ticks = 10000\n[limits]\nwall_clock_s = 80000";
    market.train_job("long.toml", &train, budget)
}

impl Purchase {
    /// Buys the job of a job file.
    pub(crate) fn start(buyer: &Node, file: &str, output: &Path) -> Self {
        let out = output.to_str().expect("temporary paths are UTF-8");
        let arguments = ["run", file, "--yes", "--json", "-o", out];
        Self {
            running: program::start(program::command(&buyer.home, &arguments)),
        }
    }

    /// Waits until `find` finds something in an event after the first `skipped` ones.
    pub(crate) fn wait_after<T>(
        &self,
        skipped: usize,
        what: &str,
        find: impl Fn(&Value) -> Option<T>,
    ) -> T {
        let stdout = &self.running.stdout;
        stdout.wait(0, (LIMIT, what), |text| {
            events(text).iter().skip(skipped).find_map(&find)
        })
    }

    /// Waits until `find` finds something in an event.
    pub(crate) fn wait_for<T>(&self, what: &str, find: impl Fn(&Value) -> Option<T>) -> T {
        self.wait_after(0, what, find)
    }

    /// Waits for an event by its name, after the first `skipped` ones.
    pub(crate) fn wait_for_event(&self, skipped: usize, name: &str) -> Value {
        self.wait_after(skipped, name, |event| {
            (event["event"] == name).then(|| event.clone())
        })
    }

    /// Waits until a model has been delivered.
    pub(crate) fn wait_for_checkpoint(&self) {
        self.wait_for("a checkpoint", |event| is_model(event).then_some(()));
    }

    /// Waits until a step is reported that is not before `least`.
    pub(crate) fn wait_for_step(&self, least: u32) {
        self.wait_for(&format!("step {least}"), |event| {
            step(event).filter(|step| *step >= least.into())
        });
    }

    /// Returns the events so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        events(&self.running.stdout.text())
    }

    /// Presses Ctrl-C.
    pub(crate) fn interrupt(&self) {
        self.signal(Signal::INT);
    }

    /// Sends a signal to the command, and not to its node.
    pub(crate) fn signal(&self, signal: Signal) {
        processes::signal(self.running.child.id(), signal);
    }

    /// Waits for the end.
    pub(crate) fn end(self) -> End {
        let done = self.running.finish((LIMIT, "nightshift run"));
        let events = events(&done.stdout);
        End { done, events }
    }
}

impl End {
    /// Returns the last line: the job as it ended.
    pub(crate) fn last(&self) -> Value {
        self.events.last().cloned().unwrap_or_default()
    }
}

/// Reads the complete lines of a stream of events.
pub(crate) fn events(text: &str) -> Vec<Value> {
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Reads the lines of `nightshift logs --json`, each an event with its number, which must count on.
pub(crate) fn numbered_events(text: &str) -> Vec<Value> {
    let lines = events(text);
    let numbers: Vec<u64> = lines.iter().filter_map(|line| line["n"].as_u64()).collect();
    assert!(
        numbers.len() == lines.len() && numbers.is_sorted_by(|n, next| n < next),
        "numbers of events: {numbers:?}"
    );
    lines
        .into_iter()
        .map(|mut line| line["event"].take())
        .collect()
}

/// Tells whether an event says that a model has arrived.
pub(crate) fn is_model(event: &Value) -> bool {
    let name = event["name"].as_str().unwrap_or_default();
    event["event"] == "output" && name.ends_with("model.safetensors")
}

/// Returns the step that an event reports.
pub(crate) fn step(event: &Value) -> Option<u64> {
    (event["event"] == "progress")
        .then(|| event["report"]["step"]["step"].as_u64())
        .flatten()
}

/// Returns the most that was promised in vouchers, or in the first tick.
pub(crate) fn promised(events: &[Value]) -> i128 {
    let paid = events.iter().filter(|event| event["event"] == "paid");
    let promises = paid.map(|event| credits::of(&event["promised"]));
    promises.max().unwrap_or(0)
}

/// Every output that was announced as delivered lies where the event says, whole, and a model's header agrees
/// with its length.
pub(crate) fn check_delivered(events: &[Value]) {
    let outputs = events.iter().filter(|event| event["event"] == "output");
    let mut models = 0;
    for output in outputs {
        let path = output["path"].as_str().expect("an output has a path");
        let bytes = fs::read(path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let hash = blake3::hash(&bytes).to_hex().to_string();
        assert_eq!(output["hash"], hash.as_str(), "{path} is not what came");
        assert_eq!(output["bytes"], bytes.len(), "{path} is cut off");
        if is_model(output) {
            check_model(path, &bytes);
            models += 1;
        }
    }
    assert!(models > 0, "no checkpoint was delivered");
}

/// A model is whole: its header says how long it is.
fn check_model(path: &str, bytes: &[u8]) {
    let length = bytes
        .first_chunk::<8>()
        .map(|chunk| u64::from_le_bytes(*chunk));
    let length = usize::try_from(length.expect("a header")).expect("a short header");
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).expect("a header in JSON");
    let tensors = header.as_object().expect("a header is an object").values();
    let ends = tensors.filter_map(|tensor| tensor["data_offsets"][1].as_u64());
    let end = ends.max().and_then(|end| usize::try_from(end).ok());
    let end = end.expect("tensors");
    assert_eq!(bytes.len(), 8 + length + end, "{path} is cut off");
}

/// Waits until nothing of the consumer is locked, and returns what it has paid to providers: what it had, less
/// what is left and the fee of each opening. All money of the market adds up.
pub(crate) fn check_refund(market: &Market, openings: i128) -> i128 {
    let consumer = &market.consumer;
    let available = consumer.retry("the refund", || {
        let asked = consumer.run(&["wallet", "balance", "--json"]);
        let balance: Value = serde_json::from_str(&asked.stdout).map_err(|_| asked.stderr)?;
        match credits::of(&balance["in_channels"]) {
            0 => Ok(credits::of(&balance["available"])),
            _ => Err(balance.to_string()),
        }
    });
    check_sums(market);
    credits::nano("10") - available - openings * credits::nano("0.0001")
}

/// The sums of all money agree.
pub(crate) fn check_sums(market: &Market) {
    let status = market.operator.json(&["operator", "status"]);
    assert_eq!(status["audit"]["conserved"], true, "{status}");
}
