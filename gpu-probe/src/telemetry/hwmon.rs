//! Owns reading a hardware monitor: the folder of numbered sensors that most Linux drivers share.
//!
//! The names and units are those of the kernel's `Documentation/hwmon/sysfs-interface.rst` (thousandths
//! of a degree, microwatts, microjoules, Hz, a duty of 0 to 255); the labels are amdgpu's
//! (`Documentation/gpu/amdgpu/thermal.rst`) and xe's (`sysfs-driver-intel-xe-hwmon`). Never takes a
//! sensor for another: one with a label that is not known is left out.

use super::files::Files;
use super::{
    Clocks, Fan, Power, Temperatures, plausible_celsius, plausible_megahertz, plausible_milliwatts,
    plausible_rpm,
};

/// The most sensors of one kind that are looked at.
const CHANNELS: u32 = 8;

/// What a monitor shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Reading {
    pub(super) temperature_c: Temperatures,
    pub(super) power: Power,
    pub(super) fan: Fan,
    pub(super) clocks: Clocks,
    /// Energy since the driver was loaded; it starts again at zero when the counter is full.
    pub(super) energy_microjoules: Option<u64>,
}

/// Reads the monitor of a device's folder: the one that bears the driver's name, else the first.
pub(super) fn read(device: &Files, driver: &str) -> Reading {
    let monitors = device.names("hwmon");
    let folders: Vec<Files> = monitors
        .iter()
        .filter(|name| name.starts_with("hwmon"))
        .map(|name| device.folder("hwmon").folder(name))
        .collect();
    let is_named = |folder: &&Files| folder.text("name").as_deref() == Some(driver);
    let chosen = folders.iter().find(is_named).or(folders.first());
    chosen.map(read_monitor).unwrap_or_default()
}

fn read_monitor(folder: &Files) -> Reading {
    Reading {
        temperature_c: temperatures(folder),
        power: Power {
            drawn_mw: first(|channel| drawn_mw(folder, channel)),
            cap_mw: first(|channel| cap_mw(folder, channel)),
        },
        fan: fan(folder),
        clocks: clocks(folder),
        energy_microjoules: first(|channel| folder.count(format!("energy{channel}_input"))),
    }
}

fn first<T>(read: impl FnMut(u32) -> Option<T>) -> Option<T> {
    (1..=CHANNELS).find_map(read)
}

fn temperatures(folder: &Files) -> Temperatures {
    let mut found = Temperatures::default();
    for channel in 1..=CHANNELS {
        let label = folder.text(format!("temp{channel}_label"));
        let place = match (label.as_deref(), channel) {
            // A driver with one sensor gives it no label.
            (Some("edge" | "pkg"), _) | (None, 1) => &mut found.edge,
            (Some("junction"), _) => &mut found.junction,
            (Some("mem" | "vram"), _) => &mut found.memory,
            _ => continue,
        };
        let value = folder.number(format!("temp{channel}_input"));
        *place = place.or(value.and_then(plausible_celsius));
    }
    found
}

/// Reads drawn power: an average where the driver keeps one, else this moment's.
fn drawn_mw(folder: &Files, channel: u32) -> Option<u32> {
    let average = folder.count(format!("power{channel}_average"));
    let microwatts = average.or_else(|| folder.count(format!("power{channel}_input")))?;
    plausible_milliwatts(microwatts / 1_000)
}

/// Reads the cap; zero is how i915 says that there is none.
fn cap_mw(folder: &Files, channel: u32) -> Option<u32> {
    let cap = folder.count(format!("power{channel}_cap"));
    let microwatts = cap.or_else(|| folder.count(format!("power{channel}_max")))?;
    plausible_milliwatts(microwatts / 1_000).filter(|cap| *cap > 0)
}

fn fan(folder: &Files) -> Fan {
    let duty = folder.count("pwm1").filter(|duty| *duty <= 255);
    let permille = duty.map(|duty| (duty * 1_000 + 127) / 255);
    Fan {
        speed_rpm: folder.count("fan1_input").and_then(plausible_rpm),
        duty_permille: permille.and_then(|permille| u16::try_from(permille).ok()),
    }
}

fn clocks(folder: &Files) -> Clocks {
    let labelled = |wanted: &str| {
        first(|channel| {
            let label = folder.text(format!("freq{channel}_label"))?;
            let hertz = (label == wanted).then(|| folder.count(format!("freq{channel}_input")))?;
            plausible_megahertz(hertz? / 1_000_000)
        })
    };
    Clocks {
        core_mhz: labelled("sclk"),
        memory_mhz: labelled("mclk"),
    }
}
