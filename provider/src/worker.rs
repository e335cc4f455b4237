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

/// The hidden command that makes a process a worker.
pub const WORKER_COMMAND: &str = "worker";

/// What a worker's process ends with when its card was lost; the agent tells it from a job that failed, also where no
/// frame could be sent any more.
pub const CARD_LOST_EXIT: u8 = 86;

/// What a job may take of the card's memory. The one place to change once the sandbox's limits say it.
const CARD_BUDGET: Budget = Budget::UNLIMITED;

/// Describes this binary as a worker that computes on `device`.
pub fn program(device: &EngineDevice) -> WorkerProgram {
    WorkerProgram::this_binary([OsString::from(WORKER_COMMAND), device.to_string().into()])
}

/// Lives the life of a worker. `arguments` are those after the command's name.
///
/// Errors go to the agent, as the first frame or as the job's last one, and in words to stderr.
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    live(|| Ok((parse_device(arguments)?, CARD_BUDGET)))
}

/// Lives the life of a worker on a device that no text names, under a budget of its own: for tests alone.
#[doc(hidden)]
pub fn main_on(device: EngineDevice, budget: Budget) -> ExitCode {
    live(|| Ok((device, budget)))
}

fn live(choice: impl FnOnce() -> Result<(EngineDevice, Budget), String>) -> ExitCode {
    let entered = match sandbox::enter() {
        Ok(entered) => entered,
        Err(error) => return fail(&error),
    };
    let (device, budget) = match choice() {
        Ok(choice) => choice,
        Err(error) => return fail(&error),
    };
    match entered {
        Entered::Finished(code) => code,
        Entered::Confined(confined) => serve(confined, &device, budget),
        Entered::Unconfined(start) => announce_unconfined(start, &device, budget),
    }
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    eprintln!("nightshift worker: {error}");
    ExitCode::FAILURE
}

fn parse_device(mut arguments: impl Iterator<Item = OsString>) -> Result<EngineDevice, String> {
    let text = arguments.next().unwrap_or_else(|| "flex".into());
    let text = text.to_string_lossy();
    text.parse().map_err(|error| format!("{error}"))
}

fn serve(confined: Confined, device: &EngineDevice, budget: Budget) -> ExitCode {
    let card = match warmed_up(device, budget) {
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

/// For the bench alone: the same warm-up without any layer, and no way to take a job.
fn announce_unconfined(start: UnconfinedStart, device: &EngineDevice, budget: Budget) -> ExitCode {
    if let Err(error) = warmed_up(device, budget) {
        return fail(&error);
    }
    match start.announce(&mut io::stdout()) {
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
