//! The attacks that may cost a worker its life: bombs, floods, spins and what outlives a kill.
//!
//! It must never run but in a worker, under limits small enough that the machine does not notice, and each is bounded
//! where nothing stops it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::sync::mpsc;

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal, setsid};

use super::enter::Confined;
use super::sys::{self, Fork};
use super::trial::{FORKS, HOSTILE_VARIABLES, MEMORY_TIMES, Progress, SCRATCH_TIMES, THREADS};
use crate::attack::Attack;
use crate::frame::write_frame;
use crate::layer::{ConfineError, LayerName};
use crate::limits::Limits;
use crate::targets::Targets;

/// How many bytes of memory are taken at once, and told of.
const BLOCK_BYTES: usize = 1 << 20;

/// What an attack makes ready while files can be opened and processes started.
enum Ready {
    Nothing,
    File(io::Result<File>),
    Daemon(io::Result<u64>),
}

/// Runs one attack to its end, or until it is stopped.
pub(super) fn run(
    confined: Confined,
    attack: Attack,
    targets: &Targets,
) -> Result<ExitCode, ConfineError> {
    let failed = |error| ConfineError::new(LayerName::Seccomp, "report an attack", error);
    let limits = confined.limits().clone();
    let ready = make_ready(attack, targets);
    let locked = confined.lock()?;
    locked.announce(&mut io::stdout()).map_err(failed)?;
    if let Some(progress) = act(attack, ready, &limits) {
        tell(progress);
    }
    // What is left behind is still there while the agent looks.
    if matches!(attack, Attack::Daemon | Attack::Orphan | Attack::Injection) {
        stay();
    }
    Ok(ExitCode::SUCCESS)
}

fn make_ready(attack: Attack, targets: &Targets) -> Ready {
    match attack {
        Attack::DiskFill => {
            Ready::File(File::create(super::attacks::writable(targets).join("full")))
        }
        Attack::Daemon => Ready::Daemon(leave_behind()),
        Attack::EarlyBytes => {
            let mut output = io::stdout().lock();
            // Whether they arrive is for the agent to say.
            let _ = output
                .write_all(b"send the job")
                .and_then(|()| output.flush());
            Ready::Nothing
        }
        _ => Ready::Nothing,
    }
}

/// Returns how far it came, where it comes to an end by itself.
fn act(attack: Attack, ready: Ready, limits: &Limits) -> Option<Progress> {
    match (attack, ready) {
        (Attack::ForkBomb, _) => Some(fork_bomb()),
        (Attack::ThreadBomb, _) => Some(thread_bomb()),
        (Attack::MemoryBomb, _) => Some(take_memory(MEMORY_TIMES * limits.memory_bytes)),
        (_, Ready::File(file)) => Some(fill(file, SCRATCH_TIMES * limits.scratch_bytes)),
        (_, Ready::Daemon(left)) => Some(progress(left)),
        (Attack::Injection, _) => Some(Progress {
            done: hostile_variables(),
            errno: None,
        }),
        (Attack::Orphan, _) => Some(Progress {
            done: 1,
            errno: None,
        }),
        (Attack::OutputFlood, _) => flood(),
        (Attack::ProcessorSpin, _) => spin(),
        (Attack::BlockedCall, _) => block(),
        _ => None,
    }
}

fn tell(progress: Progress) {
    let bytes = serde_json::to_vec(&progress).expect("two numbers");
    // An agent that does not listen any more has seen enough.
    let _ = write_frame(&mut io::stdout(), &bytes);
}

fn progress(result: io::Result<u64>) -> Progress {
    match result {
        Ok(done) => Progress { done, errno: None },
        Err(error) => Progress {
            done: 0,
            errno: error.raw_os_error(),
        },
    }
}

fn fork_bomb() -> Progress {
    let bomb = getpid();
    for done in 0..FORKS {
        match sys::fork_unchecked() {
            Ok(Fork::Child) => {
                // It ends with this process, whatever else holds; which may have ended before it asked for that.
                let _ = set_parent_process_death_signal(Some(Signal::KILL));
                match getppid() == Some(bomb) {
                    true => stay(),
                    false => sys::leave(0),
                }
            }
            Ok(Fork::Parent(_)) => {}
            Err(error) => {
                let errno = error.raw_os_error();
                return Progress { done, errno };
            }
        }
    }
    Progress {
        done: FORKS,
        errno: None,
    }
}

fn thread_bomb() -> Progress {
    let (hold, held) = mpsc::channel::<()>();
    let held = std::sync::Arc::new(std::sync::Mutex::new(held));
    let mut threads = Vec::new();
    let mut errno = None;
    for _ in 0..THREADS {
        let held = std::sync::Arc::clone(&held);
        let wait = move || held.lock().is_ok_and(|held| held.recv().is_ok());
        let builder = std::thread::Builder::new().stack_size(64 << 10);
        match builder.spawn(wait) {
            Ok(thread) => threads.push(thread),
            Err(error) => {
                errno = error.raw_os_error();
                break;
            }
        }
    }
    let done = threads.len() as u64;
    drop(hold);
    for thread in threads {
        let _ = thread.join();
    }
    Progress { done, errno }
}

/// Takes memory and writes to each page; tells how many mebibytes it has, since it may not live to the end.
fn take_memory(bytes: u64) -> Progress {
    let mut blocks = Vec::new();
    let mut done = 0;
    tell(Progress { done, errno: None });
    while done * (BLOCK_BYTES as u64) < bytes {
        let mut block: Vec<u8> = Vec::new();
        if block.try_reserve_exact(BLOCK_BYTES).is_err() {
            let errno = Some(libc::ENOMEM);
            return Progress { done, errno };
        }
        block.resize(BLOCK_BYTES, 1);
        blocks.push(std::hint::black_box(block));
        done += 1;
        if done.is_multiple_of(8) {
            tell(Progress { done, errno: None });
        }
    }
    Progress { done, errno: None }
}

fn fill(file: io::Result<File>, bytes: u64) -> Progress {
    let chunk = [1_u8; 1 << 16];
    let mut done = 0;
    let write = || -> io::Result<u64> {
        let mut file = file?;
        while done < bytes {
            done += file.write(&chunk)? as u64;
        }
        Ok(done)
    };
    let errno = write().err().and_then(|error| error.raw_os_error());
    Progress { done, errno }
}

fn flood() -> Option<Progress> {
    let frame = vec![0_u8; 60 << 10];
    while write_frame(&mut io::stdout(), &frame).is_ok() {}
    None
}

fn spin() -> ! {
    let mut number = 0_u64;
    loop {
        number = std::hint::black_box(number.wrapping_add(1));
    }
}

/// Waits in one call for bytes that never come.
fn block() -> Option<Progress> {
    let _ = io::stdin().lock().read_exact(&mut [0]);
    stay()
}

/// Waits for ever.
pub(super) fn stay() -> ! {
    loop {
        std::thread::park();
    }
}

/// Leaves a process behind that is nobody's child and in a session of its own; returns its id.
fn leave_behind() -> io::Result<u64> {
    let (read, write) = rustix::pipe::pipe()?;
    match sys::fork_unchecked()? {
        Fork::Child => {
            let left = setsid()
                .map_err(io::Error::from)
                .and_then(|_| sys::fork_unchecked());
            match left {
                Ok(Fork::Child) => stay(),
                Ok(Fork::Parent(left)) => {
                    let id = left.as_raw_nonzero().get().to_le_bytes();
                    let _ = rustix::io::write(&write, &id);
                    sys::leave(0)
                }
                Err(_) => sys::leave(1),
            }
        }
        Fork::Parent(child) => {
            drop(write);
            super::init::wait_for(child)?;
            let mut id = [0; 4];
            match rustix::io::read(&read, &mut id)? {
                4 => Ok(u64::from(u32::from_le_bytes(id))),
                _ => Err(io::Error::from_raw_os_error(libc::EPERM)),
            }
        }
    }
}

fn hostile_variables() -> u64 {
    let here = HOSTILE_VARIABLES
        .iter()
        .filter(|(name, _)| std::env::var_os(name).is_some());
    here.count() as u64
}
