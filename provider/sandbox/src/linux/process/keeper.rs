//! The thread that forks a worker's launcher, keeps its deadline, reaps it and cleans up.
//!
//! It must never end before the launcher has, and never wait for anything that a worker controls.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, Command, ExitStatus};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};

use super::ends_within;
use crate::linux::cgroup::Groups;
use crate::worker::Exit;

/// How long a launcher gets to end its tree before it is ended itself, which does the same.
const GENTLE: Duration = Duration::from_millis(100);
/// How often and how long the removal of the control groups is tried.
const REMOVAL: (u32, Duration) = (100, Duration::from_millis(10));

/// The tree under one launcher, watched by the keeper and by whoever waits.
#[derive(Debug)]
pub(super) struct Tree {
    id: u32,
    launcher: OwnedFd,
    /// Through each, the kernel ends all of one control group.
    endings: Vec<File>,
    // The keeper writes the end once; any number of threads wait for it.
    end: Mutex<End>,
    ended: Condvar,
}

/// What is known of the end.
#[derive(Debug, Default)]
struct End {
    /// Why the agent stopped the tree, if it did.
    cause: Option<Exit>,
    /// How it ended, once it has.
    exit: Option<Exit>,
    /// Whether its number may be another's by now.
    is_reaped: bool,
}

/// A launcher just born.
pub(super) struct Born {
    pub(super) tree: Arc<Tree>,
    pub(super) stdin: File,
    pub(super) stdout: File,
    pub(super) stderr: ChildStderr,
}

impl Tree {
    /// The launcher's process id.
    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// Ends the tree because of `cause` and waits until its launcher has reaped it.
    ///
    /// SIGTERM lets the launcher end the pid namespace and wait for that; SIGKILL would end the
    /// namespace too, but then nobody could say when its last process is gone.
    pub(super) fn stop(&self, cause: Exit) {
        {
            let mut end = self.lock();
            if end.exit.is_some() {
                return;
            }
            end.cause.get_or_insert(cause);
        }
        let _ = pidfd_send_signal(&self.launcher, Signal::TERM);
        if !self.gone_within(GENTLE) {
            let _ = pidfd_send_signal(&self.launcher, Signal::KILL);
            // A group that is gone takes no writes; its name may be another's by now, this file is not.
            for mut ending in &self.endings {
                let _ = ending.write_all(b"1");
            }
            self.gone_within(GENTLE);
        }
    }

    /// Freezes the worker and its init process; the launcher goes on, so that [`Self::stop`] works.
    pub(super) fn freeze(&self) {
        self.signal_group(Signal::STOP);
        let _ = pidfd_send_signal(&self.launcher, Signal::CONT);
    }

    /// Lets a frozen worker go on.
    pub(super) fn thaw(&self) {
        self.signal_group(Signal::CONT);
    }

    /// Signals the launcher's process group, which a worker cannot leave: its calls to do so are denied.
    fn signal_group(&self, signal: Signal) {
        // A tree that is known to be gone is not signalled: its number may be another's by now.
        let end = self.lock();
        if !end.is_reaped
            && let Some(group) = i32::try_from(self.id).ok().and_then(Pid::from_raw)
        {
            let _ = kill_process_group(group, signal);
        }
    }

    /// Waits for the end.
    pub(super) fn wait(&self) -> Exit {
        let mut end = self.lock();
        loop {
            if let Some(exit) = end.exit {
                return exit;
            }
            end = self.ended.wait(end).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits at most `timeout` for the end.
    pub(super) fn wait_timeout(&self, timeout: Duration) -> Option<Exit> {
        let running = |end: &mut End| end.exit.is_none();
        let waited = self.ended.wait_timeout_while(self.lock(), timeout, running);
        waited.unwrap_or_else(PoisonError::into_inner).0.exit
    }

    fn lock(&self) -> MutexGuard<'_, End> {
        self.end.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether the launcher ends within `timeout`.
    pub(super) fn gone_within(&self, timeout: Duration) -> bool {
        ends_within(self.launcher.as_fd(), timeout)
    }

    fn publish(&self, status: io::Result<ExitStatus>) {
        let natural = match status.map(|status| (status.code(), status.signal())) {
            Ok((Some(code), _)) => Exit::Code(code),
            Ok((None, Some(signal))) => Exit::Signal(signal),
            Ok((None, None)) | Err(_) => Exit::Killed,
        };
        let mut end = self.lock();
        end.exit = Some(end.cause.unwrap_or(natural));
        self.ended.notify_all();
    }
}

/// Runs the keeper: forks, tells, waits until the end or the deadline, reaps, cleans up.
pub(super) fn keep(
    mut command: Command,
    wall_clock: Duration,
    groups: Arc<Mutex<Groups>>,
    tell: SyncSender<io::Result<Born>>,
) {
    let spawned = command.spawn();
    drop(command);
    let endings = lock(&groups).endings();
    let (mut child, tree) = match spawned.and_then(|child| bear(child, endings)) {
        Ok((child, born)) => {
            let tree = Arc::clone(&born.tree);
            // Nobody to tell means that the starter is gone; the tree then ends below.
            if tell.send(Ok(born)).is_err() {
                tree.stop(Exit::Killed);
            }
            (child, tree)
        }
        Err(error) => {
            let _ = tell.send(Err(error));
            return clean_up(&groups);
        }
    };
    while !tree.gone_within(wall_clock) {
        tree.stop(Exit::Deadline);
    }
    tree.lock().is_reaped = true;
    let status = child.wait();
    clean_up(&groups);
    tree.publish(status);
}

fn bear(mut child: Child, endings: Vec<File>) -> io::Result<(Child, Born)> {
    let opened = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(io::ErrorKind::InvalidData)
        .map_err(io::Error::from)
        .and_then(|pid| Ok(pidfd_open(pid, PidfdFlags::empty())?));
    let launcher = match opened {
        Ok(launcher) => launcher,
        Err(error) => {
            let _ = child.kill();
            let _ = child.wait();
            return Err(error);
        }
    };
    let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(stdin), Some(stdout), Some(stderr)) = pipes else {
        unreachable!("all three pipes were asked for");
    };
    let born = Born {
        tree: Arc::new(Tree {
            id: child.id(),
            launcher,
            endings,
            end: Mutex::default(),
            ended: Condvar::new(),
        }),
        stdin: File::from(OwnedFd::from(stdin)),
        stdout: File::from(OwnedFd::from(stdout)),
        stderr,
    };
    Ok((child, born))
}

/// Removes the control groups. A process that is still dying keeps its group a moment longer.
fn clean_up(groups: &Mutex<Groups>) {
    let (tries, pause) = REMOVAL;
    let mut groups = lock(groups);
    for _ in 0..tries {
        if groups.remove() {
            return;
        }
        thread::sleep(pause);
    }
}

fn lock(groups: &Mutex<Groups>) -> MutexGuard<'_, Groups> {
    groups.lock().unwrap_or_else(PoisonError::into_inner)
}
