//! Control groups of one worker tree: memory and number of processes, version 2 or 1.
//!
//! It must never limit a group that the agent did not make, and never fail a launch: what cannot
//! be had is left to the limits of each process, and the evidence says so.
//!
//! ```text
//!  user@1000.service/app.slice/nightshift.service     delegated: by its unit, or asked for (`systemd`)
//!    ├── agent                                        the agent and what else was found (`delegation`)
//!    ├── nightshift-worker-77-0                       one worker's launcher, init and worker, limited
//!    └── nightshift-worker-77-1
//! ```

mod delegation;
mod home;
mod leftovers;
mod systemd;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use self::home::{Controller, Home};
use self::leftovers::left_by_the_dead;
use crate::config::Keeper;
use crate::layer::{Layer, LayerName};
use crate::limits::Limits;

/// The start of the name of every group made here; the agent's process id follows.
const PREFIX: &str = "nightshift-worker-";

/// The groups of one worker; [`Groups::remove`] takes them away once it is gone, and so does dropping them.
#[derive(Debug, Default)]
pub(super) struct Groups {
    made: Vec<Made>,
}

/// One group, with the limit files that were written.
#[derive(Debug)]
struct Made {
    folder: PathBuf,
    limits: Vec<(&'static str, u64)>,
}

impl Groups {
    /// Makes what groups it can with `limits`.
    pub(super) fn make(limits: &Limits) -> Self {
        let mut groups = Self::default();
        for home in home::of_this_process() {
            if groups.covers(&home) {
                continue;
            }
            if let Ok(made) = make_one(&home, limits) {
                groups.made.push(made);
            }
        }
        groups
    }

    fn covers(&self, home: &Home) -> bool {
        match home {
            Home::Unified(_) | Home::Single(Controller::Memory, _) => self.keeps("memory"),
            Home::Single(Controller::Pids, _) => self.keeps("pids"),
        }
    }

    fn keeps(&self, start: &str) -> bool {
        let mut files = self.made.iter().flat_map(|made| &made.limits);
        files.any(|(file, _)| file.starts_with(start))
    }

    /// Says who keeps the limit of memory.
    pub(super) fn memory_keeper(&self) -> Keeper {
        self.keeper("memory")
    }

    /// Says who keeps the limit of processes.
    pub(super) fn process_keeper(&self) -> Keeper {
        self.keeper("pids")
    }

    fn keeper(&self, start: &str) -> Keeper {
        if self.keeps(start) {
            Keeper::ControlGroup
        } else {
            Keeper::ResourceLimit
        }
    }

    /// Says whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.made.is_empty()
    }

    /// Opens the files through which a new process enters the groups.
    pub(super) fn entrances(&self) -> io::Result<Vec<OwnedFd>> {
        self.made
            .iter()
            .map(|made| {
                let file = made.folder.join("cgroup.procs");
                Ok(OwnedFd::from(OpenOptions::new().write(true).open(file)?))
            })
            .collect()
    }

    /// Opens the files through which the kernel ends all that is in the groups, where it has such
    /// files (version 2 since Linux 5.14).
    pub(super) fn endings(&self) -> Vec<File> {
        let open = |made: &Made| {
            let file = made.folder.join("cgroup.kill");
            OpenOptions::new().write(true).open(file).ok()
        };
        self.made.iter().filter_map(open).collect()
    }

    /// Looks from outside whether `launcher`, and with it all that it starts, is in its groups, and whether they allow no
    /// more than was asked for.
    pub(super) fn observe(&self, launcher: u32) -> Option<Layer> {
        let mut words = Vec::new();
        for made in &self.made {
            let members = fs::read_to_string(made.folder.join("cgroup.procs")).ok()?;
            let is_inside = |line: &str| line.trim().parse() == Ok(launcher);
            if !members.lines().any(is_inside) {
                return None;
            }
            for &(file, asked) in &made.limits {
                let value = fs::read_to_string(made.folder.join(file)).ok()?;
                let value: u64 = value.trim().parse().ok().filter(|value| *value <= asked)?;
                words.push(format!("{file} {value}"));
            }
            words.push(format!("{} processes inside", members.lines().count()));
        }
        (!words.is_empty()).then(|| Layer {
            name: LayerName::ControlGroup,
            evidence: words.join(", "),
        })
    }

    /// Ends what is still in the groups and removes them; says whether all are gone (one with a dying process is not,
    /// yet).
    pub(super) fn remove(&mut self) -> bool {
        self.made.retain(|made| {
            end_members(&made.folder);
            !matches!(fs::remove_dir(&made.folder), Ok(()))
        });
        self.made.is_empty()
    }
}

impl Drop for Groups {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Ends all that is in a group: by the kernel's own file, or one by one where it has none (version 1).
fn end_members(folder: &Path) {
    if fs::write(folder.join("cgroup.kill"), "1").is_ok() {
        return;
    }
    let members = || fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    for line in members().lines() {
        let process = line.parse().ok().and_then(Pid::from_raw);
        let opened = process.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        // One that ended since has lost its number, and whoever has it now is not in the group.
        if let Some(process) = opened
            && members().lines().any(|member| member == line)
        {
            let _ = pidfd_send_signal(process, Signal::KILL);
        }
    }
}

/// Removes what agents that are gone left, wherever this one would make groups.
pub(super) fn sweep() {
    for home in home::of_this_process() {
        if let Ok(parent) = parent_in(&home) {
            sweep_below(&parent);
        }
    }
}

fn sweep_below(parent: &Path) {
    for folder in left_by_the_dead(parent, PREFIX) {
        // One whose last process is still dying goes at the next start.
        let _ = fs::remove_dir(folder);
    }
}

/// The group below which those of workers are made.
fn parent_in(home: &Home) -> io::Result<PathBuf> {
    match home {
        Home::Unified(own) => delegation::parent_for_workers(own),
        Home::Single(_, folder) => Ok(folder.clone()),
    }
}

fn make_one(home: &Home, limits: &Limits) -> io::Result<Made> {
    let parent = parent_in(home)?;
    sweep_below(&parent);
    let folder = new_folder(&parent)?;
    let mut made = Made {
        folder,
        limits: Vec::new(),
    };
    if let Err(error) = write_limits(&mut made, home, limits) {
        let _ = fs::remove_dir(&made.folder);
        return Err(error);
    }
    Ok(made)
}

/// Writes each limit and reads it back. Swap is bounded too, where the kernel counts it.
fn write_limits(made: &mut Made, home: &Home, limits: &Limits) -> io::Result<()> {
    let processes = u64::from(limits.processes) + 2;
    let memory = limits.memory_bytes;
    let (needed, offered): (&[_], &[_]) = match home {
        Home::Unified(_) => (
            &[("memory.max", memory), ("pids.max", processes)],
            &[("memory.swap.max", 0)],
        ),
        Home::Single(Controller::Memory, _) => (
            &[("memory.limit_in_bytes", memory)],
            &[("memory.memsw.limit_in_bytes", memory)],
        ),
        Home::Single(Controller::Pids, _) => (&[("pids.max", processes)], &[]),
    };
    for &(file, value) in needed {
        fs::write(made.folder.join(file), value.to_string())?;
        made.limits.push((file, value));
    }
    for &(file, value) in offered {
        if fs::write(made.folder.join(file), value.to_string()).is_ok() {
            made.limits.push((file, value));
        }
    }
    OpenOptions::new()
        .write(true)
        .open(made.folder.join("cgroup.procs"))
        .map(drop)
}

fn new_folder(parent: &Path) -> io::Result<PathBuf> {
    for number in 0..10_000_u32 {
        let folder = parent.join(format!("{PREFIX}{}-{number}", std::process::id()));
        match fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("ten thousand workers at once"))
}

#[cfg(test)]
mod tests;
