//! Owns the figures that Intel's drivers show beside their hardware monitors: the clock and what holds it back.
//!
//! i915 keeps them in `drm/cardN/gt/gt0` (`rps_act_freq_mhz`, `throttle_reason_*`), xe in
//! `tile0/gt0/freq0` (`act_freq`, `throttle/reason_*`). Never reads another tile than the first.

use std::collections::BTreeSet;

use super::files::Files;
use super::{ThrottleReason, plausible_megahertz};

/// The reasons that both drivers name, and what they are: power limits, the running average thermal limit,
/// the voltage regulator's heat and current, the processor's alarm line.
const REASONS: [(&str, ThrottleReason); 8] = [
    ("pl1", ThrottleReason::PowerCap),
    ("pl2", ThrottleReason::PowerCap),
    ("pl4", ThrottleReason::PowerCap),
    ("vr_tdc", ThrottleReason::PowerCap),
    ("thermal", ThrottleReason::Thermal),
    ("ratl", ThrottleReason::Thermal),
    ("vr_thermalert", ThrottleReason::Thermal),
    ("prochot", ThrottleReason::HardwareSlowdown),
];

/// The clock and what holds it back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reading {
    pub(super) core_mhz: Option<u32>,
    pub(super) throttle: Option<BTreeSet<ThrottleReason>>,
}

/// Reads as the newer driver shows it.
pub(super) fn read_xe(device: &Files) -> Reading {
    let engine = device.folder("tile0/gt0/freq0");
    Reading {
        core_mhz: engine.count("act_freq").and_then(plausible_megahertz),
        throttle: throttle(&engine.folder("throttle"), ("status", "reason_")),
    }
}

/// Reads as the older driver shows it.
pub(super) fn read_i915(device: &Files) -> Reading {
    let nodes = device.names("drm");
    let Some(node) = nodes.iter().find(|name| name.starts_with("card")) else {
        return Reading::default();
    };
    let node = device.folder("drm").folder(node);
    let engine = node.folder("gt/gt0");
    // Kernels before 5.18 have no folder for each engine.
    let clock = engine.count("rps_act_freq_mhz");
    let clock = clock.or_else(|| node.count("gt_act_freq_mhz"));
    Reading {
        core_mhz: clock.and_then(plausible_megahertz),
        throttle: throttle(&engine, ("throttle_reason_status", "throttle_reason_")),
    }
}

fn throttle(folder: &Files, (status, prefix): (&str, &str)) -> Option<BTreeSet<ThrottleReason>> {
    let is_throttled = folder.count(status)? != 0;
    let is_set = |name: &str| folder.count(format!("{prefix}{name}")) == Some(1);
    let named = REASONS.iter().filter(|(name, _)| is_set(name));
    let mut reasons: BTreeSet<ThrottleReason> = named.map(|(_, reason)| *reason).collect();
    if is_throttled && reasons.is_empty() {
        reasons.insert(ThrottleReason::Other);
    }
    Some(reasons)
}
