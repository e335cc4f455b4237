//! Owns the worker process from its first instruction to its last: confined, warmed up, locked, and only
//! then listening for one job.
//!
//! Never starts a thread before [`sandbox::enter`] has returned, and never reads a byte of a job before
//! LOCKED is out.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use engine::{EngineDevice, MAX_FRAME_BYTES, Pipe};
use sandbox::{Confined, Entered, UnconfinedStart, WorkerProgram};

use crate::bench;

/// The hidden command that makes a process a worker.
pub const WORKER_COMMAND: &str = "worker";

/// Describes this binary as a worker that computes on `device`.
pub fn program(device: &EngineDevice) -> WorkerProgram {
    WorkerProgram::this_binary([OsString::from(WORKER_COMMAND), device.to_string().into()])
}

/// Lives the life of a worker. `arguments` are those after the command's name.
///
/// Errors go to the agent, as the first frame or as the job's last one, and in words to stderr.
pub fn main(mut arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let entered = match sandbox::enter() {
        Ok(entered) => entered,
        Err(error) => return fail(&error),
    };
    let device = match parse_device(&mut arguments) {
        Ok(device) => device,
        Err(error) => return fail(&error),
    };
    match entered {
        Entered::Finished(code) => code,
        Entered::Confined(confined) => serve(confined, &device),
        Entered::Unconfined(start) => serve_bench(start, &device, arguments.next()),
    }
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("nightshift worker: {error}");
    ExitCode::FAILURE
}

fn parse_device(arguments: &mut impl Iterator<Item = OsString>) -> Result<EngineDevice, String> {
    let text = arguments.next().unwrap_or_else(|| "flex".into());
    let text = text.to_string_lossy();
    text.parse().map_err(|error| format!("{error}"))
}

fn serve(confined: Confined, device: &EngineDevice) -> ExitCode {
    if let Err(error) = engine::warm_up(device) {
        confined.refuse(&error.to_string());
        return fail(&error);
    }
    let mut output = io::stdout();
    let locked = match confined.lock() {
        Ok(locked) => locked,
        Err(error) => return fail(&error),
    };
    if let Err(error) = locked.announce(&mut output) {
        return fail(&error);
    }
    let mut pipe = FramedPipe {
        input: io::stdin(),
        output,
    };
    match engine::run(&mut pipe, device) {
        Ok(_summary) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// For the bench alone: the same warm-up without any layer, and no way to take a job; at most it does the bench's own.
fn serve_bench(start: UnconfinedStart, device: &EngineDevice, task: Option<OsString>) -> ExitCode {
    if let Err(error) = engine::warm_up(device) {
        return fail(&error);
    }
    if let Err(error) = start.announce(&mut io::stdout()) {
        return fail(&error);
    }
    if task.is_none_or(|task| task != bench::WORK_ARGUMENT) {
        return ExitCode::SUCCESS;
    }
    let report = match bench::unconfined(device) {
        Ok(worked) => serde_json::to_vec(&worked).expect("three numbers"),
        Err(error) => return fail(&error),
    };
    match sandbox::write_frame(&mut io::stdout(), &report) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// The engine's messages as the sandbox's frames.
struct FramedPipe<R, W> {
    input: R,
    output: W,
}

impl<R: Read, W: Write> Pipe for FramedPipe<R, W> {
    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        sandbox::read_frame(&mut self.input, MAX_FRAME_BYTES).map_err(io::Error::other)
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        sandbox::write_frame(&mut self.output, message).map_err(io::Error::other)
    }
}
