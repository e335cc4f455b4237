//! The unconfined start, for measuring alone: how long a worker takes to greet without layers.
//!
//! It must never lead to a job: the process gets no input pipe, the parent keeps no handle to its
//! output, and its greeting is one that [`crate::Launched::wait_locked`] refuses.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::config::{STAGE_VARIABLE, Stage, WorkerProgram};
use crate::frame::{FrameError, read_frame, write_frame};
use crate::greeting::{Greeting, MAX_GREETING_BYTES};
use crate::worker::LaunchError;

/// What [`crate::enter`] gives a worker of the bench: only the right to say that it is up.
#[derive(Debug)]
pub struct UnconfinedStart(pub(crate) ());

impl UnconfinedStart {
    /// Says that the worker is as far as LOCKED would be; the caller then ends.
    ///
    /// # Errors
    /// The pipe's error.
    pub fn announce(self, output: &mut impl Write) -> Result<(), FrameError> {
        write_frame(output, &Greeting::Unconfined.encode())
    }
}

/// Times the start of `program` without confinement, from before the fork to its greeting.
///
/// # Errors
/// The program did not start, or its first frame was not the bench's greeting.
pub fn time_unconfined_start(program: &WorkerProgram) -> Result<Duration, LaunchError> {
    let start = Instant::now();
    let mut child = Command::new(&program.path)
        .args(&program.args)
        .env_clear()
        .env(STAGE_VARIABLE, Stage::Bench.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(LaunchError::Spawn)?;
    let mut output = child
        .stdout
        .take()
        .expect("the output was asked for as a pipe");
    let greeting = read_frame(&mut output, MAX_GREETING_BYTES);
    let taken = start.elapsed();
    drop(output);
    child.wait().map_err(LaunchError::Spawn)?;
    let bytes = greeting?.ok_or(LaunchError::EndedEarly {
        stderr: String::new(),
    })?;
    match Greeting::decode(&bytes) {
        Ok(Greeting::Unconfined) => Ok(taken),
        _ => Err(LaunchError::NotAGreeting),
    }
}
