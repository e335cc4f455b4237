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

/// Lives the life of a worker on a device that no text names, under a budget of its own: for tests alone. `arguments` are
/// those after the device.
#[doc(hidden)]
pub fn main_on(
    device: EngineDevice,
    budget: Budget,
    arguments: impl Iterator<Item = OsString>,
) -> ExitCode {
    live(|| {
        Ok(Part {
            device,
            budget: Some(budget),
            task: Task::of(arguments)?,
        })
    })
}

/// What a worker does once it is up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// It takes one job.
    Job,
    /// It does the bench's own work; an unconfined worker alone.
    BenchWork,
    /// It leaves a pattern in the card's memory.
    LeaveResidue,
    /// It looks what it finds in the card's memory.
    FindResidue,
}

impl Task {
    /// Returns the argument that asks for it.
    pub(crate) const fn argument(self) -> &'static str {
        match self {
            Self::Job => "job",
            Self::BenchWork => bench::WORK_ARGUMENT,
            Self::LeaveResidue => "leave-residue",
            Self::FindResidue => "find-residue",
        }
    }

    fn of(mut arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let Some(word) = arguments.next() else {
            return Ok(Self::Job);
        };
        let tasks = [
            Self::Job,
            Self::BenchWork,
            Self::LeaveResidue,
            Self::FindResidue,
        ];
        let task = tasks.into_iter().find(|task| word == task.argument());
        task.ok_or_else(|| format!("a worker has no task {}", word.display()))
    }
}

/// What a worker is told by its arguments.
struct Part {
    device: EngineDevice,
    /// What a job may take of the card's memory, where it is not the sandbox's limit.
    budget: Option<Budget>,
    task: Task,
}

impl Part {
    fn of(mut arguments: impl Iterator<Item = OsString>) -> Result<Self, String> {
        let text = arguments.next().unwrap_or_else(|| "flex".into());
        let device = text.to_string_lossy().parse();
        Ok(Self {
            device: device.map_err(|error| format!("{error}"))?,
            budget: None,
            task: Task::of(arguments)?,
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
    let told = match part.task {
        Task::Job => return take_job(&card, output),
        Task::LeaveResidue => engine::leave_residue(&card),
        Task::FindResidue => engine::find_residue(&card),
        Task::BenchWork => return fail(&"a confined worker gets the bench's work as jobs"),
    };
    match told {
        // It ends without scrubbing, as one that is killed does.
        Ok(residue) => tell(&residue),
        Err(error) => fail(&error),
    }
}

fn take_job(card: &Card, output: io::Stdout) -> ExitCode {
    let mut pipe = FramedPipe {
        input: io::stdin(),
        output,
    };
    match engine::run(&mut pipe, card) {
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
    if part.task != Task::BenchWork {
        return ExitCode::SUCCESS;
    }
    match bench::unconfined(&card) {
        Ok(worked) => tell(&worked),
        Err(error) => fail(&error),
    }
}

/// Sends what a worker that takes no job found.
fn tell(report: &impl serde::Serialize) -> ExitCode {
    let report = serde_json::to_vec(report).expect("a few numbers");
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
