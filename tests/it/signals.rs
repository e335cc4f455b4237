//! Owns the tests of signals: a node that is asked to stop drains, says what it did, and ends with the code
//! that the manual promises; a second signal forces.
//!
//! Never sends a signal to a process that a test did not start.

use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use serde_json::Value;

use crate::credits;
use crate::market::{LISTEN, Links, Market, Plan};
use crate::processes::{self, Process};
use crate::program::{self, Done, Running};
use crate::proxy::{BOTH, Delay};
use crate::purchase::{self, Purchase};

/// How long a node without work may take to stop, as its help says.
const STOP: Duration = Duration::from_secs(20);

/// How long a node may take to be ready.
const READY: Duration = Duration::from_secs(60);

/// What each job may cost.
const BUDGET: &str = "total = \"0.5\"\ndelivery_ticks = 300";

/// An operator in a home of its own: the node that needs the least.
struct Operator {
    folder: tempfile::TempDir,
    running: Running,
}

impl Operator {
    fn start(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let home = folder.path().join("operator");
        let init = ["operator", "init", "--name", "test"];
        program::run(&home, &init).succeeded();
        let arguments = [&["operator", "run", "--listen", LISTEN], flags].concat();
        let running = program::start(program::command(&home, &arguments));
        let what = (READY, "the operator");
        let ready = |text: &str| text.find("The operator runs");
        running.stderr.wait(0, what, ready);
        Self { folder, running }
    }

    fn end(self, signals: &[Signal]) -> (Done, tempfile::TempDir) {
        let process = Process::of(self.running.child.id()).expect("the operator lives");
        for signal in signals {
            processes::signal(process.pid, *signal);
        }
        assert!(process.is_gone_within(STOP), "it stops within {STOP:?}");
        (self.running.finish((STOP, "the operator")), self.folder)
    }
}

#[test]
fn either_signal_stops_a_node_in_order() {
    for signal in [Signal::INT, Signal::TERM] {
        let (done, folder) = Operator::start(&[]).end(&[signal]);
        assert_eq!(done.code, Some(0), "{signal:?}: {done:?}");
        assert!(done.stderr.contains("Stopping within 20 s"), "{done:?}");
        assert!(!done.stderr.contains("panicked"), "{done:?}");
        let socket = folder.path().join("operator/api.sock");
        assert!(!socket.exists(), "a node in order leaves no socket behind");
    }
}

#[test]
fn many_signals_end_a_node_as_stopped_or_as_forced_and_never_as_crashed() {
    let (done, folder) = Operator::start(&[]).end(&[Signal::TERM, Signal::INT, Signal::TERM]);
    assert!(matches!(done.code, Some(0 | 130)), "{done:?}");
    // What was left is usable: the next start says nothing but its usual lines.
    let home = folder.path().join("operator");
    let arguments = ["operator", "run", "--listen", LISTEN];
    let again = program::start(program::command(&home, &arguments));
    let what = (READY, "the operator after a forced end");
    again
        .stderr
        .wait(0, what, |text| text.find("The operator runs"));
    let operator = Operator {
        folder,
        running: again,
    };
    let (done, _folder) = operator.end(&[Signal::TERM]);
    assert_eq!(done.code, Some(0), "{done:?}");
}

#[test]
fn a_node_logs_json_lines_into_its_home_and_warnings_alone_would_reach_a_terminal() {
    let operator = Operator::start(&["--log-format", "json", "--log-level", "debug"]);
    let (done, folder) = operator.end(&[Signal::TERM]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let path = folder.path().join("operator/logs/nightshift.log");
    let text = std::fs::read_to_string(&path).expect("a node writes its log");
    assert!(!text.is_empty());
    for line in text.lines() {
        let event: Value = serde_json::from_str(line).expect("a JSON object a line");
        assert!(
            event["timestamp"].is_string() && event["level"].is_string(),
            "{line}"
        );
    }
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for arguments in ["man", "completions bash", "config show --json"] {
        let script =
            format!("\"$0\" --home \"$1\" {arguments} | head -n 1; exit ${{PIPESTATUS[0]}}");
        let mut command = Command::new("bash");
        command.arg("-c").arg(script).arg(program::path());
        command.arg(folder.path()).stdin(Stdio::null());
        let done = program::start(command).finish((STOP, arguments));
        assert_eq!(done.code, Some(0), "{done:?}");
        assert_eq!(done.stdout.lines().count(), 1, "{done:?}");
        assert!(done.stderr.is_empty(), "{done:?}");
    }
}

/// Buys a training and returns once it works.
fn buy(market: &Market, steps: u32) -> Purchase {
    let file = purchase::small_training(market, steps, BUDGET);
    let job = Purchase::start(&market.consumer, &file, &market.folder.path().join("out"));
    job.wait_for_step(purchase::CHECKPOINT_EVERY + 5);
    job.wait_for_checkpoint();
    job
}

/// What `ps --all` says of the newest run.
fn newest(market: &Market) -> Value {
    market.consumer.json(&["ps", "--all"])[0].clone()
}

#[test]
fn a_node_that_is_stopped_while_it_sells_yields_claims_and_closes_first() {
    if !program::has_adapter() {
        return;
    }
    let mut market = Market::start();
    let job = buy(&market, 4_000);
    let workers = market.provider.processes();
    assert!(!workers.is_empty(), "a lease runs in a worker");
    let (code, said) = market.provider.stop_in_order();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Stopping within 20 s"), "{said}");
    assert!(!said.contains("before everything was settled"), "{said}");
    processes::assert_gone(&workers, "the node that was stopped");
    // Nobody else sells, so the run waits for another provider; enough of that.
    job.wait_for_event(0, "lost");
    job.interrupt();
    let end = job.end();
    let paid = purchase::check_refund(&market, 1);
    assert!(
        paid >= purchase::promised(&end.events),
        "{paid} was claimed: {:?}",
        end.done
    );
    purchase::check_delivered(&end.events);
    market.provider.restart();
    let earned = market.provider.json(&["status"])["provider"]["earned"].clone();
    assert_eq!(credits::of(&earned), paid, "what was claimed is noted");
}

#[test]
fn a_node_that_is_stopped_while_it_buys_goes_on_with_the_run_when_it_starts_again() {
    if !program::has_adapter() {
        return;
    }
    let mut market = Market::start();
    let job = buy(&market, 400);
    let before = newest(&market);
    let (code, said) = market.consumer.stop_in_order();
    assert_eq!(code, Some(0), "{said}");
    let run = before["run"].as_str().expect("a run has a name");
    let goes_on = format!("Run {run} goes on when this node starts again");
    assert!(said.contains(&goes_on), "{said}");
    let left = job.end();
    assert_ne!(left.done.code, Some(0), "{:?}", left.done);
    market.consumer.restart();
    let follow = program::command(&market.consumer.home, &["logs", "-f", run, "--json"]);
    let followed = program::start(follow).finish((purchase::LIMIT, "nightshift logs -f"));
    assert_eq!(followed.code, Some(0), "{followed:?}");
    let after = newest(&market);
    assert_eq!(after["outcome"], "completed", "{after}");
    assert_eq!(after["agreement"], before["agreement"], "{after}");
    purchase::check_delivered(&purchase::numbered_events(&followed.stdout));
    assert_eq!(
        purchase::check_refund(&market, 1),
        credits::of(&after["paid"])
    );
}

#[test]
fn ctrl_c_before_the_channel_is_open_leaves_nothing_running_and_nothing_locked() {
    if !program::has_adapter() {
        return;
    }
    let plan = Plan {
        links: Links::Proxied,
        ..Plan::default()
    };
    let market = Market::found(&plan);
    let slow = Delay {
        fixed: Duration::from_millis(800),
        jitter: Duration::ZERO,
    };
    for side in [&market.provider, &market.consumer] {
        let proxy = side.proxy.as_ref().expect("each side is behind a proxy");
        BOTH.iter().for_each(|way| proxy.delay(*way, slow));
    }
    let file = purchase::small_training(&market, 4_000, BUDGET);
    let job = Purchase::start(&market.consumer, &file, &market.folder.path().join("out"));
    job.wait_for_event(0, "chosen");
    job.interrupt();
    let end = job.end();
    let said = &end.done.stderr;
    assert!(
        said.contains("Cancelling before anything is bought"),
        "{said}"
    );
    let is_step = |event: &&Value| purchase::step(event).is_some();
    assert_eq!(end.events.iter().find(is_step), None, "{said}");
    // The opening was on its way, so it may have become a channel; that one was closed again.
    assert!(matches!(end.done.code, Some(5 | 130)), "{:?}", end.done);
    let jobs = market.consumer.json(&["ps", "--all"]);
    let runs = jobs.as_array().expect("a list of runs");
    let is_over = |run: &Value| !run["outcome"].is_null();
    assert!(runs.iter().all(is_over), "{jobs}");
    let openings = i128::from(end.events.iter().any(|event| event["event"] == "opened"));
    let paid = purchase::check_refund(&market, openings);
    let tick = credits::nano("0.25") * i128::from(plan.tick_ms) / 3_600_000 + 1;
    assert!(
        (0..=2 * openings * tick).contains(&paid),
        "{paid} was paid for nothing: {:?}",
        end.done
    );
}

/// A server that accepts one download and never answers it.
struct Stalled {
    listener: TcpListener,
    /// A job whose data comes from there.
    file: String,
}

impl Stalled {
    fn open(market: &Market) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let hash = "00".repeat(32);
        let text = format!("[train]\ndata = \"http://{address}/text\"\nblake3 = \"{hash}\"\n");
        let file = market.write("stalled.toml", &format!("{text}[budget]\n{BUDGET}\n"));
        Self { listener, file }
    }

    /// Waits for the download.
    fn accept(&self) -> TcpStream {
        let (mut download, _) = self.listener.accept().expect("the node downloads");
        let is_set = download.set_read_timeout(Some(STOP));
        is_set.expect("a limit can be set");
        let mut request = [0; 1];
        download.read_exact(&mut request).expect("the node asks");
        download
    }
}

/// Waits until the node has given a download up.
fn is_given_up(download: &mut TcpStream) {
    let mut rest = Vec::new();
    let read = download.read_to_end(&mut rest);
    read.expect("the node closes the download within the limit");
}

#[test]
fn a_run_that_is_left_while_its_inputs_are_read_buys_nothing() {
    if !program::has_adapter() {
        return;
    }
    let market = Market::start();
    let stalled = Stalled::open(&market);
    let out = market.folder.path().join("out");
    for signal in [Signal::INT, Signal::KILL] {
        let job = Purchase::start(&market.consumer, &stalled.file, &out);
        job.wait_for_event(0, "requested");
        let mut download = stalled.accept();
        job.signal(signal);
        is_given_up(&mut download);
        let end = job.end();
        if signal == Signal::INT {
            assert_eq!(end.done.code, Some(130), "{:?}", end.done);
            let said = &end.done.stderr;
            assert!(
                said.contains("stopped before anything was bought"),
                "{said}"
            );
        }
        let names: Vec<&Value> = end.events.iter().map(|event| &event["event"]).collect();
        assert!(!names.contains(&&Value::from("accepted")), "{names:?}");
    }
    assert_eq!(newest(&market), Value::Null, "no run is listed");
    assert_eq!(purchase::check_refund(&market, 0), 0);
}

#[test]
fn a_provider_that_is_stopped_is_out_of_the_book_of_others_at_once() {
    if !program::has_adapter() {
        return;
    }
    let mut market = Market::found(&Plan {
        prices: &["0.25", "0.26"],
        ..Plan::default()
    });
    let (code, said) = market.provider.stop_in_order();
    assert_eq!(code, Some(0), "{said}");
    // Its beacons would be missed after 150 seconds.
    let few = Duration::from_secs(5);
    market.consumer.retry_within(few, "one offer less", || {
        let book = market.consumer.json(&["market", "book"]);
        let asks = book["asks"].as_array().map(Vec::len);
        (asks == Some(1)).then_some(()).ok_or(book.to_string())
    });
}
