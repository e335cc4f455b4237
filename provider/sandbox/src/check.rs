//! The whole check: every attack of the table that needs no engine, each tried for real on this machine.
//!
//! It must never report a layer's configuration: a finding is an error number, a count or an end that was observed. It
//! takes some seconds, since time limits are among what is tried; [`crate::Sandbox::self_test`] is the quick part.

use std::time::Duration;

use crate::attack::{Attack, Means};
use crate::config::LandlockCeiling;
use crate::greeting::LockedReport;
use crate::layer::LayerName;
use crate::self_test::{self, Outcome, Row, SandboxLevel, SelfTestError};
use crate::worker::Sandbox;

/// The Landlock versions of older kernels that are rehearsed: none at all, Debian 12's, and the first with TCP.
const OLDER_LANDLOCK: [u8; 3] = [0, 2, 4];

/// What was found of one attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It was tried and did not work.
    Stopped,
    /// It was tried and worked.
    NotStopped,
    /// There is nothing here to try it on; the evidence says why.
    NotApplicable,
}

impl Verdict {
    /// Says it in words: `stopped`, `not stopped` or `not applicable`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stopped => "stopped",
            Self::NotStopped => "not stopped",
            Self::NotApplicable => "not applicable",
        }
    }

    pub(crate) fn stopped_if(is_stopped: bool) -> Self {
        if is_stopped {
            Self::Stopped
        } else {
            Self::NotStopped
        }
    }
}

/// One attack, tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was tried.
    pub attack: Attack,
    /// Whether it worked.
    pub verdict: Verdict,
    /// What was observed.
    pub evidence: String,
}

/// The result of the whole check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckReport {
    /// One finding for each attack that needs no engine, in the order of the table.
    pub findings: Vec<Finding>,
    /// The layers that a tested worker observed.
    pub locked: LockedReport,
}

impl CheckReport {
    /// Says what may be offered: nothing where any attack got through.
    #[must_use]
    pub fn level(&self) -> SandboxLevel {
        let is_open = |finding: &Finding| finding.verdict == Verdict::NotStopped;
        if self.findings.iter().any(is_open) {
            SandboxLevel::Closed
        } else {
            SandboxLevel::BuiltInEngine
        }
    }
}

/// Tries every attack that needs no engine.
pub(crate) fn run(sandbox: &Sandbox, timeout: Duration) -> Result<CheckReport, SelfTestError> {
    let calls: Vec<Attack> = Attack::with_calls().collect();
    let (rows, locked) = self_test::try_calls(sandbox, &calls, timeout)?;
    let mut findings: Vec<Finding> = rows.iter().map(of_row).collect();
    for attack in Attack::all().filter(|attack| !calls.contains(attack) && !attack.takes_a_job()) {
        // What could not be tried may work for all that is known.
        let found = find(sandbox, attack, timeout).unwrap_or_else(|error| Finding {
            attack,
            verdict: Verdict::NotStopped,
            evidence: format!("it could not be tried: {error}"),
        });
        findings.push(found);
    }
    findings.sort_by_key(|finding| finding.attack);
    Ok(CheckReport { findings, locked })
}

/// Tries one attack that needs no engine.
pub(crate) fn find(
    sandbox: &Sandbox,
    attack: Attack,
    timeout: Duration,
) -> Result<Finding, SelfTestError> {
    match attack.means() {
        Means::Calls => {
            let (rows, _) = self_test::try_calls(sandbox, &[attack], timeout)?;
            let row = rows.first().ok_or(SelfTestError::Incomplete(timeout))?;
            Ok(of_row(row))
        }
        Means::Worker | Means::Agent => crate::system::try_alone(sandbox, attack, timeout),
        Means::Downgrade => downgrade(sandbox, timeout),
        Means::Job => Ok(Finding {
            attack,
            verdict: Verdict::NotApplicable,
            evidence: "it takes an engine and a job".to_owned(),
        }),
    }
}

fn of_row(row: &Row) -> Finding {
    Finding {
        attack: row.attack,
        verdict: Verdict::stopped_if(!row.open()),
        evidence: row.evidence(),
    }
}

/// Rehearses older kernels: all calls again under less Landlock, where the other layers have to stand in.
fn downgrade(sandbox: &Sandbox, timeout: Duration) -> Result<Finding, SelfTestError> {
    let calls: Vec<Attack> = Attack::with_calls().collect();
    let (mut is_stopped, mut words) = (true, Vec::new());
    for version in OLDER_LANDLOCK {
        let older = sandbox
            .clone()
            .with_landlock(LandlockCeiling::AtMost(version));
        let (rows, locked) = self_test::try_calls(&older, &calls, timeout)?;
        let open: Vec<String> = rows
            .iter()
            .filter(|row| row.open() || !substitutes_hold(row, &locked))
            .map(|row| row.attack.to_string())
            .collect();
        is_stopped &= open.is_empty();
        let (abi, count) = (locked.landlock_abi, rows.len());
        words.push(match open.is_empty() {
            true => format!("Landlock {abi} in force: {count} of {count} stopped"),
            false => format!("Landlock {abi} in force: open: {}", open.join(", ")),
        });
    }
    Ok(Finding {
        attack: Attack::Downgrade,
        verdict: Verdict::stopped_if(is_stopped),
        evidence: words.join("; "),
    })
}

/// Says whether what stands in for Landlock stopped the attack before seccomp came and stopped nearly all; where only these
/// two stand against it, there is nothing to ask.
fn substitutes_hold(row: &Row, locked: &LockedReport) -> bool {
    let substitutes = [LayerName::Landlock, LayerName::Seccomp];
    let in_force = |name: &LayerName| locked.layers.iter().any(|layer| layer.name == *name);
    let mut others = row.attack.layers().iter();
    let has_others = others.any(|name| !substitutes.contains(name) && in_force(name));
    !has_others || row.without_seccomp != Some(Outcome::GotThrough)
}
