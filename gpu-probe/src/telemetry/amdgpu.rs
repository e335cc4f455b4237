//! Owns the figures that amdgpu shows beside its hardware monitor (`Documentation/gpu/amdgpu/thermal.rst`).
//!
//! Never trusts the binary table of metrics beyond its header: a revision whose layout is not known
//! here, or that is shorter than it says, tells nothing.

use std::collections::BTreeSet;

use super::files::Files;
use super::{Clocks, Memory, ThrottleReason, plausible_megahertz, plausible_permille};

/// Reads the part of time in which the graphics engine was busy, 0 to 1,000.
pub(super) fn busy_permille(device: &Files) -> Option<u16> {
    plausible_permille(device.count("gpu_busy_percent")?, 100)
}

/// Reads device memory.
pub(super) fn memory(device: &Files) -> Memory {
    Memory {
        used_bytes: device.count("mem_info_vram_used"),
        total_bytes: device
            .count("mem_info_vram_total")
            .filter(|bytes| *bytes > 0),
    }
}

/// Reads the clock levels that are marked as the present ones.
pub(super) fn clocks(device: &Files) -> Clocks {
    let level = |name| marked_level(&device.text(name)?);
    Clocks {
        core_mhz: level("pp_dpm_sclk"),
        memory_mhz: level("pp_dpm_mclk"),
    }
}

/// Finds the present level of a table such as `0: 500Mhz\n1: 2575Mhz *`.
fn marked_level(table: &str) -> Option<u32> {
    let line = table.lines().find(|line| line.trim_end().ends_with('*'))?;
    let (_, clock) = line.trim_end().trim_end_matches('*').split_once(':')?;
    let digits = clock.trim().to_ascii_lowercase();
    plausible_megahertz(digits.strip_suffix("mhz")?.trim().parse().ok()?)
}

/// Reads what holds the clocks back.
pub(super) fn throttle(device: &Files) -> Option<BTreeSet<ThrottleReason>> {
    let status = throttle_status(&device.bytes("gpu_metrics")?)?;
    Some(reasons(status))
}

/// Finds the throttle bits that mean the same on every chip (`struct gpu_metrics_v1_3` and `v2_2` to `v2_4` of
/// `kgd_pp_interface.h`; v1 is of cards, v2 of processors with a GPU). All ones are how the driver fills what
/// the firmware does not tell.
fn throttle_status(table: &[u8]) -> Option<u64> {
    let [size_low, size_high, format, content] = *table.first_chunk()?;
    let offset = match (format, content) {
        (1, 3) => 112,
        (2, 2..=4) => 120,
        _ => return None,
    };
    let size = usize::from(u16::from_le_bytes([size_low, size_high]));
    let word = table.get(..size)?.get(offset..)?.first_chunk()?;
    Some(u64::from_le_bytes(*word)).filter(|status| *status != u64::MAX)
}

/// Sorts throttle bits (`SMU_THROTTLER_*` of `amdgpu_smu.h`).
fn reasons(status: u64) -> BTreeSet<ThrottleReason> {
    let mut found = BTreeSet::new();
    for bit in (0..u64::BITS).filter(|bit| status >> bit & 1 == 1) {
        found.insert(match bit {
            // Package power, then currents: what a card under full load is limited by.
            0..=7 | 16..=23 => ThrottleReason::PowerCap,
            // The die, memory, liquid and voltage regulators.
            32..=45 => ThrottleReason::Thermal,
            // The processor's or the card's alarm line.
            46 | 47 => ThrottleReason::HardwareSlowdown,
            _ => ThrottleReason::Other,
        });
    }
    found
}

#[cfg(test)]
mod tests;
