//! The init process of a worker's pid namespace: it builds the root, forks the worker, reaps.
//!
//! It must never outlive the launcher or the worker: its end is the end of the whole namespace.

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, set_parent_process_death_signal, wait, waitpid,
};

use super::sys::{self, Fork};
use super::{enter, identity, landlock, launcher, root};
use crate::config::{CONFIG_VARIABLE, LaunchConfig, STAGE_VARIABLE, Stage};
use crate::layer::{ConfineError, LayerName};

/// The code of a stage that could not do its part; the greeting says why.
pub(super) const FAILED: i32 = 125;

/// The program to become, opened while it could be reached.
pub(super) struct Program {
    /// A handle to the file, closed by exec.
    pub(super) file: OwnedFd,
    /// The arguments, the first of which is the name.
    pub(super) args: Vec<OsString>,
}

/// Runs the init process; never returns to the launcher's code.
pub(super) fn run(config: LaunchConfig, program: Program, lifeline: OwnedFd) -> ! {
    let code = match prepare(&config, &lifeline) {
        Ok(()) => start(config, program),
        Err(error) => refuse(&error),
    };
    sys::leave(code)
}

fn refuse(error: &ConfineError) -> i32 {
    enter::tell_refusal(error);
    FAILED
}

fn prepare(config: &LaunchConfig, lifeline: &OwnedFd) -> Result<(), ConfineError> {
    let failed = |step: &'static str| {
        move |error: io::Error| ConfineError::new(LayerName::PidNamespace, step, error)
    };
    die_with_parent(config).map_err(failed("ask to end with the launcher"))?;
    // The launcher may have ended just before that request; its end of the pipe tells.
    let mut fds = [PollFd::from_borrowed_fd(lifeline.as_fd(), PollFlags::IN)];
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    let ended = poll(&mut fds, Some(&now)).map_err(|error| failed("poll")(error.into()))?;
    if ended != 0 {
        return Err(failed("watch the launcher")(
            io::ErrorKind::BrokenPipe.into(),
        ));
    }
    root::build(config)?;
    if !config.has(LayerName::UtsNamespace) {
        return Ok(());
    }
    rustix::system::sethostname(b"worker")
        .map_err(|error| ConfineError::new(LayerName::UtsNamespace, "sethostname", error))
}

/// Forks the worker and stays until it ends.
fn start(config: LaunchConfig, program: Program) -> i32 {
    let hide = || hide(&config);
    match sys::fork_unchecked() {
        Ok(Fork::Child) => {
            let error = become_worker(config.clone(), program);
            sys::leave(refuse(&error))
        }
        Ok(Fork::Parent(worker)) => {
            drop(program);
            match launcher::give_pipes_up().and_then(|()| hide()) {
                Ok(()) => reap_until(worker),
                Err(_) => FAILED,
            }
        }
        Err(error) => refuse(&ConfineError::new(LayerName::PidNamespace, "fork", error)),
    }
}

/// Takes this process out of the worker's reach: no debugging, no capabilities to steal.
fn hide(config: &LaunchConfig) -> io::Result<()> {
    sys::close_to_debuggers()?;
    identity::drop_capabilities(config).map_err(io::Error::other)
}

/// The last steps before exec; returns only with the reason why it did not come to it.
fn become_worker(mut config: LaunchConfig, program: Program) -> ConfineError {
    match give_up_rights(&mut config, &program) {
        Ok(()) => {
            let env = environment(&config);
            let error = sys::execute(program.file.as_fd(), program.args, env);
            ConfineError::new(LayerName::MountNamespace, "exec the worker program", error)
        }
        Err(error) => error,
    }
}

fn give_up_rights(config: &mut LaunchConfig, program: &Program) -> Result<(), ConfineError> {
    die_with_parent(config)
        .map_err(|error| ConfineError::new(LayerName::PidNamespace, "end with init", error))?;
    sys::release_signals();
    identity::drop_capabilities(config)?;
    config.landlock_abi = landlock::apply(config, &program.file)?;
    Ok(())
}

fn die_with_parent(config: &LaunchConfig) -> io::Result<()> {
    let end = config.has(LayerName::ParentDeath).then_some(Signal::KILL);
    Ok(set_parent_process_death_signal(end)?)
}

/// The whole environment of the worker; nothing of the agent's comes through.
fn environment(config: &LaunchConfig) -> Vec<(OsString, OsString)> {
    let text = serde_json::to_string(config).expect("a configuration has only string keys");
    let fixed = [
        (STAGE_VARIABLE, Stage::Work.as_str().to_owned()),
        (CONFIG_VARIABLE, text),
        ("HOME", root::SCRATCH.to_owned()),
        ("TMPDIR", root::SCRATCH.to_owned()),
        ("LANG", "C.UTF-8".to_owned()),
    ];
    let driver = config.profile.environment.iter();
    let inherited = match config.has(LayerName::Environment) {
        true => Vec::new(),
        false => std::env::vars_os().collect(),
    };
    let own = fixed
        .map(|(name, value)| (name.into(), value.into()))
        .into_iter()
        .chain(driver.map(|(name, value)| (name.as_ref().into(), value.as_ref().into())));
    // The first of two wins, so that what is inherited never stands for what is set here.
    own.chain(inherited).collect()
}

/// Reaps orphans until `worker` ends; returns its code.
fn reap_until(worker: Pid) -> i32 {
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((pid, status))) if pid == worker => return code(status),
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return FAILED,
        }
    }
}

/// Waits for one child and returns its code.
pub(super) fn wait_for(child: Pid) -> io::Result<i32> {
    loop {
        match waitpid(Some(child), WaitOptions::empty()) {
            Ok(Some((_, status))) => return Ok(code(status)),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// A shell's convention: the exit code, or 128 and the signal.
pub(super) fn code(status: WaitStatus) -> i32 {
    status
        .exit_status()
        .or_else(|| status.terminating_signal().map(|signal| 128 + signal))
        .unwrap_or(FAILED)
}
