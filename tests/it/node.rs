//! Owns one node as a process: its home, its port, the link before it; starting, stopping, killing, restarting.
//!
//! Never leaves it behind: it is asked to stop, then ended by its id, also when a test fails.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::processes::{self, Process};
use crate::program::{self, Done, Running};
use crate::proxy::Proxy;
use crate::transcript::retry;

/// How long a node may take to be ready; measuring a slow card is the longest part.
pub(crate) const READY: Duration = Duration::from_secs(90);

/// How often a node is started that ends with an error, such as a provider that measured a busy card.
const RESTARTS: u32 = 10;

/// How long a node may take to stop.
const STOP: Duration = Duration::from_secs(20);

/// How long the local API may take to answer.
const ANSWER: Duration = Duration::from_secs(90);

/// The most entries of one page of history.
pub(crate) const LONGEST_PAGE: usize = 256;

/// Ports that tests choose lie below those that systems hand out, so that a node that comes back finds its
/// own port free.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Returns a loopback address where nobody listens.
pub(crate) fn free_address() -> SocketAddr {
    let count = u32::from(PORTS.end - PORTS.start);
    // Tests that run at the same time are other processes, and begin to look elsewhere.
    let begin = std::process::id().wrapping_mul(7_919) % count;
    let ports = (0..count).map(|step| {
        let offset = u16::try_from((begin + step) % count).expect("an offset within the ports");
        SocketAddr::from((Ipv4Addr::LOCALHOST, PORTS.start + offset))
    });
    let mut free = ports.filter(|address| !taken().contains(&address.port()));
    let is_free = |address: &SocketAddr| TcpListener::bind(address).is_ok();
    let address = free.find(is_free).expect("some port is free");
    taken().insert(address.port());
    address
}

/// The ports that this test has given out. A process has one list of them, as it has one set of ports.
fn taken() -> std::sync::MutexGuard<'static, BTreeSet<u16>> {
    static TAKEN: std::sync::Mutex<BTreeSet<u16>> = std::sync::Mutex::new(BTreeSet::new());
    TAKEN
        .lock()
        .expect("nobody panics while looking for a port")
}

/// Writes a TCP address as peers do.
pub(crate) fn multiaddr(address: SocketAddr) -> String {
    format!("/ip4/{}/tcp/{}", address.ip(), address.port())
}

/// Posts `body` to the local API of the node in a home, and returns its answer with its head.
pub(crate) fn post(home: &Path, path: &str, body: &Value) -> std::io::Result<String> {
    let body = body.to_string();
    let length = body.len();
    let mut stream = UnixStream::connect(home.join("api.sock"))?;
    stream.set_read_timeout(Some(ANSWER))?;
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: nightshift\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// A node that runs, and its home.
pub(crate) struct Node {
    /// Its home folder.
    pub(crate) home: PathBuf,
    /// The link through which others reach it, where there is one.
    pub(crate) proxy: Option<Proxy>,
    running: Running,
    arguments: Vec<String>,
    ready: &'static str,
}

impl Node {
    /// Starts a node in `home`; [`Self::wait_until_ready`] waits until it says `ready` on standard error.
    pub(crate) fn spawn(home: &Path, arguments: &[&str], ready: &'static str) -> Self {
        Self::begun(program::command(home, arguments), home, arguments, ready)
    }

    fn begun(
        command: std::process::Command,
        home: &Path,
        arguments: &[&str],
        ready: &'static str,
    ) -> Self {
        Self {
            home: home.to_owned(),
            proxy: None,
            running: program::start(command),
            arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
            ready,
        }
    }

    /// Starts a node as [`Self::spawn`] does, by a program that becomes it.
    pub(crate) fn spawn_behind(
        wrapper: &[&str],
        home: &Path,
        arguments: &[&str],
        ready: &'static str,
    ) -> Self {
        let (first, rest) = wrapper.split_first().expect("a wrapper is a program");
        let mut command = program::clean(first);
        command.args(rest).arg(program::path());
        command.arg("--home").arg(home).args(arguments);
        command.stdin(std::process::Stdio::null());
        Self::begun(command, home, arguments, ready)
    }

    /// Starts a node and waits until it is ready.
    pub(crate) fn start(home: &Path, arguments: &[&str], ready: &'static str) -> Self {
        let node = Self::spawn(home, arguments, ready);
        node.wait_until_ready();
        node
    }

    /// Waits until the node says that it is ready.
    pub(crate) fn wait_until_ready(&self) {
        let what = format!(
            "{:?} of `nightshift {}`",
            self.ready,
            self.arguments.join(" ")
        );
        let stderr = &self.running.stderr;
        stderr.wait(0, (READY, &what), |text| text.find(self.ready));
    }

    /// Starts a node that was stopped or killed again, with the same arguments.
    pub(crate) fn restart(&mut self) {
        self.restart_with(&[]);
    }

    /// Starts it again with further variables in its environment.
    pub(crate) fn restart_with(&mut self, environment: &[(String, String)]) {
        self.begin_again(environment);
        self.wait_until_ready();
    }

    /// Starts it again as a service manager does: once more where it ends with an error, some times at most. A
    /// command that runs a node of its own in this home meanwhile is waited for.
    pub(crate) fn restart_as_a_service(&mut self) {
        let is_up = (0..RESTARTS).any(|_| {
            self.begin_again(&[]);
            let ready = self.ready;
            let what = "a node that is ready or says why not";
            let is_ready = self.running.stderr.wait(0, (READY, what), |text| {
                let is_ready = text.contains(ready);
                (is_ready || text.contains("error: ")).then_some(is_ready)
            });
            if let Some(holder) = holder(&self.running.stderr.text()) {
                holder.is_gone_within(READY);
            }
            is_ready
        });
        assert!(is_up, "it does not start: {}", self.running.stderr.text());
    }

    fn begin_again(&mut self, environment: &[(String, String)]) {
        self.end(Signal::TERM);
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        let mut command = program::command(&self.home, &arguments);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        self.running = program::start(command);
    }

    /// Returns the id of its process.
    pub(crate) fn pid(&self) -> u32 {
        self.running.child.id()
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

    /// Reads the account's whole history, newest first, in pages of `limit` entries: each says what the next one is.
    pub(crate) fn history(&self, limit: usize) -> Vec<Value> {
        let limit = limit.to_string();
        let (mut entries, mut before) = (Vec::new(), None::<String>);
        loop {
            let mut arguments = vec!["wallet", "history", "--limit", &limit];
            arguments.extend(before.iter().flat_map(|before| ["--before", before]));
            let mut page = self.json(&arguments);
            let found = page["entries"].as_array_mut().expect("a list of entries");
            assert!(!found.is_empty() || before.is_none(), "an empty next page");
            entries.append(found);
            match page["next"].as_str() {
                Some(next) => before = Some(next.to_owned()),
                None => return entries,
            }
        }
    }

    /// Returns the account's address.
    pub(crate) fn account(&self) -> String {
        let printed = self.run(&["wallet", "address"]).succeeded();
        printed.trim().to_owned()
    }

    /// Returns the machine's own id, as offers name it.
    pub(crate) fn id(&self) -> String {
        let address = self.json(&["wallet", "address"]);
        let id = address["node"].as_str();
        id.expect("a node has an id").to_owned()
    }

    /// Tries again and again until `attempt` returns something.
    pub(crate) fn retry<T>(&self, what: &str, attempt: impl FnMut() -> Result<T, String>) -> T {
        self.retry_within(READY, what, attempt)
    }

    /// Tries again and again until `attempt` returns something or `limit` has passed.
    pub(crate) fn retry_within<T>(
        &self,
        limit: Duration,
        what: &str,
        attempt: impl FnMut() -> Result<T, String>,
    ) -> T {
        retry((limit, what), &self.running.stderr, attempt)
    }

    /// Posts `body` to the node's local API and returns the answer.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Value {
        let answer = post(&self.home, path, body).expect("the node answers in time");
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body);
        serde_json::from_str(body.unwrap_or_default())
            .unwrap_or_else(|_| panic!("POST {path} answered {answer}"))
    }

    /// Lists the processes that this node has started, and theirs.
    pub(crate) fn processes(&self) -> BTreeSet<Process> {
        processes::descendants(self.running.child.id())
    }

    /// Asks the node to stop and waits until it has.
    pub(crate) fn stop(&mut self) {
        self.end(Signal::TERM);
    }

    /// Asks the node to stop as a service manager does and waits until it has; returns how it ended.
    pub(crate) fn stop_in_order(&mut self) -> (Option<i32>, String) {
        self.end(Signal::TERM);
        let status = self.running.child.wait();
        let what = "the end of what the node says";
        self.running.stderr.wait_for_end(STOP, what);
        let code = status.expect("a child can be waited for").code();
        (code, self.running.stderr.text())
    }

    /// Ends the node at once, as a power cut does, and returns the processes that it had started.
    pub(crate) fn kill(&mut self) -> BTreeSet<Process> {
        let below = self.processes();
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

/// Finds the process that a second node of a home names as the first one.
fn holder(told: &str) -> Option<Process> {
    let (_, after) = told.split_once("another nightshift uses ")?;
    let (_, after) = after.split_once(": process ")?;
    let digits = after.split(|c: char| !c.is_ascii_digit()).next()?;
    Process::of(digits.parse().ok()?)
}

impl Drop for Node {
    fn drop(&mut self) {
        self.end(Signal::TERM);
    }
}
