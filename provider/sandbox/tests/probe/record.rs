//! The agent's part of `scripts/record-driver`: it says what a profile lists and starts one worker
//! with it. It must never be part of the product.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use sandbox::{
    AfterLock, DriverError, DriverProfile, Ioctl, Limits, Sandbox, WorkerProgram, read_frame,
};

/// Under strace, and on the first start of a driver, everything takes long.
const PATIENCE: Duration = Duration::from_secs(120);

/// `record DRIVER [CARD [PROGRAM ARGUMENT...]]`: prints the listing, then runs the worker.
pub(crate) fn record(driver: &str, rest: &[&str]) -> ExitCode {
    let (card, program) = match rest {
        [] => ("", None),
        [card] => (*card, None),
        [card, path, args @ ..] => (
            *card,
            Some(WorkerProgram {
                path: PathBuf::from(path),
                args: args.iter().map(Into::into).collect(),
            }),
        ),
    };
    let program = program.unwrap_or_else(|| {
        let mode = if driver == "cpu" { "echo" } else { "vulkan" };
        WorkerProgram::this_binary(["worker", mode])
    });
    match listed(driver, card, &program).and_then(|profile| run(program, profile)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn profile(driver: &str, card: &str) -> Result<DriverProfile, Box<dyn std::error::Error>> {
    let card: Option<u32> = Some(card)
        .filter(|card| !card.is_empty())
        .map(str::parse)
        .transpose()?;
    let made: Result<DriverProfile, DriverError> = match driver {
        "cpu" => Ok(DriverProfile::cpu()),
        "lavapipe" => DriverProfile::lavapipe(),
        "nvidia" => DriverProfile::nvidia(card.unwrap_or(0)),
        "amd" => DriverProfile::amd(card.unwrap_or(128)),
        "intel" => DriverProfile::intel(card.unwrap_or(128)),
        other => return Err(format!("there is no profile of {other:?}").into()),
    };
    Ok(made?)
}

/// Prints a line for each entry: its kind, the thing itself, and after a tab the reason.
fn listed(
    driver: &str,
    card: &str,
    program: &WorkerProgram,
) -> Result<DriverProfile, Box<dyn std::error::Error>> {
    let profile = profile(driver, card)?.for_program(program)?;
    println!("proven {}", profile.proven());
    for entry in &profile.paths {
        println!("file {}\t{}", entry.path.display(), entry.reason);
    }
    for link in &profile.links {
        println!("link {}\t{}", link.path.display(), link.target.display());
    }
    for device in &profile.devices {
        println!("device {}\t{}", device.path.display(), device.reason);
    }
    if let AfterLock::Devices { ioctls } = &profile.after_lock {
        for ioctl in ioctls {
            match ioctl {
                Ioctl::Type { letter, reason } => println!("ioctl type {letter:#x}\t{reason}"),
                Ioctl::Number { number, reason } => println!("ioctl number {number:#x}\t{reason}"),
            }
        }
    }
    #[cfg(target_os = "linux")]
    for call in sandbox::calls_after_lock(&profile) {
        println!("call {call}");
    }
    Ok(profile)
}

fn run(program: WorkerProgram, profile: DriverProfile) -> Result<(), Box<dyn std::error::Error>> {
    let sandbox = Sandbox::new(program, profile, Limits::default());
    let mut worker = sandbox.launch()?.wait_locked(PATIENCE)?;
    println!("locked");
    drop(worker.take_stdin());
    let mut output = worker.take_stdout().ok_or("the worker has no output")?;
    while let Some(frame) = read_frame(&mut output, 1 << 20)? {
        println!("answer {}", String::from_utf8_lossy(&frame));
    }
    println!("ended {:?}", worker.wait_timeout(PATIENCE));
    Ok(())
}
