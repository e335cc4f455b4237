//! The thread that forks a worker's launcher, keeps its deadline, reaps it and cleans up.
//!
//! It must never end before the launcher has, and never wait for anything that a worker controls.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStderr, Command, ExitStatus};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open, pidfd_send_signal};

use super::ends_within;
use crate::family::family_of;
use crate::linux::cgroup::Groups;
use crate::worker::Exit;

/// How long a launcher gets to end its tree before it is ended itself, which does the same.
const GENTLE: Duration = Duration::from_millis(100);
/// How often a worker's memory is looked at.
const MEMORY_LOOK: Duration = Duration::from_millis(100);
/// How often and how long the removal of the control groups is tried.
const REMOVAL: (u32, Duration) = (100, Duration::from_millis(10));

/// The tree under one launcher, watched by the keeper and by whoever waits.
#[derive(Debug)]
pub(super) struct Tree {
    id: u32,
    launcher: OwnedFd,
    /// Can be read once the worker's time runs.
    clock_start: OwnedFd,
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

/// What the keeper bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Time from the start of the clock to the forced end.
    pub(super) wall_clock: Duration,
    /// Bytes of memory that each process may hold, where no control group counts them. The limit of a process's data counts neither
    /// what was written and then protected nor the tables of memory that is only read.
    pub(super) memory_bytes: Option<u64>,
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

    /// Lets the worker's time run from now on: it is locked. Before, whoever waits for that has a bound of its own.
    pub(super) fn start_clock(&self) {
        // It fails only where the count overflows, and once is enough.
        let _ = rustix::io::write(&self.clock_start, &1_u64.to_ne_bytes());
    }

    /// Waits until the worker's time runs, or its launcher has ended.
    fn wait_for_clock(&self) {
        let mut fds = [
            PollFd::new(&self.launcher, PollFlags::IN),
            PollFd::new(&self.clock_start, PollFlags::IN),
        ];
        while poll(&mut fds, None).is_err_and(|error| error == Errno::INTR) {}
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

/// Runs the keeper: forks, tells, waits until the end, ends what oversteps `bounds`, reaps, cleans up.
pub(super) fn keep(
    mut command: Command,
    bounds: Bounds,
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
    tree.wait_for_clock();
    while let Some(cause) = overstepped(&tree, bounds) {
        tree.stop(cause);
    }
    tree.lock().is_reaped = true;
    let status = child.wait();
    clean_up(&groups);
    tree.publish(status);
}

/// Waits until the tree oversteps one of its bounds, and says which; `None` once it has ended.
fn overstepped(tree: &Tree, bounds: Bounds) -> Option<Exit> {
    let Some(memory_bytes) = bounds.memory_bytes else {
        return (!tree.gone_within(bounds.wall_clock)).then_some(Exit::Deadline);
    };
    let start = Instant::now();
    // It is locked, so that no process comes any more.
    let family = family_of(tree.id());
    loop {
        let left = bounds.wall_clock.saturating_sub(start.elapsed());
        if tree.gone_within(left.min(MEMORY_LOOK)) {
            return None;
        }
        if start.elapsed() >= bounds.wall_clock {
            return Some(Exit::Deadline);
        }
        if family.iter().any(|pid| held_bytes(*pid) > memory_bytes) {
            return Some(Exit::OutOfMemory);
        }
    }
}

/// Reads how much memory a process holds that is not a file's, in memory or swapped out, and the tables that say where it
/// lies, in bytes; 0 where it is gone.
fn held_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let kibibytes = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let is_held = matches!(name, "RssAnon" | "RssShmem" | "VmSwap" | "VmPTE");
        let value = is_held.then(|| value.trim().strip_suffix(" kB"))??;
        value.parse::<u64>().ok()
    };
    status.lines().filter_map(kibibytes).sum::<u64>() << 10
}

fn bear(mut child: Child, endings: Vec<File>) -> io::Result<(Child, Born)> {
    let opened = i32::try_from(child.id())
        .ok()
        .and_then(Pid::from_raw)
        .ok_or(io::ErrorKind::InvalidData)
        .map_err(io::Error::from)
        .and_then(|pid| {
            let launcher = pidfd_open(pid, PidfdFlags::empty())?;
            Ok((launcher, eventfd(0, EventfdFlags::CLOEXEC)?))
        });
    let (launcher, clock_start) = match opened {
        Ok(opened) => opened,
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
            clock_start,
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
