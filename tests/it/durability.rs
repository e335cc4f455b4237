//! Owns the tests of what reaches the disk, and when: an operator that is killed between two of its own system calls,
//! and what is synced before it is acknowledged.
//!
//! Never asks the program to stop at a place of its own: strace sees its system calls and kills it at one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::credits::{self, nano};
use crate::market::LISTEN;
use crate::node::{LONGEST_PAGE, Node, post};
use crate::processes;
use crate::program::{self, Running};

/// How often the operator is killed in each window while it is at work.
const KILLS: u32 = 50;

/// Attempts in one window, some of which end before the operator is at work.
const ATTEMPTS: u32 = 2 * KILLS;

/// How long one life may last.
const LIMIT: Duration = Duration::from_secs(60);

/// How often it is looked whether an operator lives.
const LOOK: Duration = Duration::from_millis(5);

/// A place in the making of a block.
struct Window {
    /// What has happened before it and what has not.
    name: &'static str,
    /// The file that is about to be touched, below the home.
    file: &'static str,
    /// The system call.
    call: &'static str,
    /// Such calls of a start, at the least, before the first transaction.
    start: u32,
}

const WINDOWS: [Window; 3] = [
    Window {
        name: "written and not synced",
        file: "ledger/blocks/00000000000000000000.blocks",
        call: "fdatasync",
        start: 2,
    },
    Window {
        name: "synced and not indexed",
        file: "ledger/index/db",
        call: "pwrite64",
        start: 3,
    },
    Window {
        name: "indexed and not acknowledged",
        file: "ledger/index/db",
        call: "sync_file_range",
        start: 3,
    },
];

/// Prepares an operator under strace.
fn traced(home: &Path, options: &[String]) -> Command {
    let mut command = program::clean("strace");
    command
        .args(["-f", "-qq"])
        .args(options)
        .arg(program::path());
    command.arg("--home").arg(home);
    command.args(["operator", "run", "--listen", LISTEN]);
    command.stdin(Stdio::null());
    command
}

/// Tells whether strace can look at a process here; where it cannot, says that the test skips.
fn can_trace() -> bool {
    let tried = Command::new("strace")
        .args(["-qq", "-o", "/dev/null", "true"])
        .output();
    let can = tried.as_ref().is_ok_and(|tried| tried.status.success());
    if !can {
        eprintln!("skipped: strace is missing or may not trace: {tried:?}");
    }
    can
}

/// Waits until an operator runs; tells whether it did before its end.
fn is_up(running: &Running) -> bool {
    loop {
        let text = running.stderr.text();
        if text.contains("The operator runs") {
            return true;
        }
        if running.stderr.ends_within(LOOK) {
            return false;
        }
    }
}

/// An operator's home, and what it has acknowledged.
struct Ledger {
    folder: tempfile::TempDir,
    account: String,
    issued: u32,
    acknowledged: Vec<i128>,
}

impl Ledger {
    fn found() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let home = folder.path().join("operator");
        program::run(&home, &["operator", "init"]).succeeded();
        let account = program::run(&home, &["wallet", "address"]).succeeded();
        let ledger = Self {
            account: account.trim().to_owned(),
            folder,
            issued: 0,
            acknowledged: Vec::new(),
        };
        // The first start makes the files that are watched later.
        ledger.start().stop();
        ledger
    }

    fn home(&self) -> std::path::PathBuf {
        self.folder.path().join("operator")
    }

    fn start(&self) -> Node {
        let run = ["operator", "run", "--listen", LISTEN];
        Node::start(&self.home(), &run, "The operator runs")
    }

    /// Issues an amount that nobody else issues; tells whether it was acknowledged.
    fn issue(&mut self) -> bool {
        self.issued += 1;
        let amount = format!("1.{:09}", self.issued);
        let request = json!({ "to": self.account, "amount": amount });
        let answer = post(&self.home(), "/v1/operator/issue", &request);
        let is_final = answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"));
        if is_final {
            self.acknowledged.push(nano(&amount));
        }
        is_final
    }

    /// Lets an operator work until it is killed at its `when`-th call in a window; tells whether it was at work.
    fn killed_in(&mut self, window: &Window, when: u32) -> bool {
        let Window { file, call, .. } = window;
        let file = self.home().join(file);
        let options = [
            "-o".to_owned(),
            "/dev/null".to_owned(),
            "-P".to_owned(),
            file.display().to_string(),
            "-e".to_owned(),
            format!("trace={call}"),
            "-e".to_owned(),
            format!("inject={call}:signal=KILL:when={when}"),
        ];
        let running = program::start(traced(&self.home(), &options));
        let was_at_work = is_up(&running);
        if was_at_work {
            while self.issue() {}
        }
        let done = running.finish((LIMIT, "an operator that is killed"));
        assert_eq!(
            done.code, None,
            "it is killed and does not end by itself: {done:?}"
        );
        was_at_work
    }

    /// Everything that was acknowledged is in the log once, the log verifies, and log, index and state agree.
    fn check(&self) {
        let home = self.home();
        let verified = program::run(&home, &["ledger", "verify", "--json"]).json();
        assert_eq!(verified["conserved"], true, "{verified}");
        let export = ["ledger", "export", "--account", &self.account];
        let rows = program::run(&home, &export).succeeded();
        let rows: Vec<Value> = rows
            .lines()
            .map(|line| serde_json::from_str(line).expect("an object a line"))
            .collect();
        let mut times: BTreeMap<i128, u32> = BTreeMap::new();
        for row in &rows {
            *times
                .entry(nano(row["amount"].as_str().expect("an amount")))
                .or_default() += 1;
        }
        for amount in &self.acknowledged {
            assert_eq!(times.get(amount), Some(&1), "{amount} was acknowledged");
        }
        let operator = self.start();
        let balance = credits::of(&operator.json(&["wallet", "balance"])["available"]);
        assert_eq!(
            balance,
            times.keys().sum::<i128>(),
            "each amount came in once"
        );
        // What the index shows is what the log holds.
        let shown = operator.history(LONGEST_PAGE);
        let newest = rows.iter().rev();
        let of_row = |row: &Value| (row["height"].clone(), row["balance"].clone());
        let of_log = |row: &Value| (row["height"].clone(), row["credit_balance"].clone());
        let index: Vec<_> = shown.iter().map(of_row).collect();
        assert_eq!(index, newest.map(of_log).collect::<Vec<_>>());
    }
}

#[test]
fn nothing_acknowledged_is_lost_wherever_in_a_block_an_operator_is_killed() {
    if !can_trace() {
        return;
    }
    let mut ledger = Ledger::found();
    for window in &WINDOWS {
        let (mut kills, mut attempts) = (0, 0);
        while kills < KILLS {
            attempts += 1;
            assert!(
                attempts <= ATTEMPTS,
                "{}: {kills} kills at work",
                window.name
            );
            // Sometimes in the first block of a life, sometimes in a later one.
            let when = window.start + 1 + attempts % 4;
            kills += u32::from(ledger.killed_in(window, when));
        }
        ledger.check();
        eprintln!(
            "{}: killed {kills} times at work, in {attempts} lives",
            window.name
        );
    }
    let (issued, acknowledged) = (ledger.issued, ledger.acknowledged.len());
    eprintln!("{issued} transactions, {acknowledged} acknowledged, each there once");
}

#[test]
fn a_block_and_what_a_node_keeps_are_synced_before_they_are_acknowledged() {
    if !can_trace() {
        return;
    }
    let mut ledger = Ledger::found();
    let trace = ledger.folder.path().join("trace");
    let traced_calls = "trace=write,writev,sendto,sendmsg,fdatasync";
    let options = ["-y", "-o", &trace.display().to_string(), "-e", traced_calls].map(str::to_owned);
    let running = program::start(traced(&ledger.home(), &options));
    assert!(is_up(&running), "{}", running.stderr.text());
    assert!(ledger.issue() && ledger.issue());
    // The program, and not strace.
    for process in processes::descendants(running.child.id()) {
        processes::signal(process.pid, Signal::TERM);
    }
    running.finish((LIMIT, "an operator that was traced"));
    let text = fs::read_to_string(&trace).expect("strace writes");
    // The blocks, and the balance that was proved last.
    for (file, least) in [(".blocks>", 3), (".journal>", 1)] {
        let (mut unsynced, mut synced, mut answers) = (0, 0, 0);
        for call in calls(&text, file) {
            match call {
                Call::Wrote => unsynced += 1,
                Call::Synced => (unsynced, synced) = (0, synced + 1),
                Call::Answered => answers += 1,
            }
            let is_early = matches!(call, Call::Answered) && unsynced > 0;
            assert!(!is_early, "answered before {file} was synced:\n{text}");
        }
        assert!(synced >= least, "{file} was synced {synced} times:\n{text}");
        assert!(answers >= 2, "{answers} answers:\n{text}");
        assert_eq!(
            unsynced, 0,
            "the last write to {file} was not synced:\n{text}"
        );
    }
}

/// What a program did, as strace saw it.
enum Call {
    /// Began to write to the file.
    Wrote,
    /// Has waited for the file.
    Synced,
    /// Began to answer that something is done.
    Answered,
}

/// Reads the calls that concern a file, and the answers, out of a trace. A call during which others were made has two
/// lines, both with the thread that made it.
fn calls(text: &str, file: &str) -> Vec<Call> {
    let mut waiting = BTreeSet::new();
    let call = |line: &str| {
        let thread = line.split_whitespace().next().unwrap_or_default();
        if line.contains("HTTP/1.1 200") {
            Some(Call::Answered)
        } else if line.contains("fdatasync resumed") {
            waiting.remove(thread).then_some(Call::Synced)
        } else if !line.contains(file) {
            None
        } else if line.contains("fdatasync(") && line.contains("<unfinished") {
            waiting.insert(thread.to_owned());
            None
        } else if line.contains("fdatasync(") {
            Some(Call::Synced)
        } else {
            line.contains("write(").then_some(Call::Wrote)
        }
    };
    text.lines().filter_map(call).collect()
}
