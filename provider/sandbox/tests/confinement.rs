//! The life of real workers: from launch to LOCKED, and every way in which one ends. Linux only.
//!
//! It must never judge an attack: `tests/attacks.rs` does, for every line of the table.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "what the tests share with each other is test code too"
)]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use sandbox::{
    ConfineError, DriverProfile, Exit, LaunchError, LayerName, Limits, Presence, Rights, Sandbox,
    SystemPath, Watch, Worker, WorkerProgram, family_of, read_frame, write_frame,
};

const PROBE: &str = env!("CARGO_BIN_EXE_sandbox-probe");
const PATIENCE: Duration = Duration::from_secs(20);

fn program(args: &[&str]) -> WorkerProgram {
    WorkerProgram {
        path: PROBE.into(),
        args: args.iter().map(Into::into).collect(),
    }
}

fn sandbox(args: &[&str], limits: Limits) -> Sandbox {
    Sandbox::new(program(args), DriverProfile::cpu(), limits)
}

fn locked(args: &[&str], limits: Limits) -> Worker {
    let launched = sandbox(args, limits).launch().unwrap();
    launched.wait_locked(PATIENCE).unwrap()
}

fn number_from(worker: &mut Worker) -> Option<usize> {
    let mut output = worker.take_stdout().unwrap();
    let frame = read_frame(&mut output, 64).unwrap()?;
    Some(String::from_utf8(frame).unwrap().parse().unwrap())
}

#[test]
fn a_locked_worker_names_every_layer_and_serves_frames() {
    let mut worker = locked(&["worker", "echo"], Limits::default());
    let names: BTreeSet<_> = worker.report().layers.iter().map(|l| l.name).collect();
    for name in [
        LayerName::Environment,
        LayerName::Descriptors,
        LayerName::Session,
        LayerName::ParentDeath,
        LayerName::ResourceLimits,
        LayerName::UserNamespace,
        LayerName::PidNamespace,
        LayerName::NetworkNamespace,
        LayerName::IpcNamespace,
        LayerName::UtsNamespace,
        LayerName::MountNamespace,
        LayerName::Capabilities,
        LayerName::NoNewPrivileges,
        LayerName::Seccomp,
    ] {
        assert!(names.contains(&name), "{name} is not reported");
    }
    let mut input = worker.take_stdin().unwrap();
    let mut output = worker.take_stdout().unwrap();
    write_frame(&mut input, b"a job").unwrap();
    assert_eq!(read_frame(&mut output, 64).unwrap().unwrap(), b"a job");
    drop(input);
    assert_eq!(read_frame(&mut output, 64).unwrap(), None);
    assert_eq!(worker.wait(), Exit::Code(0));
}

#[test]
fn threads_start_after_the_lock_but_not_without_end() {
    let mut few = locked(&["worker", "threads", "12"], Limits::default());
    assert_eq!(number_from(&mut few), Some(12));
    let limits = Limits {
        processes: 20,
        ..Limits::default()
    };
    let mut bomb = locked(&["worker", "threads", "5000"], limits);
    let started = number_from(&mut bomb).unwrap();
    assert!((4..=22).contains(&started), "{started} threads");
}

#[test]
fn a_memory_bomb_ends_the_worker_and_not_the_agent() {
    let limits = Limits {
        memory_bytes: 96 << 20,
        scratch_bytes: 1 << 20,
        ..Limits::default()
    };
    let mut modest = locked(&["worker", "memory", "16"], limits.clone());
    assert_eq!(number_from(&mut modest), Some(16));
    let mut bomb = locked(&["worker", "memory", "384"], limits);
    assert_eq!(number_from(&mut bomb), None);
    assert!(matches!(bomb.wait(), Exit::Code(code) if code > 128));
}

#[test]
fn a_kill_ends_the_whole_tree_at_once() {
    let worker = locked(&["worker", "daemon"], Limits::default());
    let tree = family_of(worker.id());
    assert!(
        tree.len() >= 4,
        "launcher, init, worker and its daemon: {tree:?}"
    );
    let watch = Watch::over(&tree).unwrap();
    let start = Instant::now();
    worker.kill();
    assert!(watch.gone_within(Duration::ZERO), "{tree:?}");
    assert!(
        start.elapsed() < Duration::from_millis(250),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(worker.wait(), Exit::Killed);
}

#[test]
fn a_launcher_that_does_not_answer_is_ended_with_its_whole_tree() {
    let worker = locked(&["worker", "daemon"], Limits::default());
    let tree = family_of(worker.id());
    let watch = Watch::over(&tree).unwrap();
    let launcher = i32::try_from(worker.id()).unwrap();
    let launcher = rustix::process::Pid::from_raw(launcher).unwrap();
    rustix::process::kill_process(launcher, rustix::process::Signal::STOP).unwrap();
    worker.kill();
    assert!(watch.gone_within(PATIENCE), "{tree:?}");
    assert_eq!(worker.wait(), Exit::Killed);
}

#[test]
fn dropping_a_worker_ends_what_it_left_behind() {
    let worker = locked(&["worker", "daemon"], Limits::default());
    let tree = family_of(worker.id());
    let watch = Watch::over(&tree).unwrap();
    drop(worker);
    assert!(watch.gone_within(Duration::ZERO));
}

#[test]
fn the_wall_clock_runs_from_locked_and_ends_a_worker_that_spins() {
    let limit = Duration::from_secs(1);
    let limits = Limits {
        wall_clock: limit,
        ..Limits::default()
    };
    // On an emulated processor the end takes as long as a start.
    let start = Instant::now();
    drop(locked(&["worker", "echo"], Limits::default()));
    let slack = Duration::from_secs(1).max(4 * start.elapsed());
    let start = Instant::now();
    let worker = locked(&["worker", "late"], limits);
    let (until_locked, locked_at) = (start.elapsed(), Instant::now());
    assert!(until_locked > limit, "it warmed up in {until_locked:?}");
    assert_eq!(worker.wait_timeout(PATIENCE), Some(Exit::Deadline));
    let (taken, in_all) = (locked_at.elapsed(), start.elapsed());
    assert!(taken < limit + slack, "{taken:?}");
    assert!(in_all > 2 * limit, "{in_all:?}");
}

#[test]
fn processor_time_runs_out() {
    let limits = Limits {
        cpu_time: Duration::from_secs(1),
        ..Limits::default()
    };
    let worker = locked(&["worker", "spin"], limits);
    let exit = worker.wait_timeout(PATIENCE);
    // SIGXCPU is 24, and SIGKILL follows where it is ignored.
    assert!(matches!(exit, Some(Exit::Code(152 | 137))), "{exit:?}");
}

#[test]
fn an_engine_that_fails_to_warm_up_is_told_in_its_own_words() {
    let launched = sandbox(&["worker", "unfit"], Limits::default())
        .launch()
        .unwrap();
    let answer = launched.wait_locked(PATIENCE);
    let Err(LaunchError::NotReady(cause)) = answer else {
        unreachable!("the worker said that it is not ready, yet: {answer:?}")
    };
    assert_eq!(cause, "no adapter was found");
}

#[test]
fn a_bench_greeting_is_not_locked() {
    let launched = sandbox(&["worker", "forge"], Limits::default())
        .launch()
        .unwrap();
    let answer = launched.wait_locked(PATIENCE);
    assert!(
        matches!(answer, Err(LaunchError::NotAGreeting)),
        "{answer:?}"
    );
}

#[test]
fn a_worker_that_never_locks_is_given_up() {
    let launched = sandbox(&["worker", "silent"], Limits::default())
        .launch()
        .unwrap();
    let watch = Watch::over(&[launched.id()]).unwrap();
    let answer = launched.wait_locked(Duration::from_millis(300));
    assert!(
        matches!(answer, Err(LaunchError::TimedOut(_))),
        "{answer:?}"
    );
    assert!(watch.gone_within(PATIENCE));
}

#[test]
fn a_missing_requirement_is_refused_by_name() {
    let mut profile = DriverProfile::cpu();
    profile.paths.push(SystemPath {
        path: "/no/such/driver".into(),
        rights: Rights::Data,
        presence: Presence::Required,
        reason: "a driver that is not installed".into(),
    });
    let sandbox = Sandbox::new(program(&["worker", "echo"]), profile, Limits::default());
    let answer = sandbox.launch().unwrap().wait_locked(PATIENCE);
    let Err(LaunchError::Refused(ConfineError { layer, step, .. })) = answer else {
        unreachable!("a required path is missing, yet: {answer:?}")
    };
    assert_eq!(layer, LayerName::MountNamespace);
    assert!(step.contains("/no/such/driver"));
}

#[test]
fn a_program_that_is_no_worker_ends_early_and_its_words_are_kept() {
    let launched = sandbox(&["nonsense"], Limits::default()).launch().unwrap();
    let answer = launched.wait_locked(PATIENCE);
    assert!(
        matches!(answer, Err(LaunchError::EndedEarly { .. })),
        "{answer:?}"
    );
}

#[test]
fn a_panic_after_the_lock_is_told_and_costs_only_the_worker() {
    let worker = locked(&["worker", "panic"], Limits::default());
    assert_eq!(worker.wait_timeout(PATIENCE), Some(Exit::Code(101)));
    assert!(worker.stderr_text().contains("index out of bounds"));
}

#[test]
fn impossible_limits_are_refused_before_anything_starts() {
    let limits = Limits {
        processes: 0,
        ..Limits::default()
    };
    let answer = sandbox(&["worker", "echo"], limits).launch();
    assert!(matches!(answer, Err(LaunchError::Limits(_))));
}
