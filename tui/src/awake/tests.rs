//! Tests of the inhibitor's life, with a script in the place of the system's own.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::keep;

/// No test takes longer.
const LIMIT: Duration = Duration::from_secs(20);

/// How long a lock that should be held is looked at.
const EARLY: Duration = Duration::from_millis(300);

/// A system whose inhibitor is a script.
struct System {
    folder: TempDir,
    occupied: watch::Sender<bool>,
    problem: watch::Receiver<Option<String>>,
    task: JoinHandle<()>,
}

impl System {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("inhibit");
        fs::write(&path, format!("#!/bin/sh\ncd \"${{0%/*}}\"\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(folder.path().join("fifo"))
            .status();
        assert!(made.unwrap().success());
        let (occupied, receiver) = watch::channel(false);
        let (sender, problem) = watch::channel(None);
        let name: OsString = path.into();
        let task = tokio::spawn(async move { keep(&name, receiver, sender).await });
        Self {
            folder,
            occupied,
            problem,
            task,
        }
    }

    /// Returns what the script tells next.
    async fn told(&self) -> String {
        let fifo: PathBuf = self.folder.path().join("fifo");
        let read = tokio::task::spawn_blocking(move || fs::read_to_string(Path::new(&fifo)));
        timeout(LIMIT, read).await.unwrap().unwrap().unwrap()
    }

    async fn problem(&mut self) -> String {
        let problem = timeout(LIMIT, self.problem.wait_for(Option::is_some)).await;
        problem.unwrap().unwrap().clone().unwrap()
    }
}

#[tokio::test]
async fn the_lock_is_held_for_each_lease_and_released_after_it() {
    let system = System::new("echo \"$1\" > fifo; cat; echo released > fifo");
    for _ in 0..2 {
        system.occupied.send_replace(true);
        assert_eq!(system.told().await, "--what=sleep\n");
        assert_eq!(*system.problem.borrow(), None);
        let mut next = Box::pin(system.told());
        let early = timeout(EARLY, &mut next).await;
        assert_eq!(early.ok(), None, "it is held as long as the lease runs");
        system.occupied.send_replace(false);
        assert_eq!(next.await, "released\n");
    }
}

#[tokio::test]
async fn a_node_that_ends_lets_the_system_sleep() {
    let system = System::new("echo held > fifo; cat; echo released > fifo");
    system.occupied.send_replace(true);
    assert_eq!(system.told().await, "held\n");
    system.task.abort();
    // The script may be ended by its parent's end or by its input's; `cat` ends with the input in both cases.
    let inhibitors = system.occupied.closed();
    timeout(LIMIT, inhibitors).await.unwrap();
}

#[tokio::test]
async fn a_system_without_logind_is_a_note() {
    let mut system = System::new("echo 'Failed to inhibit: no bus' >&2; exit 1");
    system.occupied.send_replace(true);
    let problem = system.problem().await;
    assert!(problem.contains("may go to sleep"), "{problem}");
    assert!(problem.contains("Failed to inhibit: no bus"), "{problem}");
    system.occupied.send_replace(false);
    let cleared = timeout(LIMIT, system.problem.wait_for(Option::is_none)).await;
    assert_eq!(*cleared.unwrap().unwrap(), None);
}

#[tokio::test]
async fn a_system_without_the_program_is_a_note() {
    let (occupied, receiver) = watch::channel(true);
    let (sender, mut problem) = watch::channel(None);
    let missing: OsString = "/nowhere/systemd-inhibit".into();
    let task = tokio::spawn(async move { keep(&missing, receiver, sender).await });
    let said = timeout(LIMIT, problem.wait_for(Option::is_some)).await;
    let said = said.unwrap().unwrap().clone().unwrap();
    assert!(said.contains("/nowhere/systemd-inhibit"), "{said}");
    // After the lease nothing is in its way any more.
    occupied.send_replace(false);
    let cleared = timeout(LIMIT, problem.wait_for(Option::is_none)).await;
    assert_eq!(*cleared.unwrap().unwrap(), None);
    drop(occupied);
    timeout(LIMIT, task).await.unwrap().unwrap();
}
