//! Where the control groups of this process are, by the kernel's own tables.
//!
//! It must never write anything.

use std::fs;
use std::path::{Path, PathBuf};

/// Where a controller's groups live for this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Home {
    /// Version 2: one tree for all controllers.
    Unified(PathBuf),
    /// Version 1: the tree of one controller.
    Single(Controller, PathBuf),
}

/// The two controllers in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Controller {
    Memory,
    Pids,
}

/// Finds this process's folders for memory and pids; version 2 first.
pub(super) fn of_this_process() -> Vec<Home> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    homes(&read("/proc/self/cgroup"), &read("/proc/self/mountinfo"))
}

/// Finds this process's folder of version 2.
pub(super) fn unified() -> Option<PathBuf> {
    of_this_process().into_iter().find_map(|home| match home {
        Home::Unified(folder) => Some(folder),
        Home::Single(..) => None,
    })
}

/// As [`of_this_process`], from the texts of `/proc/self/cgroup` and `/proc/self/mountinfo`.
pub(super) fn homes(cgroup: &str, mountinfo: &str) -> Vec<Home> {
    let mut homes = Vec::new();
    for line in cgroup.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else {
            continue;
        };
        if controllers.is_empty() {
            let folder = mounted(mountinfo, "cgroup2", None, path);
            homes.extend(folder.map(Home::Unified));
            continue;
        }
        for (name, controller) in [("memory", Controller::Memory), ("pids", Controller::Pids)] {
            if controllers.split(',').any(|each| each == name) {
                let folder = mounted(mountinfo, "cgroup", Some(name), path);
                homes.extend(folder.map(|folder| Home::Single(controller, folder)));
            }
        }
    }
    homes.sort_by_key(|home| matches!(home, Home::Single(..)));
    homes
}

/// Finds where the group `path` of a hierarchy is visible.
fn mounted(mountinfo: &str, kind: &str, controller: Option<&str>, path: &str) -> Option<PathBuf> {
    mountinfo.lines().find_map(|line| {
        let (left, right) = line.split_once(" - ")?;
        let (root, point) = {
            let mut fields = left.split(' ').skip(3);
            (fields.next()?, fields.next()?)
        };
        let mut fields = right.split(' ');
        let options = (fields.next()? == kind).then(|| fields.nth(1)).flatten()?;
        if controller.is_some_and(|name| !options.split(',').any(|each| each == name)) {
            return None;
        }
        let below = Path::new(path).strip_prefix(root).ok()?;
        Some(Path::new(point).join(below))
    })
}
