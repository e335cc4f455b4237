//! One worker tree seen from the agent: its keeper thread, pipes, deadline and end.
//!
//! It must never let the thread that started a worker end first: the kernel ends a worker with
//! the thread that forked it, so one keeper thread forks, keeps the deadline, and reaps.

mod keeper;

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{ChildStderr, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use self::keeper::{Born, Bounds, Tree};
use super::cgroup::Groups;
use super::sys::BeforeExec;
use crate::config::{
    CONFIG_VARIABLE, Keeper, LaunchConfig, Purpose, STAGE_VARIABLE, Stage, WorkerProgram,
};
use crate::frame::read_frame;
use crate::greeting::MAX_GREETING_BYTES;
use crate::layer::{Layer, LayerName};
use crate::worker::{Exit, LaunchError, Sandbox};

/// How much a worker may write on its error pipe in its life, in bytes.
const STDERR_BYTES: usize = 16 << 20;
/// How much of the worker's error pipe is kept, in bytes; the newest part stays.
const STDERR_KEPT_BYTES: usize = 64 * 1024;

/// How long the end of a process may take once it has left its groups.
const ENDING: Duration = Duration::from_secs(1);
/// How long a dropped worker's keeper may take to clean up after it; it gives up by itself before.
const CLEAN_UP_TIMEOUT: Duration = Duration::from_secs(2);

/// A started worker; dropping it ends the tree.
#[derive(Debug)]
pub(crate) struct Process {
    tree: Arc<Tree>,
    stdin: Option<File>,
    stdout: Option<File>,
    // Shared with the thread that drains the pipe: it must go on while the owner waits.
    words: Arc<LastWords>,
    // Shared with the keeper, which removes the groups once the tree is gone.
    groups: Arc<Mutex<Groups>>,
}

/// Ends a tree from another thread.
#[derive(Debug, Clone)]
pub(crate) struct Killer(Arc<Tree>);

impl Killer {
    /// Ends the tree and waits for its end.
    pub(crate) fn kill(&self) {
        self.0.stop(Exit::Killed);
    }

    /// Freezes the worker where it stands.
    pub(crate) fn pause(&self) {
        self.0.freeze();
    }

    /// Lets a frozen worker go on.
    pub(crate) fn resume(&self) {
        self.0.thaw();
    }
}

impl Process {
    /// Starts the launcher stage of `sandbox`'s program.
    pub(crate) fn start(sandbox: &Sandbox, purpose: Purpose) -> Result<Self, LaunchError> {
        let left_out = |layer| sandbox.left_out.contains(&layer);
        let groups = match left_out(LayerName::ControlGroup) {
            true => Groups::default(),
            false => Groups::make(&sandbox.limits),
        };
        let leak = leaked_folder(&purpose).map_err(LaunchError::Spawn)?;
        let before_exec = BeforeExec {
            groups: groups.entrances().map_err(LaunchError::Spawn)?,
            leak,
            new_session: !left_out(LayerName::Session),
            end_with_parent: !left_out(LayerName::ParentDeath),
        };
        let config = LaunchConfig {
            limits: sandbox.limits.clone(),
            profile: sandbox.profile.clone(),
            landlock: sandbox.landlock,
            left_out: sandbox.left_out.clone(),
            purpose,
            memory_keeper: groups.memory_keeper(),
            process_keeper: groups.process_keeper(),
            outer_namespaces: Default::default(),
            landlock_abi: 0,
        };
        let mut command = command(&sandbox.program, &config);
        super::sys::prepare(&mut command, before_exec);
        let groups = Arc::new(Mutex::new(groups));
        let (tell, told) = mpsc::sync_channel(1);
        let bounds = Bounds {
            wall_clock: match left_out(LayerName::AgentClock) {
                true => Duration::MAX,
                false => sandbox.limits.wall_clock,
            },
            memory_bytes: (config.memory_keeper == Keeper::ResourceLimit
                && !left_out(LayerName::ResourceLimits))
            .then_some(sandbox.limits.memory_bytes),
        };
        let kept = Arc::clone(&groups);
        thread::Builder::new()
            .name("worker-keeper".to_owned())
            .spawn(move || keeper::keep(command, bounds, kept, tell))
            .map_err(LaunchError::Spawn)?;
        let born = told
            .recv()
            .map_err(|_| LaunchError::Spawn(io::ErrorKind::BrokenPipe.into()))?
            .map_err(LaunchError::Spawn)?;
        Self::adopt(born, groups)
    }

    fn adopt(born: Born, groups: Arc<Mutex<Groups>>) -> Result<Self, LaunchError> {
        let process = Self {
            tree: born.tree,
            stdin: Some(born.stdin),
            stdout: Some(born.stdout),
            words: Arc::default(),
            groups,
        };
        let (words, tree) = (Arc::clone(&process.words), Arc::clone(&process.tree));
        thread::Builder::new()
            .name("worker-stderr".to_owned())
            .spawn(move || words.drain(born.stderr, &tree))
            .map_err(LaunchError::Spawn)?;
        Ok(process)
    }

    /// The launcher's process id.
    pub(crate) fn id(&self) -> u32 {
        self.tree.id()
    }

    /// Reads the first frame within `timeout`; `None` when the worker ended without one.
    pub(crate) fn first_frame(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<Vec<u8>>, LaunchError> {
        let output = self
            .stdout
            .as_mut()
            .expect("only a locked worker gives its pipes away");
        let mut timed = Timed {
            input: output,
            deadline: deadline_after(timeout),
        };
        match read_frame(&mut timed, MAX_GREETING_BYTES) {
            Err(crate::frame::FrameError::Io(error)) if error.kind() == io::ErrorKind::TimedOut => {
                Err(LaunchError::TimedOut(timeout))
            }
            other => Ok(other?),
        }
    }

    /// The layers that only the outside can observe; the name of one that was set up and is not seen.
    pub(crate) fn outer_layers(&self) -> Result<Option<Layer>, LayerName> {
        let groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        match (groups.is_empty(), groups.observe(self.tree.id())) {
            // No limit of each process stands in for it any more. One that is about to end has left its groups already,
            // and takes no job.
            (false, None) if !self.tree.gone_within(ENDING) => Err(LayerName::ControlGroup),
            (_, seen) => Ok(seen),
        }
    }

    /// Lets the worker's time run from now on.
    pub(crate) fn start_clock(&self) {
        self.tree.start_clock();
    }

    /// Takes the pipe to the worker.
    pub(crate) fn take_stdin(&mut self) -> Option<File> {
        self.stdin.take()
    }

    /// Takes the pipe from the worker.
    pub(crate) fn take_stdout(&mut self) -> Option<File> {
        self.stdout.take()
    }

    /// The newest part of the error pipe, made printable.
    pub(crate) fn stderr_text(&self) -> String {
        // What an ended worker wrote last may still be in the pipe.
        if self.tree.wait_timeout(Duration::ZERO).is_some() {
            self.words.wait();
        }
        let bytes = self.words.so_far();
        String::from_utf8_lossy(&bytes)
            .chars()
            .map(|c| {
                if c.is_control() && c != '\n' {
                    '\u{fffd}'
                } else {
                    c
                }
            })
            .collect()
    }

    /// Ends the tree and waits for its end.
    pub(crate) fn kill(&self) {
        self.tree.stop(Exit::Killed);
    }

    /// A handle that can end the tree from another thread.
    pub(crate) fn killer(&self) -> Killer {
        Killer(Arc::clone(&self.tree))
    }

    /// Waits for the end.
    pub(crate) fn wait(&self) -> Exit {
        self.tree.wait()
    }

    /// Waits at most `timeout` for the end.
    pub(crate) fn wait_timeout(&self, timeout: Duration) -> Option<Exit> {
        self.tree.wait_timeout(timeout)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.tree.stop(Exit::Killed);
        // The program may end with this, and its keeper has groups to remove.
        let _ = self.tree.wait_timeout(CLEAN_UP_TIMEOUT);
    }
}

fn command(program: &WorkerProgram, config: &LaunchConfig) -> Command {
    let text = serde_json::to_string(config).expect("a configuration has only string keys");
    let mut command = Command::new(&program.path);
    if config.has(LayerName::Environment) {
        command.env_clear();
    }
    command
        .args(&program.args)
        .env(STAGE_VARIABLE, Stage::Launch.as_str())
        .env(CONFIG_VARIABLE, text)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The folder that a self test's launch leaks on purpose; a job's launch leaks nothing.
fn leaked_folder(purpose: &Purpose) -> io::Result<Option<OwnedFd>> {
    let folder = purpose
        .targets()
        .map(|targets| File::open(targets.folder()));
    Ok(folder.transpose()?.map(OwnedFd::from))
}

/// What a worker writes on its error pipe, of which the newest part is kept.
#[derive(Debug, Default)]
struct LastWords {
    // Written by the thread that drains the pipe, which must go on while the owner waits.
    kept: Mutex<Kept>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Kept {
    bytes: VecDeque<u8>,
    is_over: bool,
}

impl LastWords {
    /// Reads the pipe to its end, so that a talkative worker never blocks on it. One that does not stop talking is ended:
    /// reading costs the agent time that no limit of the worker counts.
    fn drain(&self, mut pipe: ChildStderr, tree: &Tree) {
        let mut chunk = [0_u8; 4096];
        let mut total = 0;
        while let Ok(count) = pipe.read(&mut chunk) {
            total += count;
            if count == 0 {
                break;
            }
            if total > STDERR_BYTES {
                tree.stop(Exit::Killed);
                break;
            }
            let mut kept = self.lock();
            kept.bytes.extend(&chunk[..count]);
            let surplus = kept.bytes.len().saturating_sub(STDERR_KEPT_BYTES);
            kept.bytes.drain(..surplus);
        }
        self.lock().is_over = true;
        self.ended.notify_all();
    }

    /// Waits until the pipe has been read to its end; not for ever, since something may hold it open.
    fn wait(&self) {
        let goes_on = |kept: &mut Kept| !kept.is_over;
        let waited = self.ended.wait_timeout_while(self.lock(), ENDING, goes_on);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn so_far(&self) -> Vec<u8> {
        self.lock().bytes.iter().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads from a pipe until a deadline.
struct Timed<'a> {
    input: &'a mut File,
    deadline: Instant,
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::from_borrowed_fd(self.input.as_fd(), PollFlags::IN)];
        if poll(&mut fds, Some(&timespec(left)))? == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.input.read(buffer)
    }
}

/// Says whether the process behind a pid descriptor ends within `timeout`.
pub(super) fn ends_within(process: BorrowedFd<'_>, timeout: Duration) -> bool {
    let deadline = deadline_after(timeout);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut fds = [PollFd::from_borrowed_fd(process, PollFlags::IN)];
        match poll(&mut fds, Some(&timespec(left))) {
            Err(Errno::INTR) => {}
            Err(_) | Ok(0) => return false,
            Ok(_) => return true,
        }
    }
}

/// The moment `timeout` from now; a timeout too long to count ends in a century.
fn deadline_after(timeout: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    Instant::now() + timeout.min(CENTURY)
}

/// Converts a duration for the kernel; beyond 2^62 seconds it is as good as for ever.
fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX / 2),
        tv_nsec: i64::from(duration.subsec_nanos()),
    }
}
