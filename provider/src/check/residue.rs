//! Owns row 27: one worker leaves a pattern in the card's memory, and another looks what it finds there.
//!
//! Never believes the second one before the first has shown that the pattern was there.

use std::time::Duration;

use engine::Residue;
use sandbox::{Sandbox, Verdict, read_frame};

use super::{EngineFinding, EngineLayer};
use crate::worker::Task;

/// How long a worker may take to warm up and lock itself, and then to do its part.
const PATIENCE: Duration = Duration::from_secs(120);

/// The largest report, in bytes.
const MAX_REPORT_BYTES: usize = 4_096;

/// Tries it. A worker that does not come up has found nothing, which is no evidence.
pub(super) fn find(sandbox: &Sandbox) -> EngineFinding {
    let both = told(sandbox, Task::LeaveResidue)
        .and_then(|left| Ok((left, told(sandbox, Task::FindResidue)?)));
    match both {
        Ok((left, found)) => judge(left, found),
        Err(why) => finding(Verdict::NotStopped, format!("it could not be tried: {why}")),
    }
}

fn judge(left: Residue, found: Residue) -> EngineFinding {
    if left.of_pattern == 0 || left.of_pattern != left.numbers || found.numbers == 0 {
        let words = format!("it could not be tried: of the pattern there was {left:?}");
        return finding(Verdict::NotStopped, words);
    }
    let verdict = match (found.not_zero, found.of_pattern) {
        (0, 0) => Verdict::Stopped,
        _ => Verdict::NotStopped,
    };
    let evidence = format!(
        "a worker left {} numbers of a pattern and ended; of {} numbers that another had not written, {} were not zero and \
         {} the pattern's",
        left.of_pattern, found.numbers, found.not_zero, found.of_pattern
    );
    finding(verdict, evidence)
}

/// Starts a worker for `task` and returns what it tells.
fn told(sandbox: &Sandbox, task: Task) -> Result<Residue, String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let launched = sandbox.clone().with_argument(task.argument()).launch();
    let mut worker = launched
        .and_then(|launched| launched.wait_locked(PATIENCE))
        .map_err(|error| words(&error))?;
    let mut output = worker.take_stdout().ok_or("a pipe is missing")?;
    let report = std::thread::scope(|scope| {
        let listening = scope.spawn(|| read_frame(&mut output, MAX_REPORT_BYTES));
        if worker.wait_timeout(PATIENCE).is_none() {
            worker.kill();
        }
        listening.join().unwrap_or(Ok(None))
    });
    let report = report.map_err(|error| words(&error))?;
    let silent = || {
        format!(
            "it ended without a word; it wrote: {:?}",
            worker.stderr_text()
        )
    };
    serde_json::from_slice(&report.ok_or_else(silent)?).map_err(|error| words(&error))
}

pub(super) fn finding(verdict: Verdict, evidence: String) -> EngineFinding {
    EngineFinding {
        row: 27,
        tried: "find on the card what another left".to_owned(),
        layer: EngineLayer::Scrubbing,
        verdict,
        evidence,
    }
}

#[cfg(test)]
mod tests;
