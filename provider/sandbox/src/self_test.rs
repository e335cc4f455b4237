//! The quick self test: a worker attacks its own confinement by calls while the agent watches the targets.
//!
//! It must never count an attack as stopped on the worker's word alone where the agent can look itself, and any attack
//! that got through closes the level.

use std::fmt;
use std::io;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::attack::Attack;
use crate::config::Purpose;
use crate::frame::{FrameError, read_frame};
use crate::greeting::LockedReport;
use crate::targets::Watched;
use crate::worker::{LaunchError, Sandbox};

/// The largest report accepted, in bytes.
const MAX_REPORT_BYTES: usize = 64 * 1024;

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
pub(crate) struct Attempt {
    /// What was tried.
    pub(crate) attack: Attack,
    /// What became of it.
    pub(crate) outcome: Outcome,
}

/// One line of the report: an attack tried twice, without and with seccomp.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// What was tried.
    pub attack: Attack,
    /// Its fate against namespaces, mounts and Landlock alone; `None` where it was tried after seccomp only.
    pub without_seccomp: Option<Outcome>,
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

    /// Says what was observed.
    #[must_use]
    pub fn evidence(&self) -> String {
        let arrived = if self.arrived {
            "; the agent saw it arrive"
        } else {
            ""
        };
        let before = match self.without_seccomp {
            Some(outcome) => format!("before seccomp: {outcome}; "),
            None => String::new(),
        };
        format!("{before}LOCKED: {}{arrived}", self.locked)
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.open() { "OPEN" } else { "stopped" };
        write!(f, "{verdict}: {} ({})", self.attack, self.evidence())
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
    /// One row an attack, in the order of the table.
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
    /// Something that nobody of the self test made lay where an attack aims.
    #[error(
        "another program put something into the self test's folder meanwhile, so that nothing can be said; try again"
    )]
    Disturbed,
}

/// What the worker sends after LOCKED: each attack in order, before and after the lock.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Trial {
    /// `None` from a worker that does without a layer: there only what a job could do counts.
    pub(crate) without_seccomp: Option<Vec<Attempt>>,
    pub(crate) locked: Vec<Attempt>,
}

/// Tries the quick set, and judges.
pub(crate) fn run(sandbox: &Sandbox, timeout: Duration) -> Result<SelfTestReport, SelfTestError> {
    let attacks: Vec<Attack> = Attack::with_calls().collect();
    let (rows, locked) = try_calls(sandbox, &attacks, timeout)?;
    Ok(SelfTestReport {
        level: level(&rows),
        rows,
        locked,
    })
}

/// Sets targets up, starts a worker that makes the calls of `attacks`, and joins what both saw.
pub(crate) fn try_calls(
    sandbox: &Sandbox,
    attacks: &[Attack],
    timeout: Duration,
) -> Result<(Vec<Row>, LockedReport), SelfTestError> {
    let watched = Watched::set_up().map_err(SelfTestError::Targets)?;
    let purpose = Purpose::Attack {
        attacks: attacks.to_vec(),
        targets: watched.targets().clone(),
    };
    let mut worker = sandbox.launch_for(purpose)?.wait_locked(timeout)?;
    let killer = worker.killer();
    // Every layer has been looked for, and the worker may end.
    drop(worker.take_stdin());
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
    if watched.is_disturbed() {
        return Err(SelfTestError::Disturbed);
    }
    let rows = judge(attacks, &trial, |attack| watched.saw(attack))
        .ok_or(SelfTestError::Incomplete(timeout))?;
    Ok((rows, worker.report().clone()))
}

/// Joins both passes with what the agent saw; `None` unless each attack was tried in order.
fn judge(attacks: &[Attack], trial: &Trial, arrived: impl Fn(Attack) -> bool) -> Option<Vec<Row>> {
    let complete = |attempts: &[Attempt]| {
        attempts.len() == attacks.len()
            && attacks
                .iter()
                .zip(attempts)
                .all(|(attack, attempt)| *attack == attempt.attack)
    };
    let before = trial.without_seccomp.as_deref();
    if !before.is_none_or(complete) || !complete(&trial.locked) {
        return None;
    }
    let row = |(place, after): (usize, &Attempt)| Row {
        attack: after.attack,
        without_seccomp: before.map(|before| before[place].outcome),
        locked: after.outcome,
        arrived: arrived(after.attack),
    };
    Some(trial.locked.iter().enumerate().map(row).collect())
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
