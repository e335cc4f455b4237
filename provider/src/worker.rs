//! Owns the worker process from its first instruction to its last: confined, warmed up, locked, and only
//! then listening for one job.
//!
//! Never starts a thread before [`sandbox::enter`] has returned, and never reads a byte of a job before
//! LOCKED is out.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use engine::{Budget, Card, EngineDevice, FailureCause, MAX_FRAME_BYTES, Pipe, RunError};
use sandbox::{Confined, Entered, UnconfinedStart, WorkerProgram};

use crate::bench;

/// The hidden command that makes a process a worker.
pub const WORKER_COMMAND: &str = "worker";

/// What a worker's process ends with when its card was lost; the agent tells it from a job that failed, also where no
/// frame could be sent any more.
pub const CARD_LOST_EXIT: u8 = 86;

/// Describes this binary as a worker that computes on `device`.
pub fn program(device: &EngineDevice) -> WorkerProgram {
    WorkerProgram::this_binary([OsString::from(WORKER_COMMAND), device.to_string().into()])
}

/// Lives the life of a worker. `arguments` are those after the command's name.
///
/// Errors go to the agent, as the first frame or as the job's last one, and in words to stderr.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    live(|| Part::of(arguments))
}

/// Lives the life of a worker on a device that no text names, under a budget of its own: for tests alone.
#[doc(hidden)]
pub fn main_on(device: EngineDevice, budget: Budget) -> ExitCode {
    live(|| {
        Ok(Part {
            device,
            budget: Some(budget),
            task: None,
        })
    })
}

/// What a worker is told by its arguments.
struct Part {
    device: EngineDevice,
    /// What a job may take of the card's memory, where it is not the sandbox's limit.
    budget: Option<Budget>,
    /// What an unconfined worker does once it is up.
    task: Option<OsString>,
}

impl Part {
    fn of(mut arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let text = arguments.next().unwrap_or_else(|| "flex".into());
        let device = text.to_string_lossy().parse();
        Ok(Self {
            device: device.map_err(|error| format!("{error}"))?,
            budget: None,
            task: arguments.next(),
        })
    }
}

fn live(part: impl FnOnce() -> Result<Part, String>) -> ExitCode {
    let entered = match sandbox::enter() {
        Ok(entered) => entered,
        Err(error) => return fail(&error),
    };
    let part = match part() {
        Ok(part) => part,
        Err(error) => return fail(&error),
    };
    match entered {
        Entered::Finished(code) => code,
        Entered::Confined(confined) => serve(confined, &part),
        Entered::Unconfined(start) => serve_bench(start, &part),
    }
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("nightshift worker: {error}");
    ExitCode::FAILURE
}

fn serve(confined: Confined, part: &Part) -> ExitCode {
    let limit = Budget::of_bytes(confined.limits().vram_bytes);
    let card = match warmed_up(&part.device, part.budget.unwrap_or(limit)) {
        Ok(card) => card,
        Err(error) => {
            confined.refuse(&error.to_string());
            return fail(&error);
        }
    };
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
    match engine::run(&mut pipe, &card) {
        Ok(_summary) => ExitCode::SUCCESS,
        Err(error) if error.cause() == FailureCause::CardLost => {
            let _failed = fail(&error);
            ExitCode::from(CARD_LOST_EXIT)
        }
        Err(error) => fail(&error),
    }
}

/// Opens the card, once in the life of this process, and touches everything that a job will use of it.
fn warmed_up(device: &EngineDevice, budget: Budget) -> Result<Card, RunError> {
    let card = Card::open(device, budget)?;
    engine::warm_up(&card)?;
    Ok(card)
}

/// For the bench alone: the same warm-up without any layer, and no way to take a job; at most it does the bench's own.
fn serve_bench(start: UnconfinedStart, part: &Part) -> ExitCode {
    let card = match warmed_up(&part.device, part.budget.unwrap_or(Budget::UNLIMITED)) {
        Ok(card) => card,
        Err(error) => return fail(&error),
    };
    if let Err(error) = start.announce(&mut io::stdout()) {
        return fail(&error);
    }
    if part
        .task
        .as_ref()
        .is_none_or(|task| task != bench::WORK_ARGUMENT)
    {
        return ExitCode::SUCCESS;
    }
    let report = match bench::unconfined(&card) {
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
