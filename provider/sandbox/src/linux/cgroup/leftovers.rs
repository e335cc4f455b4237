//! The groups that agents that are gone left behind, by the process ids in their names.
//!
//! It must never remove anything: a group with a process in it is not left behind, and only its removal tells.

use std::path::{Path, PathBuf};

/// Lists the entries of `parent` whose names are `prefix`, the id of a process that is not there any more, and a dash
/// with something behind it. Nothing where `parent` cannot be read.
pub(super) fn left_by_the_dead(parent: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
    let is_left = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        let owner = name
            .and_then(|name| name.strip_prefix(prefix))
            .and_then(|rest| rest.split_once('-'));
        owner.is_some_and(|(pid, _)| {
            pid.parse::<u32>().is_ok() && !Path::new("/proc").join(pid).exists()
        })
    };
    entries.map(|entry| entry.path()).filter(is_left).collect()
}

#[cfg(test)]
mod tests;
