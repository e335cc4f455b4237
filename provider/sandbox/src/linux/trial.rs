//! The agent's side of the attacks that take a worker, or a whole agent, of their own: sets them going and judges.
//!
//! It must never wait without end for what an attack does, and it leaves no process behind whatever it finds.

use std::collections::BTreeSet;
use std::io;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::cgroup;
use super::watch::Watch;
use crate::attack::{Attack, Means};
use crate::check::{Finding, Verdict};
use crate::config::{CONFIG_VARIABLE, Purpose, STAGE_VARIABLE, SecondAgent, Stage};
use crate::family::family_of;
use crate::frame::{FrameError, read_frame};
use crate::layer::LayerName;
use crate::limits::Limits;
use crate::self_test::{Outcome, SelfTestError};
use crate::targets::{Targets, Watched};
use crate::worker::{Exit, LaunchError, Output, Sandbox, Worker};

/// How many processes a fork bomb starts where nothing stops it.
pub(super) const FORKS: u64 = 500;
/// How many threads a thread bomb starts where nothing stops it.
pub(super) const THREADS: u64 = 5_000;
/// How often a bomb's limit it takes where nothing stops it: of memory, and of the scratch folder.
pub(super) const MEMORY_TIMES: u64 = 4;
pub(super) const SCRATCH_TIMES: u64 = 10;

/// Time given where an end within one second is the aim, and the first limit of time that is tried.
const TIME_LIMIT: Duration = Duration::from_secs(1);
/// How much later than a limit of time the end must have come.
const SLACK: Duration = Duration::from_secs(1);
/// How long what is left behind may be there after the kill: less than the keeper tries to remove its groups.
const KILL_LIMIT: Duration = Duration::from_millis(500);
/// Launcher, init and worker, or launcher, worker and what it left behind.
const LEAST_PROCESSES: usize = 3;
/// The largest frame of a trial's report, in bytes.
const MAX_FRAME_BYTES: usize = 64 * 1024;
/// Bytes after which a flood that nobody stops is believed.
const FLOOD_BYTES: u64 = 16 << 20;

/// How a worker ends that the kernel kills: for its memory, or for its processor time where SIGXCPU did not end it.
const KILLED: Exit = Exit::Code(128 + libc::SIGKILL);
/// How a worker ends whose processor time is used up.
const OUT_OF_TIME: Exit = Exit::Code(128 + libc::SIGXCPU);

/// The variables that would bring code or layers in; none of them may reach a worker.
pub(super) const HOSTILE_VARIABLES: [(&str, &str); 4] = [
    ("VK_LAYER_PATH", "/nowhere/layers"),
    ("VK_ADD_DRIVER_FILES", "/nowhere/driver.json"),
    ("LD_LIBRARY_PATH", "/nowhere/libraries"),
    ("GCONV_PATH", "/nowhere/converters"),
];

/// How far an attack came, as its worker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// Processes, threads, mebibytes, bytes or variables, or the process left behind.
    pub(super) done: u64,
    /// What stopped it, where a call said so.
    pub(super) errno: Option<i32>,
}

/// What the agent saw of a worker.
#[derive(Debug)]
struct Seen {
    progress: Option<Progress>,
    bytes: u64,
    /// `None` where it had to be ended by hand.
    exit: Option<Exit>,
    took: Duration,
}

/// Tries an attack that takes a worker or an agent of its own.
pub(crate) fn try_alone(
    sandbox: &Sandbox,
    attack: Attack,
    timeout: Duration,
) -> Result<Finding, SelfTestError> {
    let try_within = |time_limit| try_once(sandbox, attack, timeout, time_limit);
    match attack {
        Attack::ProcessorSpin => with_enough_time(timeout, try_within),
        _ => try_within(TIME_LIMIT),
    }
}

/// Tries with ever longer limits of time, up to the first that is no less than `timeout`. Processor time is counted from
/// a worker's start, and on a slow machine it may be used up before LOCKED.
fn with_enough_time<T>(
    timeout: Duration,
    try_within: impl Fn(Duration) -> Result<T, SelfTestError>,
) -> Result<T, SelfTestError> {
    let mut time_limit = TIME_LIMIT;
    loop {
        match try_within(time_limit) {
            Err(SelfTestError::Launch(LaunchError::EndedEarly { .. })) if time_limit < timeout => {
                time_limit *= 2;
            }
            tried => return tried,
        }
    }
}

/// Says whether a limit of time is what the attack is about.
fn is_by_time(attack: Attack) -> bool {
    matches!(attack, Attack::ProcessorSpin | Attack::BlockedCall)
}

fn try_once(
    sandbox: &Sandbox,
    attack: Attack,
    timeout: Duration,
    time_limit: Duration,
) -> Result<Finding, SelfTestError> {
    let watched = Watched::set_up().map_err(SelfTestError::Targets)?;
    let targets = watched.targets().clone();
    let mut sandbox = sandbox.clone();
    sandbox.limits = limits_for(attack, &sandbox.limits);
    // What is not about time ends so that whoever reads what it says waits no longer.
    sandbox.limits.wall_clock = match is_by_time(attack) {
        true => time_limit,
        false => timeout,
    };
    if attack == Attack::ProcessorSpin {
        sandbox.limits.cpu_time = time_limit;
    }
    let (verdict, evidence) = if attack.means() == Means::Agent {
        by_agent(&sandbox, attack, targets, timeout)?
    } else {
        let purpose = Purpose::Attack {
            attacks: vec![attack],
            targets,
        };
        match sandbox.launch_for(purpose)?.wait_locked(timeout) {
            Ok(worker) => judge_worker(&sandbox, attack, worker, timeout)?,
            Err(error) => judge_refusal(attack, error)?,
        }
    };
    Ok(Finding {
        attack,
        verdict,
        evidence,
    })
}

/// Small limits, so that reaching them costs little.
fn limits_for(attack: Attack, usual: &Limits) -> Limits {
    let mut limits = usual.clone();
    match attack {
        Attack::ForkBomb | Attack::ThreadBomb => limits.processes = 64,
        Attack::MemoryBomb => {
            limits.memory_bytes = 128 << 20;
            limits.scratch_bytes = 1 << 20;
        }
        Attack::DiskFill => limits.scratch_bytes = 1 << 20,
        Attack::OutputFlood => limits.output_bytes = 1 << 20,
        _ => {}
    }
    limits
}

/// A worker that did not lock: right where it spoke too early, and no finding at all otherwise.
fn judge_refusal(attack: Attack, error: LaunchError) -> Result<(Verdict, String), SelfTestError> {
    match error {
        LaunchError::NotAGreeting | LaunchError::Pipe(FrameError::Oversized { .. })
            if attack == Attack::EarlyBytes =>
        {
            let evidence = format!("ended before any byte of a job: {error}");
            Ok((Verdict::Stopped, evidence))
        }
        other => Err(other.into()),
    }
}

fn judge_worker(
    sandbox: &Sandbox,
    attack: Attack,
    mut worker: Worker,
    timeout: Duration,
) -> Result<(Verdict, String), SelfTestError> {
    if attack == Attack::EarlyBytes {
        let words = "the worker was locked in spite of its early bytes".to_owned();
        return Ok((Verdict::NotStopped, words));
    }
    let _held = worker.take_stdin();
    let Some(mut output) = worker.take_stdout() else {
        unreachable!("a worker just made has its pipes")
    };
    if attack == Attack::Daemon {
        return judge_daemon(sandbox, &worker, &mut output, timeout);
    }
    let seen = watch(&worker, output, patience(sandbox, attack, timeout));
    let limits = &sandbox.limits;
    if let Some(measure) = Measure::of(attack, limits) {
        return taken(&seen, measure);
    }
    match attack {
        Attack::OutputFlood if seen.bytes > 0 => {
            let is_stopped = seen.exit == Some(Exit::Killed) && seen.bytes <= limits.output_bytes;
            let evidence = format!("{} bytes taken, then {}", seen.bytes, how(&seen));
            Ok((Verdict::stopped_if(is_stopped), evidence))
        }
        Attack::ProcessorSpin => by_time(&seen, &[Exit::Deadline, OUT_OF_TIME, KILLED]),
        Attack::BlockedCall => by_time(&seen, &[Exit::Deadline]),
        _ => Err(SelfTestError::Incomplete(seen.took)),
    }
}

fn patience(sandbox: &Sandbox, attack: Attack, timeout: Duration) -> Duration {
    let has = |layer| !sandbox.left_out.contains(&layer);
    let kernel_alone = has(LayerName::ResourceLimits) && !has(LayerName::AgentClock);
    match attack {
        // A second of processor time can take long on a busy machine; a second by the clock cannot.
        Attack::ProcessorSpin if kernel_alone => timeout,
        Attack::ProcessorSpin | Attack::BlockedCall => sandbox.limits.wall_clock + SLACK,
        _ => timeout,
    }
}

/// Reads what the worker says until it ends, or until `patience` is over.
fn watch(worker: &Worker, mut output: Output, patience: Duration) -> Seen {
    let start = Instant::now();
    let killer = worker.killer();
    std::thread::scope(|scope| {
        let listener = scope.spawn(|| {
            let (mut progress, mut bytes) = (None, 0);
            while let Ok(Some(frame)) = read_frame(&mut output, MAX_FRAME_BYTES) {
                bytes += 4 + frame.len() as u64;
                progress = serde_json::from_slice(&frame).ok().or(progress);
                if bytes >= FLOOD_BYTES {
                    killer.kill();
                }
            }
            (progress, bytes)
        });
        let exit = worker.wait_timeout(patience);
        let took = start.elapsed();
        worker.kill();
        let (progress, bytes) = listener.join().unwrap_or((None, 0));
        Seen {
            progress,
            bytes,
            exit,
            took,
        }
    })
}

/// What a bomb takes of something.
struct Measure {
    /// As much as it takes where nothing stops it.
    wanted: u64,
    /// As much as its worker may have.
    allowed: u64,
    /// Of what.
    of: &'static str,
}

impl Measure {
    /// The measure of a bomb; `None` for other attacks.
    fn of(attack: Attack, limits: &Limits) -> Option<Self> {
        let (wanted, allowed, of) = match attack {
            Attack::ForkBomb => (FORKS, limits.processes.into(), "processes"),
            Attack::ThreadBomb => (THREADS, limits.processes.into(), "threads"),
            Attack::MemoryBomb => {
                let allowed = limits.memory_bytes >> 20;
                (MEMORY_TIMES * allowed, allowed, "MiB")
            }
            Attack::DiskFill => {
                let allowed = limits.scratch_bytes;
                (SCRATCH_TIMES * allowed, allowed, "bytes")
            }
            _ => return None,
        };
        Some(Self {
            wanted,
            allowed,
            of,
        })
    }
}

/// A bomb is stopped where it got no more than its limit. One that got more got through, whatever ended it: the whole
/// machine has a bound too.
///
/// # Errors
/// It never said that it began, or was not stopped by anything and did not come to its end.
fn taken(seen: &Seen, measure: Measure) -> Result<(Verdict, String), SelfTestError> {
    let Measure {
        wanted,
        allowed,
        of,
    } = measure;
    let Some(Progress { done, errno }) = seen.progress else {
        return Err(SelfTestError::Incomplete(seen.took));
    };
    let cause = match errno {
        Some(errno) => Outcome::Stopped(errno).to_string(),
        // Where it did not come to its end, only being killed for it counts; it may as well have broken down.
        None if done <= allowed && !matches!(seen.exit, Some(KILLED | Exit::OutOfMemory)) => {
            return Err(SelfTestError::Incomplete(seen.took));
        }
        None => how(seen),
    };
    let evidence = format!("{done} of {wanted} {of} where {allowed} are allowed, then {cause}");
    Ok((Verdict::stopped_if(done <= allowed), evidence))
}

/// What only goes on is stopped where it came to one of the `ends` that a clock brings.
///
/// # Errors
/// It ended otherwise, so that nothing was tried.
fn by_time(seen: &Seen, ends: &[Exit]) -> Result<(Verdict, String), SelfTestError> {
    let is_stopped = match seen.exit {
        Some(exit) if ends.contains(&exit) => true,
        Some(_) => return Err(SelfTestError::Incomplete(seen.took)),
        None => false,
    };
    let evidence = format!("{} after {:.2} s", how(seen), seen.took.as_secs_f64());
    Ok((Verdict::stopped_if(is_stopped), evidence))
}

fn how(seen: &Seen) -> String {
    match seen.exit {
        Some(Exit::Code(code)) if code > 128 => format!("ended by signal {}", code - 128),
        Some(Exit::Code(code)) => format!("it ended with code {code}"),
        Some(Exit::Signal(signal)) => format!("its launcher was ended by signal {signal}"),
        Some(Exit::Deadline) => "ended at its deadline".to_owned(),
        Some(Exit::OutOfMemory) => "ended by the agent for its memory".to_owned(),
        Some(Exit::Killed) => "ended by the agent".to_owned(),
        None => "it went on".to_owned(),
    }
}

/// Kills a worker that has left a process behind, and looks what is still there.
fn judge_daemon(
    sandbox: &Sandbox,
    worker: &Worker,
    output: &mut Output,
    timeout: Duration,
) -> Result<(Verdict, String), SelfTestError> {
    let report = read_frame(output, MAX_FRAME_BYTES).ok().flatten();
    let progress = report.and_then(|bytes| serde_json::from_slice::<Progress>(&bytes).ok());
    let Some(Progress { done, errno: None }) = progress else {
        // Nothing forbids it before the lock: where it failed, it failed for another reason.
        return Err(SelfTestError::Incomplete(timeout));
    };
    let mut tree = family_of(worker.id());
    // Where process ids are not the worker's own, its word names the process; it is no descendant any more.
    if sandbox.left_out.contains(&LayerName::PidNamespace) {
        tree.extend(u32::try_from(done).ok());
    }
    let watch = watch_all(&tree)?;
    worker.kill();
    let is_gone = watch.gone_within(KILL_LIMIT);
    watch.end();
    let evidence = match is_gone {
        true => format!("{} processes, none left after the kill", tree.len()),
        false => "a process lived on after the kill".to_owned(),
    };
    Ok((Verdict::stopped_if(is_gone), evidence))
}

/// Watches a worker's processes, all of which must be seen: the end of those that are not seen shows nothing.
fn watch_all(tree: &BTreeSet<u32>) -> Result<Watch, SelfTestError> {
    if tree.len() < LEAST_PROCESSES {
        let words = format!("only {} of a worker's processes can be seen", tree.len());
        return Err(SelfTestError::Targets(io::Error::other(words)));
    }
    Watch::over(tree).map_err(SelfTestError::Targets)
}

/// Starts a second agent with a worker, and judges by what becomes of that.
fn by_agent(
    sandbox: &Sandbox,
    attack: Attack,
    targets: Targets,
    timeout: Duration,
) -> Result<(Verdict, String), SelfTestError> {
    let mut agent = spawn_agent(sandbox, attack, targets)?;
    let judged = match agent.stdout.take() {
        Some(output) => judge_agent(&mut agent, output, attack, timeout),
        None => unreachable!("the output was asked for as a pipe"),
    };
    // One that was not killed cleans up after itself first.
    let _ = Watch::over(&[agent.id()]).is_ok_and(|watch| watch.gone_within(timeout));
    let _ = agent.kill();
    let _ = agent.wait();
    if attack == Attack::Orphan {
        // What the killed one left, as every start does.
        cgroup::sweep();
    }
    judged
}

fn spawn_agent(sandbox: &Sandbox, attack: Attack, targets: Targets) -> Result<Child, LaunchError> {
    let config = SecondAgent {
        limits: sandbox.limits.clone(),
        profile: sandbox.profile.clone(),
        left_out: sandbox.left_out.clone(),
        attack,
        targets,
    };
    let text = serde_json::to_string(&config).expect("a configuration has only string keys");
    Command::new(&sandbox.program.path)
        .args(&sandbox.program.args)
        .envs(HOSTILE_VARIABLES)
        .env(STAGE_VARIABLE, Stage::Agent.as_str())
        .env(CONFIG_VARIABLE, text)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(LaunchError::Spawn)
}

fn judge_agent(
    agent: &mut Child,
    output: ChildStdout,
    attack: Attack,
    timeout: Duration,
) -> Result<(Verdict, String), SelfTestError> {
    let (tree, progress) = hear_agent(agent, output, timeout)?;
    if attack == Attack::Injection {
        let evidence = match progress.done {
            0 => format!("{} hostile variables, none inside", HOSTILE_VARIABLES.len()),
            found => format!("{found} hostile variables inside"),
        };
        return Ok((Verdict::stopped_if(progress.done == 0), evidence));
    }
    let watch = watch_all(&tree)?;
    let start = Instant::now();
    agent.kill().map_err(LaunchError::Spawn)?;
    let is_gone = watch.gone_within(TIME_LIMIT);
    let took = start.elapsed();
    watch.end();
    let evidence = match is_gone {
        true => format!(
            "{} processes, gone {} ms after it",
            tree.len(),
            took.as_millis()
        ),
        false => format!("some of {} processes lived on", tree.len()),
    };
    Ok((Verdict::stopped_if(is_gone), evidence))
}

/// Reads the two frames of a second agent: its worker's processes, and how far the attack came.
fn hear_agent(
    agent: &mut Child,
    mut output: ChildStdout,
    timeout: Duration,
) -> Result<(BTreeSet<u32>, Progress), SelfTestError> {
    let (tell, told) = std::sync::mpsc::sync_channel(2);
    let listener = std::thread::spawn(move || {
        for _ in 0..2 {
            let frame = read_frame(&mut output, MAX_FRAME_BYTES);
            if tell.send(frame).is_err() {
                return;
            }
        }
    });
    let next = || {
        let frame = told.recv_timeout(timeout).unwrap_or(Ok(None));
        frame?.ok_or(SelfTestError::Incomplete(timeout))
    };
    let heard = next().and_then(|tree| Ok((tree, next()?)));
    if heard.is_err() {
        let _ = agent.kill();
    }
    let _ = listener.join();
    let (tree, progress) = heard?;
    let malformed = |error: serde_json::Error| FrameError::Io(io::Error::other(error));
    let tree = serde_json::from_slice(&tree).map_err(malformed)?;
    let progress = serde_json::from_slice(&progress).map_err(malformed)?;
    Ok((tree, progress))
}

#[cfg(test)]
mod tests;
