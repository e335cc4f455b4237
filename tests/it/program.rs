//! Owns starting the program itself: where it lies, and one command run to its end.
//!
//! Never builds it, and never lets it see the home, the settings or the logs of the person who tests.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::processes;
use crate::transcript::Transcript;

/// How long a command that asks or tells may take.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// Returns the built program.
pub(crate) fn path() -> PathBuf {
    let named = std::env::var_os("CARGO_BIN_EXE_nightshift").map(PathBuf::from);
    let beside = || {
        let test = std::env::current_exe().expect("a test knows its own path");
        let folder = test.parent().and_then(Path::parent);
        folder
            .expect("cargo puts tests two folders deep")
            .join("nightshift")
    };
    let path = named.unwrap_or_else(beside);
    assert!(
        path.is_file(),
        "{} is not there; run `cargo build` first",
        path.display()
    );
    path
}

/// Prepares a command of `program` that knows nothing of the person who tests.
pub(crate) fn clean(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for (variable, _) in std::env::vars_os() {
        let name = variable.to_string_lossy();
        // Every setting has such a variable.
        if name.starts_with("NIGHTSHIFT_") || name.starts_with("XDG_") {
            command.env_remove(&variable);
        }
    }
    // Picks the first adapter without asking a layer that some machines have for choosing one.
    command.env("NODEVICE_SELECT", "1");
    command
}

/// Prepares the program with its home in `home`.
pub(crate) fn command(home: &Path, arguments: &[&str]) -> Command {
    let mut command = clean(path());
    command.arg("--home").arg(home).args(arguments);
    command.stdin(Stdio::null());
    command
}

/// A child whose output is recorded.
pub(crate) struct Running {
    /// The process.
    pub(crate) child: Child,
    /// Its standard output.
    pub(crate) stdout: Transcript,
    /// Its standard error.
    pub(crate) stderr: Transcript,
}

/// Starts a command and records what it writes.
pub(crate) fn start(mut command: Command) -> Running {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program can be started");
    let (stdout, stderr) = (Transcript::default(), Transcript::default());
    stdout.record(child.stdout.take().expect("the output is piped"));
    stderr.record(child.stderr.take().expect("the error output is piped"));
    Running {
        child,
        stdout,
        stderr,
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Done {
    /// The command line, for messages.
    pub(crate) line: String,
    /// The exit code, unless a signal ended it.
    pub(crate) code: Option<i32>,
    /// Its standard output.
    pub(crate) stdout: String,
    /// Its standard error.
    pub(crate) stderr: String,
}

impl Running {
    /// Waits for the end.
    pub(crate) fn finish(mut self, (limit, line): (Duration, &str)) -> Done {
        self.stderr.wait_for_end(limit, line);
        self.stdout.wait_for_end(limit, line);
        let status = self.child.wait().expect("a child can be waited for");
        Done {
            line: line.to_owned(),
            code: status.code(),
            stdout: self.stdout.text(),
            stderr: self.stderr.text(),
        }
    }
}

/// What a failing test leaves running is ended, with all that it has started.
impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            for process in processes::descendants(self.child.id()) {
                processes::signal(process.pid, Signal::KILL);
            }
            let _gone = self.child.kill();
            let _ended = self.child.wait();
        }
    }
}

/// Runs a command in `home` to its end.
pub(crate) fn run(home: &Path, arguments: &[&str]) -> Done {
    let line = format!("nightshift {}", arguments.join(" "));
    start(command(home, arguments)).finish((LIMIT, &line))
}

impl Done {
    /// Returns the standard output of a command that must have succeeded.
    pub(crate) fn succeeded(self) -> String {
        assert_eq!(self.code, Some(0), "{} failed:\n{}", self.line, self.stderr);
        self.stdout
    }

    /// Returns the JSON that a successful command printed.
    pub(crate) fn json(self) -> Value {
        let line = self.line.clone();
        let text = self.succeeded();
        let parsed = serde_json::from_str(&text);
        parsed.unwrap_or_else(|error| panic!("{line} printed no JSON ({error}):\n{text}"))
    }
}

/// Tells whether this machine has an adapter to sell; where it has none, says that the test skips. Asks the doctor, who
/// looks without measuring.
pub(crate) fn has_adapter() -> bool {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    // Of a home without a market it has more to say, which matters nothing here.
    let done = run(folder.path(), &["doctor", "--json"]);
    let told: Value = serde_json::from_str(&done.stdout).expect("the doctor prints JSON");
    let checks = told["checks"].as_array().expect("the doctor lists checks");
    let gpu = checks.iter().find(|check| check["name"] == "gpu");
    let evidence = gpu.and_then(|check| check["evidence"].as_str());
    let evidence = evidence.expect("the doctor looks for adapters");
    let found = evidence != "no adapter answers";
    if !found {
        eprintln!("skipped: this machine has nothing to sell: {evidence}");
    }
    found
}
