//! The self test: a worker attacks its own confinement while the agent watches the targets.
//!
//! It must never count an attack as stopped on the worker's word alone where the agent can look
//! itself, and any attack that got through closes the level.

mod targets;

use std::fmt;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::Purpose;
use crate::frame::{FrameError, read_frame};
use crate::greeting::LockedReport;
use crate::worker::{LaunchError, Sandbox};

pub use self::targets::{Targets, Watched};

/// The largest report accepted, in bytes.
const MAX_REPORT_BYTES: usize = 64 * 1024;

/// One thing that a hostile job would try.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Attack {
    /// Read a file of the owner.
    ReadFile,
    /// Create a file in a folder of the owner.
    WriteFile,
    /// Open a file through a folder that the agent leaked as an open descriptor.
    LeakedDescriptor,
    /// Connect to a listener on this machine.
    Tcp,
    /// Send a datagram to a socket on this machine.
    Udp,
    /// Connect to an abstract unix socket.
    AbstractSocket,
    /// Signal the agent.
    Signal,
    /// Attach to the agent as a debugger.
    Trace,
    /// Read the agent's memory.
    ReadMemory,
    /// Start a shell.
    Shell,
    /// Start a second process.
    Fork,
    /// Make a user namespace.
    NestedNamespace,
    /// Mount a file system.
    Mount,
    /// Set up an io_uring.
    IoUring,
}

impl Attack {
    /// Every attack, in the order of the report.
    pub const ALL: [Self; 14] = [
        Self::ReadFile,
        Self::WriteFile,
        Self::LeakedDescriptor,
        Self::Tcp,
        Self::Udp,
        Self::AbstractSocket,
        Self::Signal,
        Self::Trace,
        Self::ReadMemory,
        Self::Shell,
        Self::Fork,
        Self::NestedNamespace,
        Self::Mount,
        Self::IoUring,
    ];
}

impl fmt::Display for Attack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReadFile => "read a file of the owner",
            Self::WriteFile => "write into a folder of the owner",
            Self::LeakedDescriptor => "use a folder that the agent left open",
            Self::Tcp => "connect over TCP",
            Self::Udp => "send a datagram",
            Self::AbstractSocket => "connect to an abstract unix socket",
            Self::Signal => "signal the agent",
            Self::Trace => "debug the agent",
            Self::ReadMemory => "read the agent's memory",
            Self::Shell => "start a shell",
            Self::Fork => "start a second process",
            Self::NestedNamespace => "make a user namespace",
            Self::Mount => "mount a file system",
            Self::IoUring => "set up an io_uring",
        })
    }
}

/// What became of one attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It worked.
    GotThrough,
    /// The system refused with this error number.
    Stopped(i32),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::GotThrough => f.write_str("got through"),
            Self::Stopped(errno) => write!(f, "{}", io::Error::from_raw_os_error(*errno)),
        }
    }
}

/// One attack and what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// What was tried.
    pub attack: Attack,
    /// What became of it.
    pub outcome: Outcome,
}

/// One line of the report: an attack tried twice, without and with seccomp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What was tried.
    pub attack: Attack,
    /// Its fate against namespaces, mounts and Landlock alone.
    pub without_seccomp: Outcome,
    /// Its fate against every layer, as a job would meet it.
    pub locked: Outcome,
    /// Whether the agent saw the attack arrive at its target.
    pub arrived: bool,
}

impl Row {
    /// Says whether a job could do this.
    #[must_use]
    pub fn open(&self) -> bool {
        self.locked == Outcome::GotThrough || self.arrived
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.open() { "OPEN" } else { "stopped" };
        write!(
            f,
            "{verdict}: {} (without seccomp: {}; locked: {})",
            self.attack, self.without_seccomp, self.locked
        )?;
        if self.arrived {
            f.write_str("; the agent saw it arrive")?;
        }
        Ok(())
    }
}

/// What a node may offer, given its confinement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SandboxLevel {
    /// Nothing: an attack got through.
    Closed,
    /// Jobs of the built-in engine.
    BuiltInEngine,
}

/// The result of the self test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelfTestReport {
    /// What may be offered.
    pub level: SandboxLevel,
    /// One row an attack, in the order of [`Attack::ALL`].
    pub rows: Vec<Row>,
    /// The layers that the tested worker observed.
    pub locked: LockedReport,
}

/// Why there is no report; the level is then [`SandboxLevel::Closed`].
#[derive(Debug, thiserror::Error)]
pub enum SelfTestError {
    /// The targets could not be set up.
    #[error("the self test's targets could not be set up: {0}")]
    Targets(#[source] io::Error),
    /// The worker did not come up.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The report's frame was malformed.
    #[error("the self test's report: {0}")]
    Report(#[from] FrameError),
    /// The report was missing, late or did not hold each attack once.
    #[error("the self test's worker did not report each attack once within {0:?}")]
    Incomplete(Duration),
}

/// What the worker sends after LOCKED: each attack in order, before and after the lock.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Trial {
    pub(crate) without_seccomp: Vec<Attempt>,
    pub(crate) locked: Vec<Attempt>,
}

/// Sets targets up, starts the attacking worker, and judges.
pub(crate) fn run(sandbox: &Sandbox, timeout: Duration) -> Result<SelfTestReport, SelfTestError> {
    let watched = Watched::set_up().map_err(SelfTestError::Targets)?;
    let purpose = Purpose::SelfTest(watched.targets().clone());
    let mut worker = sandbox.launch_for(purpose)?.wait_locked(timeout)?;
    let killer = worker.killer();
    let mut output = worker
        .take_stdout()
        .ok_or(SelfTestError::Incomplete(timeout))?;
    let frame = std::thread::scope(|scope| {
        let read = scope.spawn(|| read_frame(&mut output, MAX_REPORT_BYTES));
        if worker.wait_timeout(timeout).is_none() {
            killer.kill();
        }
        read.join().unwrap_or(Ok(None))
    })?;
    let trial = frame
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or(SelfTestError::Incomplete(timeout))?;
    let rows =
        judge(&trial, |attack| watched.saw(attack)).ok_or(SelfTestError::Incomplete(timeout))?;
    Ok(SelfTestReport {
        level: level(&rows),
        rows,
        locked: worker.report().clone(),
    })
}

/// Joins both passes with what the agent saw; `None` unless each attack was tried in order.
fn judge(trial: &Trial, arrived: impl Fn(Attack) -> bool) -> Option<Vec<Row>> {
    let complete = |attempts: &[Attempt]| {
        attempts.len() == Attack::ALL.len()
            && Attack::ALL
                .iter()
                .zip(attempts)
                .all(|(a, b)| *a == b.attack)
    };
    if !complete(&trial.without_seccomp) || !complete(&trial.locked) {
        return None;
    }
    let pairs = trial.without_seccomp.iter().zip(&trial.locked);
    Some(
        pairs
            .map(|(before, after)| Row {
                attack: after.attack,
                without_seccomp: before.outcome,
                locked: after.outcome,
                arrived: arrived(after.attack),
            })
            .collect(),
    )
}

fn level(rows: &[Row]) -> SandboxLevel {
    if rows.iter().any(Row::open) {
        SandboxLevel::Closed
    } else {
        SandboxLevel::BuiltInEngine
    }
}

#[cfg(test)]
mod tests;
