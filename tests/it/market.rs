//! Owns a running market for tests: an operator, providers and a consumer as processes on loopback.
//!
//! Never leaves one behind: each is asked to stop, then ended by its id, also when a test fails.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::processes::{self, Process};
use crate::program::{self, Done, Running};
use crate::transcript::retry;

/// How long a node may take to be ready; measuring a slow card is the longest part.
const READY: Duration = Duration::from_secs(90);

/// How long a node may take to stop.
const STOP: Duration = Duration::from_secs(20);

/// The loopback address, any free port.
pub(crate) const LISTEN: &str = "/ip4/127.0.0.1/tcp/0";

/// A node that runs, and its home.
pub(crate) struct Node {
    /// Its home folder.
    pub(crate) home: PathBuf,
    running: Running,
}

impl Node {
    /// Starts a node in `home` and waits until it says `ready` on standard error.
    pub(crate) fn start(home: &Path, arguments: &[&str], ready: &str) -> Self {
        let running = program::start(program::command(home, arguments));
        let node = Self {
            home: home.to_owned(),
            running,
        };
        let what = format!("{ready:?} of `nightshift {}`", arguments.join(" "));
        node.running
            .stderr
            .wait(0, (READY, &what), |text| text.find(ready));
        node
    }

    /// Runs a command in this node's home.
    pub(crate) fn run(&self, arguments: &[&str]) -> Done {
        program::run(&self.home, arguments)
    }

    /// Runs a reading command and returns its JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let arguments = [arguments, &["--json"]].concat();
        self.run(&arguments).json()
    }

    /// Returns the account's address.
    pub(crate) fn account(&self) -> String {
        let printed = self.run(&["wallet", "address"]).succeeded();
        printed.trim().to_owned()
    }

    /// Tries again and again until `attempt` returns something.
    pub(crate) fn retry<T>(&self, what: &str, attempt: impl FnMut() -> Result<T, String>) -> T {
        retry((READY, what), &self.running.stderr, attempt)
    }

    /// Asks the node to stop and waits until it has.
    pub(crate) fn stop(&mut self) {
        self.end(Signal::TERM);
    }

    /// Ends the node at once, as a power cut does, and returns the processes that it had started.
    pub(crate) fn kill(&mut self) -> BTreeSet<Process> {
        let below = processes::descendants(self.running.child.id());
        self.end(Signal::KILL);
        below
    }

    fn end(&mut self, first: Signal) {
        let child = &mut self.running.child;
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        let process = Process::of(child.id());
        processes::signal(child.id(), first);
        if !process.is_none_or(|process| process.is_gone_within(STOP)) {
            processes::signal(child.id(), Signal::KILL);
        }
        let _reaped = child.wait();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end(Signal::TERM);
    }
}

/// A market of one operator, one provider and one consumer. They stop in the order of the fields.
pub(crate) struct Market {
    /// The one who buys; 10 credits were issued to it.
    pub(crate) consumer: Node,
    /// The one who sells, for 0.25 credits an hour in ticks of a second.
    pub(crate) provider: Node,
    /// The bootstrap peer and ledger.
    pub(crate) operator: Node,
    /// What newcomers join with.
    pub(crate) join: String,
    /// Where everything lies.
    pub(crate) folder: TempDir,
}

impl Market {
    /// Founds a market and returns when the consumer sees the offer.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let operator = start_operator(&folder.path().join("operator"));
        let status = operator.json(&["operator", "status"]);
        let join = status["join"].as_str().expect("a join string").to_owned();
        let provider = start_provider(&folder.path().join("provider"), &join);
        let consumer = start_consumer(&folder.path().join("consumer"), &join);
        let market = Self {
            consumer,
            provider,
            operator,
            join,
            folder,
        };
        let account = market.consumer.account();
        let issue = ["operator", "issue", &account, "10"];
        market.operator.run(&issue).succeeded();
        market.consumer.retry("the offer in the book", || {
            let book = market.consumer.json(&["market", "book"]);
            match book["asks"].as_array().map(Vec::len) {
                Some(1) => Ok(()),
                _ => Err(book.to_string()),
            }
        });
        market
    }

    /// Writes a job file that trains on the handbook, with `train` and `budget` as further keys.
    pub(crate) fn train_job(&self, name: &str, train: &str, budget: &str) -> String {
        fs::write(self.folder.path().join("text.txt"), handbook_chapter()).expect("can be written");
        let text = format!(
            "[train]\ndata = \"text.txt\"\nwarm_up_steps = 0\n{train}\n[budget]\n{budget}\n"
        );
        self.write(name, &text)
    }

    /// Writes a file below the market's folder and returns its path.
    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("a temporary file can be written");
        path.to_str().expect("temporary paths are UTF-8").to_owned()
    }
}

/// Returns a chapter of the handbook: real text, long enough to train on.
pub(crate) fn handbook_chapter() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/handbook/07-money.md");
    fs::read_to_string(path).expect("the handbook has a chapter about money")
}

fn start_operator(home: &Path) -> Node {
    let found = [
        "operator",
        "init",
        "--name",
        "test",
        "--challenge-seconds",
        "5",
    ];
    program::run(home, &found).succeeded();
    let settings = "[operator]\nblock_interval_ms = 1000\n";
    fs::write(home.join("config.toml"), settings).expect("a setting can be written");
    let run = ["operator", "run", "--listen", LISTEN];
    Node::start(home, &run, "The operator runs")
}

fn start_provider(home: &Path, join: &str) -> Node {
    program::run(home, &["init", "--join", join]).succeeded();
    fs::write(home.join("config.toml"), "[sell]\ntick_ms = 1000\n")
        .expect("a setting can be written");
    let up = ["up", "--provide", "--price", "0.25", "--listen", LISTEN];
    Node::start(home, &up, "It sells")
}

fn start_consumer(home: &Path, join: &str) -> Node {
    program::run(home, &["init", "--join", join]).succeeded();
    Node::start(home, &["up", "--listen", LISTEN], "It buys and watches")
}
