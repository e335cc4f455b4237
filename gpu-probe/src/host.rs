//! Owns how much of the host's memory is free, which bounds what adapters without their own may claim.
//!
//! Never guesses: where the system does not say, the answer is `None`.

use std::fs;

/// Returns the bytes of host memory that a new program can use, or `None` where the system does not say.
///
/// Linux's own estimate, and what the control group still allows where that is less.
pub(crate) fn available_bytes() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let read = |name| fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok();
    let group = read("memory.max").zip(read("memory.current"));
    let group = group
        .as_ref()
        .and_then(|(max, current)| left_in_group(max, current));
    let system = available_in(&meminfo)?;
    Some(group.map_or(system, |group| system.min(group)))
}

/// Reads `MemAvailable` of `/proc/meminfo`, in bytes.
fn available_in(meminfo: &str) -> Option<u64> {
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1_024)
}

/// Returns what a control group still allows, in bytes; `None` where it sets no limit.
fn left_in_group(max: &str, current: &str) -> Option<u64> {
    let max: u64 = max.trim().parse().ok()?;
    let current: u64 = current.trim().parse().ok()?;
    Some(max.saturating_sub(current))
}

#[cfg(test)]
mod tests;
