//! Owns what must be gone after a soak: locked money, workers, processes, mounts, groups, temporary files.
//!
//! Never removes any of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use tempfile::TempDir;

use crate::credits;
use crate::market::Market;
use crate::processes;

/// Names that only unfinished files have.
const UNFINISHED: [&str; 4] = [".part", ".tmp", ".new", "~"];

/// The machine before the soak.
pub(super) struct Before {
    mounts: BTreeSet<String>,
}

/// Where the nodes of a market that has stopped had their homes.
pub(super) struct Homes {
    pub(super) operator: PathBuf,
    folder: TempDir,
}

/// Where all money is after the last job.
#[derive(Debug, Serialize)]
pub(super) struct Money {
    pub(super) issued: String,
    pub(super) available: String,
    pub(super) fees: String,
    pub(super) in_channels: String,
    pub(super) conserved: bool,
    pub(super) settled_after_s: u64,
}

/// Waits until nothing is locked any more.
pub(super) fn settled_money(market: &Market, limit: Duration) -> Money {
    let began = Instant::now();
    let audit: Value = market.operator.retry("the settlement of all channels", || {
        let audit = market.operator.json(&["operator", "status"])["audit"].clone();
        if credits::of(&audit["channels"]) == 0 || began.elapsed() > limit {
            return Ok(audit);
        }
        Err(audit.to_string())
    });
    let text = |key: &str| audit[key].as_str().unwrap_or_default().to_owned();
    Money {
        issued: text("issued"),
        available: text("available"),
        fees: text("fees"),
        in_channels: text("channels"),
        conserved: audit["conserved"] == true,
        settled_after_s: began.elapsed().as_secs(),
    }
}

/// Fails if a node that has nothing to do still has a process below it.
pub(super) fn check_running(market: &Market) {
    for node in market.providers().chain(market.consumers()) {
        let whose = format!("{} without a job", node.home.display());
        processes::assert_gone(&node.processes(), &whose);
    }
}

/// Stops all nodes and keeps their homes.
pub(super) fn stop(market: Market) -> Homes {
    let Market {
        consumer,
        more_consumers,
        provider,
        more_providers,
        operator,
        folder,
        ..
    } = market;
    let home = operator.home.clone();
    drop((consumer, more_consumers, provider, more_providers));
    drop(operator);
    Homes {
        operator: home,
        folder,
    }
}

impl Before {
    /// Looks at the machine.
    pub(super) fn look() -> Self {
        Self { mounts: mounts() }
    }

    /// Fails if something of the soak is still there. `pids` are the processes that its nodes were.
    pub(super) fn check(&self, homes: &Homes, pids: &BTreeSet<u32>) {
        let folder = homes.folder.path();
        processes::assert_gone(&processes::that_name(folder), "the soak");
        let named = folder.to_str().expect("temporary paths are UTF-8");
        let is_ours = |mount: &&String| mount.contains(named) || mount.contains("nightshift");
        let now = mounts();
        let mounts: Vec<&String> = now.difference(&self.mounts).filter(is_ours).collect();
        assert!(mounts.is_empty(), "mounts were left behind: {mounts:?}");
        let groups = groups_of(Path::new("/sys/fs/cgroup"), pids);
        assert!(groups.is_empty(), "groups were left behind: {groups:?}");
        let files = unfinished(folder);
        assert!(files.is_empty(), "files were left behind: {files:?}");
    }
}

fn mounts() -> BTreeSet<String> {
    let text = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}

/// Lists the control groups whose names say that one of these processes made them.
fn groups_of(folder: &Path, pids: &BTreeSet<u32>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if !path.is_dir() || path.is_symlink() {
            continue;
        }
        let name = entry.file_name().to_string_lossy().into_owned();
        let owner = name.strip_prefix("nightshift-worker-");
        let owner = owner.and_then(|rest| rest.split('-').next()?.parse().ok());
        if owner.is_some_and(|owner| pids.contains(&owner)) {
            found.push(path);
        } else {
            found.extend(groups_of(&path, pids));
        }
    }
    found
}

/// Lists files that were begun and not finished, and what lies in folders for such.
fn unfinished(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if path.is_dir() {
            found.extend(unfinished(&path));
            continue;
        }
        let parent = path.parent().and_then(Path::file_name);
        let is_scratch = parent.is_some_and(|parent| parent == "work" || parent == "incoming");
        if is_scratch || UNFINISHED.iter().any(|end| name.ends_with(end)) {
            found.push(path);
        }
    }
    found
}
