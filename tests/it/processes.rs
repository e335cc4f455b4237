//! Owns looking at processes: who descends from whom, who still lives, and ending one by its id.
//!
//! Never ends a process by its name.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

/// One process, also after its id was given to another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Process {
    /// Its id.
    pub(crate) pid: u32,
    /// When it started, in ticks since the machine did.
    started: u64,
}

/// What `/proc` says of a process.
struct Stat {
    process: Process,
    parent: u32,
    state: char,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    Some(Stat {
        process: Process {
            pid,
            started: fields.get(19)?.parse().ok()?,
        },
        parent: fields.get(1)?.parse().ok()?,
        state: fields.first()?.chars().next()?,
    })
}

fn all() -> Vec<Stat> {
    let entries = fs::read_dir("/proc").expect("this system shows its processes");
    let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter_map(stat).collect()
}

/// Lists the living processes that descend from `ancestor`.
pub(crate) fn descendants(ancestor: u32) -> BTreeSet<Process> {
    let all = all();
    let mut found = vec![ancestor];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        let children = all.iter().filter(|stat| stat.parent == parent);
        found.extend(children.map(|stat| stat.process.pid));
        next += 1;
    }
    let is_below = |stat: &Stat| stat.process.pid != ancestor && found.contains(&stat.process.pid);
    all.into_iter()
        .filter(is_below)
        .map(|stat| stat.process)
        .collect()
}

/// Lists the living processes whose command line or environment names `folder`.
pub(crate) fn that_name(folder: &Path) -> BTreeSet<Process> {
    let needle = folder.as_os_str().as_encoded_bytes();
    let names = |file: &str, pid: u32| {
        let bytes = fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        bytes.windows(needle.len()).any(|window| window == needle)
    };
    let living = all()
        .into_iter()
        .filter(|stat| stat.state != 'Z')
        .map(|stat| stat.process);
    living
        .filter(|process| process.pid != std::process::id())
        .filter(|process| names("cmdline", process.pid) || names("environ", process.pid))
        .collect()
}

impl Process {
    /// Finds a living process by its id.
    pub(crate) fn of(pid: u32) -> Option<Self> {
        stat(pid).map(|stat| stat.process)
    }

    /// Tells whether it is gone within `limit`. One that waits to be reaped counts as gone.
    pub(crate) fn is_gone_within(&self, limit: Duration) -> bool {
        let is_other = |stat: &Stat| stat.process != *self || stat.state == 'Z';
        let Some(watch) = self.watch() else {
            return stat(self.pid).is_none_or(|stat| is_other(&stat));
        };
        if stat(self.pid).is_none_or(|stat| is_other(&stat)) {
            return true;
        }
        let limit = Timespec {
            tv_sec: i64::try_from(limit.as_secs()).expect("a limit is short"),
            tv_nsec: i64::from(limit.subsec_nanos()),
        };
        let mut watched = [PollFd::new(&watch, PollFlags::IN)];
        poll(&mut watched, Some(&limit)).is_ok_and(|ready| ready == 1)
    }

    fn watch(&self) -> Option<OwnedFd> {
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw)?;
        pidfd_open(pid, PidfdFlags::empty()).ok()
    }
}

/// Returns the memory that a process holds, in KiB.
pub(crate) fn memory_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// Sends a signal to the process with this id; one that is gone already is no error.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let _gone = kill_process(pid.expect("a process has a positive id"), signal);
}

/// Fails if one of `processes` lives longer than a moment.
pub(crate) fn assert_gone(processes: &BTreeSet<Process>, whose: &str) {
    for process in processes {
        let pid = process.pid;
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = line.replace('\0', " ");
        let is_gone = process.is_gone_within(Duration::from_secs(5));
        assert!(is_gone, "{whose} left process {pid} behind: {line}");
    }
}

#[test]
fn a_child_is_found_below_its_parent_and_gone_after_its_end() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let mut command = std::process::Command::new("sleep");
    let mut child = command
        .arg("1000")
        .env("MARK", folder.path())
        .spawn()
        .expect("the system has `sleep`");
    let process = Process::of(child.id()).expect("the child lives");
    assert!(descendants(std::process::id()).contains(&process));
    let named = that_name(folder.path());
    signal(process.pid, Signal::KILL);
    let is_gone = process.is_gone_within(Duration::from_secs(10));
    child.wait().expect("a child can be waited for");
    assert!(is_gone && Process::of(process.pid).as_ref() != Some(&process));
    assert_eq!(named, BTreeSet::from([process]));
}
