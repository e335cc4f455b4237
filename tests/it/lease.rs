//! Owns the tests of a lease that ends early: the provider vanishes, or wants its machine back.
//!
//! Never waits for a training to end: both jobs are longer than any limit.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::credits;
use crate::market::Market;
use crate::processes;
use crate::program::{self, Done, Running};

/// How long a phase of a lease may take. Settling alone takes up to 30 s of patience and a window of 5 s.
const LIMIT: Duration = Duration::from_secs(90);

/// A job that would run for an hour where there is no GPU, with a checkpoint every few steps.
const TRAIN: &str = "steps = 3000\ncheckpoint_every = 3\nlog_every = 1";

/// What it may cost and how long it may take: enough for the slowest machine.
const BUDGET: &str = "total = \"2\"\n[limits]\nwall_clock_s = 80000";

/// A job on its way.
struct Job {
    running: Running,
    output: std::path::PathBuf,
}

impl Job {
    /// Buys a long job and returns once its first checkpoint has arrived.
    fn start(market: &Market) -> Self {
        let file = market.train_job("long.toml", TRAIN, BUDGET);
        let output = market.folder.path().join("out");
        let out = output.to_str().expect("temporary paths are UTF-8");
        let arguments = ["run", &file, "--yes", "--json", "-o", out];
        let running = program::start(program::command(&market.consumer.home, &arguments));
        let job = Self { running, output };
        job.wait_for("a checkpoint", |event| {
            let name = event["name"].as_str().unwrap_or_default();
            (event["event"] == "output" && name.ends_with("model.safetensors")).then_some(())
        });
        job
    }

    fn wait_for<T>(&self, what: &str, find: impl Fn(&Value) -> Option<T>) -> T {
        let events = &self.running.stdout;
        events.wait(0, (LIMIT, what), |text| lines(text).iter().find_map(&find))
    }

    fn end(self) -> (Done, Value) {
        let done = self.running.finish((LIMIT, "nightshift run"));
        let events = lines(&done.stdout);
        let last = events.last().cloned().unwrap_or_default();
        (done, last)
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect()
}

/// Returns the most that was promised in vouchers, or in the first tick.
fn promised(events: &[Value]) -> i128 {
    let paid = events.iter().filter(|event| event["event"] == "paid");
    let promises = paid.map(|event| credits::of(&event["promised"]));
    promises.max().unwrap_or(0)
}

/// Posts to a node's local API and returns the answer.
fn post(home: &Path, path: &str) -> Value {
    let mut stream = UnixStream::connect(home.join("api.sock")).expect("the node serves its API");
    stream
        .set_read_timeout(Some(LIMIT))
        .expect("a limit can be set");
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: nightshift\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    );
    stream
        .write_all(request.as_bytes())
        .expect("the node reads");
    let mut answer = String::new();
    stream
        .read_to_string(&mut answer)
        .expect("the node answers in time");
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
    serde_json::from_str(body.unwrap_or_default()).unwrap_or_else(|_| panic!("answered {answer}"))
}

/// The model that arrived last is whole: its header says how long it is.
fn check_delivered(folder: &Path) {
    let entries = fs::read_dir(folder).expect("outputs were delivered");
    let mut models = entries.filter_map(|entry| Some(entry.ok()?.path().join("model.safetensors")));
    let model = models
        .find(|path| path.exists())
        .expect("a checkpoint was delivered");
    let bytes = fs::read(model).expect("a delivered file can be read");
    let length = bytes
        .first_chunk::<8>()
        .map(|chunk| u64::from_le_bytes(*chunk));
    let length = usize::try_from(length.expect("a header")).expect("a short header");
    let header: Value = serde_json::from_slice(&bytes[8..8 + length]).expect("a header in JSON");
    let tensors = header.as_object().expect("a header is an object").values();
    let ends = tensors.filter_map(|tensor| tensor["data_offsets"][1].as_u64());
    let end = ends
        .max()
        .and_then(|end| usize::try_from(end).ok())
        .expect("tensors");
    assert_eq!(bytes.len(), 8 + length + end, "the checkpoint is cut off");
}

/// What was locked is back, but for what was paid and the fee of the opening.
fn check_refund(market: &Market, paid: i128) {
    let balance = market.consumer.retry("the refund", || {
        let balance = market.consumer.json(&["wallet", "balance"]);
        match credits::of(&balance["in_channels"]) {
            0 => Ok(credits::of(&balance["available"])),
            _ => Err(balance.to_string()),
        }
    });
    assert_eq!(
        balance,
        credits::nano("10") - paid - credits::nano("0.0001")
    );
    let status = market.operator.json(&["operator", "status"]);
    assert_eq!(status["audit"]["conserved"], true, "{status}");
}

#[test]
fn pausing_yields_the_job_at_once_and_what_was_done_is_paid() {
    if !program::has_adapter() {
        return;
    }
    let market = Market::start();
    let job = Job::start(&market);
    let output = job.output.clone();
    post(&market.provider.home, "/v1/provider/pause");
    let (done, last) = job.end();
    assert_eq!(
        (done.code, &last["outcome"]),
        (Some(1), &"yielded".into()),
        "{done:?}"
    );
    assert!(done.stderr.contains("yielded"), "{}", done.stderr);
    let paid = credits::of(&last["paid"]);
    assert!(paid > 0 && last["receipt"] == true, "{last}");
    assert_eq!(
        paid + credits::of(&last["refunded"]),
        credits::of(&last["deposit"])
    );
    check_delivered(&output);
    check_refund(&market, paid);
    let provider = market.provider.json(&["status"]);
    assert_eq!(provider["provider"]["state"], "paused", "{provider}");
    assert_eq!(credits::of(&provider["provider"]["earned"]), paid);
    let book = market.consumer.retry("the withdrawn offer", || {
        let book = market.consumer.json(&["market", "book"]);
        let is_empty = book["asks"].as_array().is_some_and(Vec::is_empty);
        if is_empty {
            Ok(book)
        } else {
            Err(book.to_string())
        }
    });
    assert!(book["time"].is_number());
    let resumed = post(&market.provider.home, "/v1/provider/resume");
    assert_eq!(resumed["state"], "waiting", "{resumed}");
}

#[test]
fn a_provider_that_vanishes_keeps_no_more_than_it_was_promised() {
    if !program::has_adapter() {
        return;
    }
    let mut market = Market::start();
    let job = Job::start(&market);
    let output = job.output.clone();
    let workers = market.provider.kill();
    assert!(!workers.is_empty(), "the job ran in a process of its own");
    processes::assert_gone(&workers, "the provider that vanished");
    // Nobody answers any more. The person gives up, as with Ctrl-C.
    processes::signal(job.running.child.id(), Signal::INT);
    let (done, last) = job.end();
    assert_eq!(
        (done.code, &last["outcome"]),
        (Some(1), &"cancelled".into()),
        "{done:?}"
    );
    let paid = credits::of(&last["paid"]);
    let promised = promised(&lines(&done.stdout));
    assert!(
        paid <= promised,
        "{paid} was paid and {promised} was promised: {last}"
    );
    assert_eq!(last["receipt"], false, "nobody was there to sign");
    assert_eq!(
        paid + credits::of(&last["refunded"]),
        credits::of(&last["deposit"])
    );
    check_delivered(&output);
    check_refund(&market, paid);
}
