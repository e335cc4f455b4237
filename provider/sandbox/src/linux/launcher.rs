//! The launcher stage: one thread that gives rights up, forks the init process and waits for it.
//!
//! It must never run with a second thread or an inherited descriptor, and it keeps no pipe open
//! once the init process runs: the pipes end when the worker does.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitCode;

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::init::{self, Program};
use super::sys::{self, Fork};
use super::{identity, limit, namespaces};
use crate::config::LaunchConfig;
use crate::layer::{ConfineError, LayerName};

/// Runs the stage to the end of the worker and returns the worker's code.
pub(super) fn run(mut config: LaunchConfig) -> Result<ExitCode, ConfineError> {
    let step =
        |layer, step: &'static str| move |error: io::Error| ConfineError::new(layer, step, error);
    if config.has(LayerName::Descriptors) {
        sys::close_from(3).map_err(step(LayerName::Descriptors, "close_range"))?;
    }
    sys::default_signals();
    // Where memory runs out, a stranger's job goes before anything of the owner's.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let program = open_program().map_err(step(LayerName::MountNamespace, "open the program"))?;
    config.outer_namespaces =
        namespaces::current().map_err(step(LayerName::UserNamespace, "read /proc/self/ns"))?;
    identity::settle(&config)?;
    namespaces::enter(&config)?;
    if config.has(LayerName::ResourceLimits) {
        limit::apply(&config)?;
    }
    sys::hold_signals();
    let lifeline = lifeline().map_err(step(LayerName::PidNamespace, "make a pipe"))?;
    match sys::fork().map_err(step(LayerName::PidNamespace, "fork"))? {
        Fork::Child => {
            drop(lifeline.held);
            init::run(config, program, lifeline.watched)
        }
        Fork::Parent(child) => {
            drop(lifeline.watched);
            // The pipes belong to the worker now. The lifeline's end stays open on purpose: the
            // descriptors from 3 up are it alone, and the init process looks at it once it has asked to end
            // with this one.
            drop(program);
            give_pipes_up().map_err(step(LayerName::Descriptors, "give the pipes up"))?;
            // From here on it only waits and ends, for which it needs no right.
            identity::drop_capabilities(&config)?;
            sys::close_to_debuggers()
                .map_err(step(LayerName::Capabilities, "stop being dumpable"))?;
            let code = attend(child);
            drop(lifeline.held);
            Ok(ExitCode::from(u8::try_from(code).unwrap_or(u8::MAX)))
        }
    }
}

/// Opens the program before any right is given up: it may lie where nobody else can reach.
fn open_program() -> io::Result<Program> {
    let file = open(
        "/proc/self/exe",
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    Ok(Program {
        file,
        args: std::env::args_os().collect(),
    })
}

/// A pipe whose one end the launcher holds, so that the other end tells of its death.
struct Lifeline {
    held: OwnedFd,
    watched: OwnedFd,
}

fn lifeline() -> io::Result<Lifeline> {
    let (watched, held) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    Ok(Lifeline { held, watched })
}

/// Puts `/dev/null` in the place of all three pipes.
pub(super) fn give_pipes_up() -> io::Result<()> {
    let nowhere = File::options().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nowhere)?;
    rustix::stdio::dup2_stdout(&nowhere)?;
    rustix::stdio::dup2_stderr(&nowhere)?;
    Ok(())
}

/// Waits for the init process, and ends it when told to; the kernel then ends all below it.
fn attend(child: Pid) -> i32 {
    loop {
        if sys::next_signal() == libc::SIGTERM {
            let _ = kill_process(child, Signal::KILL);
            continue;
        }
        match waitpid(Some(child), WaitOptions::NOHANG) {
            Ok(Some((_, status))) => return init::code(status),
            Ok(None) => {}
            Err(_) => return init::FAILED,
        }
    }
}
