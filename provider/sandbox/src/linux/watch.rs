//! Processes watched from outside for their end.
//!
//! It must never wait by sleeping: a pid descriptor tells when its process ends.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// Processes watched for their end.
#[derive(Debug)]
pub struct Watch(Vec<OwnedFd>);

impl Watch {
    /// Watches `pids`; one that has ended already needs no watching.
    ///
    /// # Errors
    /// One is there and cannot be watched, so that nothing could be said of its end.
    pub fn over<'a>(pids: impl IntoIterator<Item = &'a u32>) -> io::Result<Self> {
        let open = |&pid: &u32| {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw)?;
            match pidfd_open(pid, PidfdFlags::empty()) {
                Err(Errno::SRCH) => None,
                other => Some(other.map_err(io::Error::from)),
            }
        };
        let opened = pids.into_iter().filter_map(open);
        Ok(Self(opened.collect::<io::Result<_>>()?))
    }

    /// Says whether each ends within `timeout`.
    #[must_use]
    pub fn gone_within(&self, timeout: Duration) -> bool {
        let deadline = Instant::now() + timeout;
        self.0.iter().all(|process| {
            let left = deadline.saturating_duration_since(Instant::now());
            super::process::ends_within(process.as_fd(), left)
        })
    }

    /// Ends what is still there.
    pub fn end(self) {
        for process in &self.0 {
            // One that has ended meanwhile is what is wanted.
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
    }
}
