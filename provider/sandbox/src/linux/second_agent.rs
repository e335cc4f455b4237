//! A second agent, which the check starts in order to kill it, or to give it a hostile environment.
//!
//! It must never be more than an agent: it starts a worker as any agent does, and what it tells is what it sees.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use rustix::process::{Signal, set_parent_process_death_signal};

use crate::attack::Attack;
use crate::config::{LandlockCeiling, Purpose, SecondAgent, WorkerProgram};
use crate::family::family_of;
use crate::frame::{read_frame, write_frame};
use crate::layer::{ConfineError, LayerName};
use crate::worker::{Entered, Sandbox};

/// How long its worker may take to lock itself.
const LOCK_TIMEOUT: Duration = Duration::from_secs(60);
/// The largest frame of its worker, in bytes.
const MAX_FRAME_BYTES: usize = 4096;

/// Starts the worker, tells which processes there are and how far the attack came, and stays where it is to be killed.
pub(super) fn run(config: SecondAgent) -> Result<Entered, ConfineError> {
    let failed = |step: &'static str| {
        move |error: &dyn std::fmt::Display| ConfineError::new(LayerName::ParentDeath, step, error)
    };
    // Whatever ends the check ends this one too.
    set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(|error| failed("end with the check")(&error))?;
    let sandbox = Sandbox {
        program: WorkerProgram::this_binary(std::env::args_os().skip(1)),
        profile: config.profile,
        limits: config.limits,
        landlock: LandlockCeiling::Best,
        left_out: config.left_out,
    };
    let purpose = Purpose::Attack {
        attacks: vec![config.attack],
        targets: config.targets,
    };
    let launched = sandbox.launch_for(purpose);
    let mut worker = launched
        .and_then(|launched| launched.wait_locked(LOCK_TIMEOUT))
        .map_err(|error| failed("start a worker")(&error))?;
    let mut output = worker
        .take_stdout()
        .ok_or_else(|| failed("take a pipe")(&"it is gone"))?;
    let report = read_frame(&mut output, MAX_FRAME_BYTES)
        .map_err(|error| failed("hear the worker")(&error))?
        .ok_or_else(|| failed("hear the worker")(&"it ended"))?;
    let tree = serde_json::to_vec(&family_of(worker.id())).expect("a list holds only numbers");
    for frame in [tree, report] {
        write_frame(&mut io::stdout(), &frame).map_err(|error| failed("tell")(&error))?;
    }
    if config.attack == Attack::Orphan {
        super::bombs::stay();
    }
    Ok(Entered::Finished(ExitCode::SUCCESS))
}
