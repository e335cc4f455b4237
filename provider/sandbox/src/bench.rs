//! Unconfined workers, for measuring alone: what a worker does without layers, or behind those of another tool.
//!
//! It must never lead to a job: the process gets no input pipe, and its greeting is one that
//! [`crate::Launched::wait_locked`] refuses.

use std::io::Write;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::config::{STAGE_VARIABLE, Stage, WorkerProgram};
use crate::driver::{DriverProfile, Presence};
use crate::frame::{FrameError, read_frame, write_frame};
use crate::greeting::{Greeting, MAX_GREETING_BYTES};
use crate::worker::LaunchError;

/// Where another tool shows the program.
const SHOWN_PROGRAM: &str = "/worker";

/// What [`crate::enter`] gives a worker of the bench: only the right to say that it is up, and to report.
#[derive(Debug)]
pub struct UnconfinedStart(pub(crate) ());

impl UnconfinedStart {
    /// Says that the worker is as far as LOCKED would be; the caller then ends, or measures and reports in its last frame.
    ///
    /// # Errors
    /// The pipe's error.
    pub fn announce(self, output: &mut impl Write) -> Result<(), FrameError> {
        write_frame(output, &Greeting::Unconfined.encode())
    }
}

/// An unconfined worker that has greeted; dropping it ends it.
#[derive(Debug)]
pub struct Unconfined {
    child: Child,
    output: ChildStdout,
    /// From before the fork to the greeting.
    pub taken: Duration,
}

impl Unconfined {
    /// Starts `program` without confinement.
    ///
    /// # Errors
    /// The program did not start, or its first frame was not the bench's greeting.
    pub fn start(program: &WorkerProgram) -> Result<Self, LaunchError> {
        let mut command = Command::new(&program.path);
        command.args(&program.args).env_clear();
        Self::greeted(command)
    }

    /// Starts `program` behind bubblewrap: the namespaces, the root, the session and the end with the parent that a
    /// worker of ours with `profile` has. bubblewrap sets no limits and knows no Landlock, and a filter of system calls
    /// it can lay only before the program has started, so that it is left out. Root stays root in it.
    ///
    /// # Errors
    /// As [`Self::start`]; bubblewrap is not installed; or the program's libraries cannot be told.
    pub fn behind_bubblewrap(
        program: &WorkerProgram,
        profile: &DriverProfile,
    ) -> Result<Self, LaunchError> {
        let profile = profile.for_program(program)?;
        let file = std::fs::canonicalize(&program.path).map_err(LaunchError::Spawn)?;
        let mut command = Command::new("bwrap");
        command.args([
            "--unshare-user",
            "--unshare-pid",
            "--unshare-net",
            "--unshare-ipc",
            "--unshare-uts",
            "--hostname",
            "worker",
            "--die-with-parent",
            "--new-session",
            "--cap-drop",
            "ALL",
            "--clearenv",
            "--setenv",
            STAGE_VARIABLE,
            Stage::Bench.as_str(),
            "--proc",
            "/proc",
            "--dev",
            "/dev",
            "--tmpfs",
            "/scratch",
        ]);
        for path in &profile.paths {
            let bind = match path.presence {
                Presence::Required => "--ro-bind",
                Presence::WhereFound => "--ro-bind-try",
            };
            command.arg(bind).arg(&path.path).arg(&path.path);
        }
        for link in &profile.links {
            command.arg("--symlink").arg(&link.target).arg(&link.path);
        }
        for device in &profile.devices {
            command
                .arg("--dev-bind")
                .arg(&device.path)
                .arg(&device.path);
        }
        for (name, value) in &profile.environment {
            command.args(["--setenv", name, value]);
        }
        command.arg("--ro-bind").arg(file).arg(SHOWN_PROGRAM);
        command.args(["--remount-ro", "/", "--", SHOWN_PROGRAM]);
        command.args(&program.args);
        Self::greeted(command)
    }

    fn greeted(mut command: Command) -> Result<Self, LaunchError> {
        let start = Instant::now();
        let mut child = command
            .env(STAGE_VARIABLE, Stage::Bench.as_str())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(LaunchError::Spawn)?;
        let output = child
            .stdout
            .take()
            .expect("the output was asked for as a pipe");
        let mut worker = Self {
            child,
            output,
            taken: Duration::ZERO,
        };
        let greeting = read_frame(&mut worker.output, MAX_GREETING_BYTES)?;
        worker.taken = start.elapsed();
        let bytes = greeting.ok_or(LaunchError::EndedEarly {
            stderr: String::new(),
        })?;
        match Greeting::decode(&bytes) {
            Ok(Greeting::Unconfined) => Ok(worker),
            _ => Err(LaunchError::NotAGreeting),
        }
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Reads all that the worker says, frames of up to `max_bytes`, and returns the last: what it measured. `None` where
    /// it ended without a word.
    ///
    /// # Errors
    /// The pipe's error, or a frame that is too large.
    pub fn report(mut self, max_bytes: usize) -> Result<Option<Vec<u8>>, FrameError> {
        let mut last = None;
        while let Some(frame) = read_frame(&mut self.output, max_bytes)? {
            last = Some(frame);
        }
        Ok(last)
    }
}

impl Drop for Unconfined {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Says whether bubblewrap is installed.
#[must_use]
pub fn has_bubblewrap() -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join("bwrap").is_file())
}
