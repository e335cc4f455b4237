//! Owns the engine's attacks: hostile jobs that real confined workers are given, and what stopped each.
//!
//! An honest job comes first. Without its result nothing is said to have been stopped, since a worker that takes no job
//! stops everything. Never gives a worker anything that a stranger could not: jobs and files, by the agent's own way.

mod hostile;
mod residue;
mod soak;
mod trial;

use std::fmt;
use std::ops::RangeInclusive;

use sandbox::{Sandbox, Verdict};

pub use soak::{Left, Tally, soak};

use trial::{Ending, Heard, Trials};

/// What one attack of the engine's rows came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineFinding {
    /// The row of the table of attacks, 23 to 27.
    pub row: u8,
    /// What was tried, in words.
    pub tried: String,
    /// What stopped it, or should have.
    pub layer: EngineLayer,
    /// How it went.
    pub verdict: Verdict,
    /// What was seen: the refusal's own words, how the worker ended, or why nothing could be tried.
    pub evidence: String,
}

/// What stands between a hostile job and the machine, inside the worker and around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineLayer {
    /// An index is compared with its table on the processor before it reaches a device.
    IndexCheck,
    /// A file is what the model asks for, byte by byte, or it is refused by name.
    StrictReader,
    /// What the job may take of the card's memory.
    MemoryBudget,
    /// The most operations of one kernel.
    KernelBound,
    /// The agent's own clock, and the breaker that counts lost cards.
    ClockAndBreaker,
    /// Buffers start as zeros, and are overwritten when a job ends.
    Scrubbing,
}

impl EngineFinding {
    /// Tells whether this leaves a way open, so that nothing may be offered.
    pub fn is_open(&self) -> bool {
        self.verdict == Verdict::NotStopped
    }
}

impl fmt::Display for EngineLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IndexCheck => "index check",
            Self::StrictReader => "strict reader",
            Self::MemoryBudget => "memory budget",
            Self::KernelBound => "kernel bound",
            Self::ClockAndBreaker => "clock and breaker",
            Self::Scrubbing => "scrubbing",
        })
    }
}

/// Gives workers of `sandbox` the hostile jobs of those of rows 23 to 27 that are in `rows`, one after the other. Blocks:
/// about a second an attack on the processor.
///
/// What could not be tried counts as not stopped, with why: it may work for all that is known.
pub fn engine_attacks(sandbox: &Sandbox, rows: RangeInclusive<u8>) -> Vec<EngineFinding> {
    let (sandbox, wanted) = (sandbox.clone(), rows.clone());
    // A thread of its own, since the caller may be inside a runtime, which does not take a second one.
    let attacking = std::thread::Builder::new()
        .name("engine-attacks".to_owned())
        .spawn(move || attack(&sandbox, &wanted));
    let found = attacking.map(|thread| thread.join());
    match found {
        Ok(Ok(Ok(findings))) => findings,
        Ok(Ok(Err(why))) => nothing_tried(&rows, &why),
        Ok(Err(_)) => nothing_tried(&rows, "the thread that attacks broke off"),
        Err(error) => nothing_tried(&rows, &format!("no thread could be started: {error}")),
    }
}

fn attack(sandbox: &Sandbox, rows: &RangeInclusive<u8>) -> Result<Vec<EngineFinding>, String> {
    let trials = Trials::prepare(sandbox.clone()).map_err(|error| error.to_string())?;
    let control = trials.run(&hostile::honest());
    let did_not = || {
        let words = control.in_words();
        format!("the honest job before the attacks did not run: {words}")
    };
    let files = hostile::Files::of(&control).ok_or_else(did_not)?;
    let on_gpu = control.profile.as_deref() != Some("cpu");
    let mut findings = Vec::new();
    let wanted = hostile::attacks(&files).into_iter();
    for attack in wanted.filter(|attack| rows.contains(&attack.row)) {
        findings.push(match on_gpu || !attack.needs_gpu {
            true => judge(&attack, &trials.run(&attack.job)),
            false => finding(&attack, Verdict::NotApplicable, hostile::NO_CARD.to_owned()),
        });
    }
    if rows.contains(&26) {
        findings.push(hostile::hang());
    }
    if rows.contains(&27) {
        findings.push(match on_gpu {
            true => residue::find(sandbox),
            false => residue::finding(Verdict::NotApplicable, hostile::NO_CARD.to_owned()),
        });
    }
    Ok(findings)
}

/// Says what became of an attack. Only a refusal before any work is what the layer is for: where a worker died of it, the
/// confinement around it held, but a reader or a check did not.
fn judge(attack: &hostile::Attack, heard: &Heard) -> EngineFinding {
    let verdict = match heard.ending {
        Ending::Refused => Verdict::Stopped,
        _ => Verdict::NotStopped,
    };
    finding(attack, verdict, heard.in_words())
}

fn finding(attack: &hostile::Attack, verdict: Verdict, evidence: String) -> EngineFinding {
    EngineFinding {
        row: attack.row,
        tried: attack.tried.to_owned(),
        layer: attack.layer,
        verdict,
        evidence,
    }
}

/// One finding a row that says why nothing was tried.
fn nothing_tried(rows: &RangeInclusive<u8>, why: &str) -> Vec<EngineFinding> {
    let all = [
        (23, EngineLayer::IndexCheck),
        (24, EngineLayer::StrictReader),
        (25, EngineLayer::MemoryBudget),
        (26, EngineLayer::KernelBound),
        (27, EngineLayer::Scrubbing),
    ];
    let row = |(row, layer)| EngineFinding {
        row,
        tried: "nothing".to_owned(),
        layer,
        verdict: Verdict::NotStopped,
        evidence: format!("it could not be tried: {why}"),
    };
    let wanted = all.into_iter().filter(|(row, _)| rows.contains(row));
    wanted.map(row).collect()
}

#[cfg(test)]
mod tests;
