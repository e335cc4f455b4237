//! The switch with real processes behind it.

use std::time::{Duration, Instant};

use sandbox::{DriverProfile, LaunchError, Launched, Limits, Sandbox, WorkerProgram};

use super::KillSwitch;

/// Longer than any test takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process that would live for ten minutes and never says a word.
fn child() -> Launched {
    let program = WorkerProgram {
        path: "/bin/sleep".into(),
        args: vec!["600".into()],
    };
    let sandbox = Sandbox::new(program, DriverProfile::cpu(), Limits::default());
    let launched = sandbox.launch();
    launched.expect("a process can be started")
}

/// Tells whether the child is gone, which shows in that its pipe has ended.
fn is_gone(child: Launched) -> bool {
    let waited_from = Instant::now();
    let ended = matches!(
        child.wait_locked(PATIENCE),
        Err(LaunchError::EndedEarly { .. })
    );
    ended && waited_from.elapsed() < PATIENCE / 2
}

#[test]
fn a_running_worker_is_gone_when_the_switch_was_pulled() {
    let (switch, child) = (KillSwitch::default(), child());
    switch.arm(child.killer());
    assert!(!switch.is_pulled());
    let wished_at = Instant::now();
    assert!(switch.pull(), "there was a worker");
    let took = wished_at.elapsed();
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    assert!(!switch.pull(), "there is none any more");
    assert!(switch.is_pulled() && is_gone(child));
}

#[test]
fn a_worker_that_comes_after_the_wish_does_not_live() {
    let switch = KillSwitch::default();
    assert!(!switch.clone().pull(), "nothing runs yet");
    let child = child();
    switch.arm(child.killer());
    assert!(is_gone(child));
}
