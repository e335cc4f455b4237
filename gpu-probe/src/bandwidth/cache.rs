//! Owns the size of this machine's last cache, which a bandwidth must be measured outside of.
//!
//! Never guesses: where the system does not say, the answer is `None`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Returns the bytes of all caches of the last level together, or `None` where the system does not say.
pub(super) fn last_level_bytes() -> Option<u64> {
    let mut caches = Vec::new();
    for cpu in fs::read_dir("/sys/devices/system/cpu").ok()?.flatten() {
        let Ok(indices) = fs::read_dir(cpu.path().join("cache")) else {
            continue;
        };
        caches.extend(
            indices
                .flatten()
                .filter_map(|index| Cache::read(&index.path())),
        );
    }
    largest_level(caches)
}

/// One cache as one processor sees it.
struct Cache {
    level: u32,
    bytes: u64,
    /// The processors that share it: its name.
    shared_by: String,
}

impl Cache {
    /// Reads a folder such as `/sys/devices/system/cpu/cpu0/cache/index3`.
    fn read(folder: &Path) -> Option<Self> {
        let text = |name| fs::read_to_string(folder.join(name)).ok();
        Some(Self {
            level: text("level")?.trim().parse().ok()?,
            bytes: bytes(&text("size")?)?,
            shared_by: text("shared_cpu_list")?,
        })
    }
}

/// Adds up the different caches of the highest level.
fn largest_level(caches: Vec<Cache>) -> Option<u64> {
    let level = caches.iter().map(|cache| cache.level).max()?;
    let last: BTreeMap<String, u64> = caches
        .into_iter()
        .filter(|cache| cache.level == level)
        .map(|cache| (cache.shared_by, cache.bytes))
        .collect();
    Some(last.values().sum())
}

/// Reads a size as the kernel writes it, in KiB.
fn bytes(text: &str) -> Option<u64> {
    let kib: u64 = text.trim().strip_suffix('K')?.parse().ok()?;
    kib.checked_mul(1_024)
}

#[cfg(test)]
mod tests;
