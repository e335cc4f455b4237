//! Which processes belong to a process: itself and whatever came of it.
//!
//! It must never fail: a process that is gone when it is looked at belongs to nobody.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Returns a process and all that descend from it, as `/proc` shows them now.
#[must_use]
pub fn family_of(root: u32) -> BTreeSet<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let pids = names.filter_map(|name| name.parse().ok());
    let parents = pids.filter_map(|pid: u32| {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        Some((pid, parent_in(&stat)?))
    });
    descendants(root, &parents.collect())
}

/// Reads the parent's number from `/proc/PID/stat`: the second field behind the name, which may have anything in it
/// and ends with the last parenthesis.
fn parent_in(stat: &[u8]) -> Option<u32> {
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields = std::str::from_utf8(stat.get(end + 1..)?).ok()?;
    fields.split_whitespace().nth(1)?.parse().ok()
}

/// Returns `root` and all whose parents lead to it.
fn descendants(root: u32, parents: &BTreeMap<u32, u32>) -> BTreeSet<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for (child, parent) in parents {
        children.entry(*parent).or_default().push(*child);
    }
    let mut family = BTreeSet::new();
    let mut open = vec![root];
    while let Some(pid) = open.pop() {
        if family.insert(pid) {
            open.extend(children.get(&pid).into_iter().flatten());
        }
    }
    family
}

#[cfg(test)]
mod tests;
