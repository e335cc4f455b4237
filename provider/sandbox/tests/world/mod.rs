//! How the tests see other processes: who descends from whom, and whether they are gone.
//!
//! It must never wait by sleeping: a pid descriptor tells when its process ends.

use std::fs;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Lists every process below `ancestor`, children first.
pub(crate) fn descendants(ancestor: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> = fs::read_dir("/proc")
        .unwrap()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid: u32| Some((pid, parent_of(pid)?)))
        .collect();
    let mut found = vec![ancestor];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        let children = parents.iter().filter(|&&(_, above)| above == parent);
        found.extend(children.map(|&(pid, _)| pid));
        next += 1;
    }
    found.split_off(1)
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let after_name = stat.rsplit_once(')')?.1;
    after_name.split_whitespace().nth(1)?.parse().ok()
}

/// Processes watched for their end.
pub(crate) struct Watch(Vec<OwnedFd>);

impl Watch {
    /// Watches `pids`; one that has ended already needs no watching.
    pub(crate) fn over(pids: &[u32]) -> Self {
        let open = |&pid: &u32| {
            let pid = Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
            match pidfd_open(pid, PidfdFlags::empty()) {
                Err(Errno::SRCH) => None,
                opened => Some(opened.unwrap()),
            }
        };
        Self(pids.iter().filter_map(open).collect())
    }

    /// Says whether each ends within `timeout`.
    pub(crate) fn gone_within(&self, timeout: Duration) -> bool {
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout.as_secs()).unwrap(),
            tv_nsec: i64::from(timeout.subsec_nanos()),
        };
        self.0.iter().all(|process| {
            let mut fds = [PollFd::new(process, PollFlags::IN)];
            poll(&mut fds, Some(&timeout)).unwrap() == 1
        })
    }
}
