//! Owns the tests of signals: a node that is asked to stop drains, says what it did, and ends with the code
//! that the manual promises; a second signal forces.
//!
//! Never sends a signal to a process that a test did not start.

use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use crate::market::LISTEN;
use crate::processes::{self, Process};
use crate::program::{self, Done, Running};

/// How long a node without work may take to stop, as its help says.
const STOP: Duration = Duration::from_secs(20);

/// How long a node may take to be ready.
const READY: Duration = Duration::from_secs(60);

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
        let event: serde_json::Value = serde_json::from_str(line).expect("a JSON object a line");
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
