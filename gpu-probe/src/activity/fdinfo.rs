//! Owns reading what the kernel shows of one open graphics device file: the lines of `/proc/PID/fdinfo/FD`
//! that the kernel's `Documentation/gpu/drm-usage-stats.rst` defines.
//!
//! Never fails: lines that are not understood are left out, and a file without `drm-driver` is no client.

use std::collections::BTreeMap;

use super::EngineClass;
use crate::telemetry::PciAddress;

/// The most engines of one client; drivers have about eight.
const ENGINES: usize = 32;

/// A user of a graphics device: one open file, however many descriptors lead to it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Client {
    /// The card's address (`drm-pdev`), where the device is on a PCI bus.
    pub(super) card: Option<PciAddress>,
    /// The kernel's number of the client, unique for a card; before Linux 5.19 there is none.
    pub(super) id: Option<u64>,
    /// What each engine did, by the driver's name of the engine.
    pub(super) engines: BTreeMap<String, Engine>,
    /// Device memory of its own and shared, in bytes.
    pub(super) memory_bytes: Option<u64>,
}

/// What a group of like engines did for one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Engine {
    pub(super) work: Work,
    /// How many engines there are, at least one.
    pub(super) capacity: u32,
}

/// Time that an engine worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// In nanoseconds of the system's clock.
    Nanoseconds(u64),
    /// In cycles, and all cycles that went by meanwhile: xe counts in the GPU's own time.
    Cycles { busy: u64, total: u64 },
}

/// The lines of one engine, which come in any order.
#[derive(Default)]
struct Lines {
    nanoseconds: Option<u64>,
    busy_cycles: Option<u64>,
    total_cycles: Option<u64>,
    capacity: Option<u32>,
}

impl Lines {
    /// Nanoseconds are asked first: some drivers show cycles beside them and no total.
    fn engine(&self) -> Option<Engine> {
        let cycles = self.busy_cycles.zip(self.total_cycles);
        let cycles = cycles.map(|(busy, total)| Work::Cycles { busy, total });
        Some(Engine {
            work: self.nanoseconds.map(Work::Nanoseconds).or(cycles)?,
            capacity: self.capacity.unwrap_or(1).max(1),
        })
    }
}

/// Reads a file; `None` where it is not of a graphics device.
pub(super) fn parse(text: &str) -> Option<Client> {
    let mut is_client = false;
    let mut client = Client::default();
    let mut engines: BTreeMap<&str, Lines> = BTreeMap::new();
    let mut regions: BTreeMap<&str, u64> = BTreeMap::new();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(':') else {
            continue;
        };
        let Some(key) = key.trim().strip_prefix("drm-") else {
            continue;
        };
        let value = value.trim();
        match key {
            "driver" => is_client = true,
            "pdev" => client.card = PciAddress::parse(value),
            "client-id" => client.id = value.parse().ok(),
            _ => {
                read_engine(key, value, &mut engines);
                read_region(key, value, &mut regions);
            }
        }
    }
    client.engines = engines
        .iter()
        .filter_map(|(name, lines)| Some(((*name).to_owned(), lines.engine()?)))
        .collect();
    let sum = |sum: Option<u64>, bytes: &u64| Some(sum.unwrap_or(0).saturating_add(*bytes));
    client.memory_bytes = regions.values().fold(None, sum);
    is_client.then_some(client)
}

fn read_engine<'a>(key: &'a str, value: &str, engines: &mut BTreeMap<&'a str, Lines>) {
    // The longer prefixes first: the shorter ones are their beginnings.
    let prefixes = ["engine-capacity-", "engine-", "total-cycles-", "cycles-"];
    let split = prefixes.iter().find_map(|prefix| {
        let name = key.strip_prefix(prefix)?;
        Some((*prefix, name))
    });
    let Some((prefix, name)) = split else {
        return;
    };
    if engines.len() >= ENGINES && !engines.contains_key(name) {
        return;
    }
    let lines = engines.entry(name).or_default();
    match prefix {
        "engine-capacity-" => lines.capacity = value.parse().ok(),
        "engine-" => {
            let count = value.strip_suffix("ns").map(str::trim);
            lines.nanoseconds = count.and_then(|count| count.parse().ok());
        }
        "total-cycles-" => lines.total_cycles = value.parse().ok(),
        _ => lines.busy_cycles = value.parse().ok(),
    }
}

/// Reads what a client holds in the card's own memory: `vram`, or i915's `local`. The older key and the newer
/// ones say the same thing, so the largest counts.
fn read_region<'a>(key: &'a str, value: &str, regions: &mut BTreeMap<&'a str, u64>) {
    let prefixes = ["memory-", "resident-", "total-"];
    let region = prefixes.iter().find_map(|prefix| key.strip_prefix(prefix));
    let is_own = |region: &&str| region.starts_with("vram") || region.starts_with("local");
    let Some(region) = region.filter(is_own) else {
        return;
    };
    if let Some(bytes) = bytes(value) {
        let held = regions.entry(region).or_default();
        *held = bytes.max(*held);
    }
}

/// Reads a size: bytes, `KiB` or `MiB`.
fn bytes(value: &str) -> Option<u64> {
    let (count, unit) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
    let factor = match unit.trim() {
        "" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        _ => return None,
    };
    count.parse::<u64>().ok()?.checked_mul(factor)
}

/// Sorts the names that drivers give their engines.
pub(super) fn class(engine: &str) -> EngineClass {
    match engine {
        // amdgpu, i915, xe.
        "gfx" | "render" | "rcs" => EngineClass::Render,
        "compute" | "ccs" => EngineClass::Compute,
        "dma" | "copy" | "bcs" => EngineClass::Copy,
        "dec" | "enc" | "enc_1" | "jpeg" | "vpe" | "video" | "video-enhance" | "vcs" | "vecs" => {
            EngineClass::Video
        }
        _ => EngineClass::Other,
    }
}

#[cfg(test)]
mod tests;
