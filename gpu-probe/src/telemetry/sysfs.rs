//! Owns a card's folder below `/sys/bus/pci/devices`: which one it is, whether the card sleeps, and what
//! its driver shows there.
//!
//! Never takes one of two like cards for the adapter: where the address is unknown and the model is not
//! unique, there is no card.

use market::gpu::AdapterInfo;

use super::files::Files;
use super::pci::PciAddress;
use super::{Silence, Telemetry, amdgpu, hwmon, intel, plausible_milliwatts};

/// Where Linux shows every device of the PCI bus.
const DEVICES: &str = "sys/bus/pci/devices";

/// Readings closer together than this give no power: the energy counters move in steps.
const ENERGY_WINDOW_MS: u64 = 20;

/// A card of this machine.
pub(crate) struct Card {
    address: PciAddress,
    folder: Files,
    driver: String,
    /// The last energy that power was made of, and when it was read.
    energy: Option<Energy>,
}

#[derive(Debug, Clone, Copy)]
struct Energy {
    microjoules: u64,
    at_ms: u64,
}

impl Card {
    /// Finds the folder of an adapter: by its address, else by its vendor and model where only one card has them.
    pub(super) fn find(root: &Files, adapter: &AdapterInfo) -> Result<Self, Silence> {
        let devices = root.folder(DEVICES);
        let names = devices.listed("").ok_or(Silence::System)?;
        let address = adapter.pci_bus_id.as_ref();
        let address = address.and_then(|label| PciAddress::parse(label.as_str()));
        let fits = |name: &&String| match address {
            Some(address) => PciAddress::parse(name) == Some(address),
            None => is_model(&devices.folder(name), adapter),
        };
        let fitting: Vec<&String> = names.iter().filter(fits).collect();
        let not_found = Silence::NotFound {
            found: fitting.len(),
        };
        let [name] = fitting[..] else {
            return Err(not_found);
        };
        let address = PciAddress::parse(name).ok_or(not_found)?;
        let folder = devices.folder(name);
        let driver = driver_of(&folder);
        Ok(Self {
            address,
            folder,
            driver,
            energy: None,
        })
    }

    /// Returns the card's address.
    pub(crate) fn address(&self) -> PciAddress {
        self.address
    }

    /// Tells whether the card's driver counts the time that each process uses the card for, and shows it.
    pub(crate) fn counts_use(&self) -> bool {
        matches!(self.driver.as_str(), "amdgpu" | "i915" | "xe")
    }

    /// Tells whether the card is switched off. Most sensors would wake it, and drain a laptop's battery.
    pub(crate) fn is_asleep(&self) -> bool {
        let status = self.folder.text("power/runtime_status");
        status.is_some_and(|status| status == "suspended")
    }

    /// Reads all that the driver shows; the clock is any that only goes forward.
    pub(super) fn read(&mut self, now_ms: u64) -> Telemetry {
        let monitor = hwmon::read(&self.folder, &self.driver);
        let mut telemetry = Telemetry {
            temperature_c: monitor.temperature_c,
            power: monitor.power,
            fan: monitor.fan,
            clocks: monitor.clocks,
            ..Telemetry::default()
        };
        match self.driver.as_str() {
            "amdgpu" => self.add_amdgpu(&mut telemetry),
            "xe" => add_intel(&mut telemetry, intel::read_xe(&self.folder)),
            "i915" => add_intel(&mut telemetry, intel::read_i915(&self.folder)),
            _ => {}
        }
        let power_mw = monitor.energy_microjoules.and_then(|microjoules| {
            self.power_since(Energy {
                microjoules,
                at_ms: now_ms,
            })
        });
        telemetry.power.drawn_mw = telemetry.power.drawn_mw.or(power_mw);
        // Energy that was read for the first time becomes power with the next reading.
        if telemetry == Telemetry::default() && monitor.energy_microjoules.is_none() {
            let driver = self.driver.clone();
            return Telemetry::silent(Silence::Driver { driver });
        }
        telemetry
    }

    fn add_amdgpu(&self, telemetry: &mut Telemetry) {
        let levels = amdgpu::clocks(&self.folder);
        let clocks = &mut telemetry.clocks;
        clocks.core_mhz = clocks.core_mhz.or(levels.core_mhz);
        clocks.memory_mhz = clocks.memory_mhz.or(levels.memory_mhz);
        telemetry.memory = amdgpu::memory(&self.folder);
        telemetry.busy_permille = amdgpu::busy_permille(&self.folder);
        telemetry.throttle = amdgpu::throttle(&self.folder);
    }

    /// Returns the power between the last reading of energy and this one; one microjoule a millisecond is one
    /// milliwatt. A counter that went back began anew.
    fn power_since(&mut self, now: Energy) -> Option<u32> {
        let Some(before) = self.energy else {
            self.energy = Some(now);
            return None;
        };
        let window_ms = now.at_ms.checked_sub(before.at_ms)?;
        if window_ms < ENERGY_WINDOW_MS {
            return None;
        }
        self.energy = Some(now);
        let used = now.microjoules.checked_sub(before.microjoules)?;
        plausible_milliwatts(used / window_ms)
    }
}

fn add_intel(telemetry: &mut Telemetry, reading: intel::Reading) {
    telemetry.clocks.core_mhz = reading.core_mhz;
    telemetry.throttle = reading.throttle;
}

/// Tells whether a device is of the adapter's model.
fn is_model(folder: &Files, adapter: &AdapterInfo) -> bool {
    let hexadecimal = |name: &str| {
        let text = folder.text(name)?;
        u32::from_str_radix(text.strip_prefix("0x")?, 16).ok()
    };
    hexadecimal("vendor") == Some(adapter.vendor_id)
        && hexadecimal("device") == Some(adapter.device_id)
}

/// Returns the name of a device's driver, `none` where it has none.
fn driver_of(folder: &Files) -> String {
    let text = folder.text("uevent").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("DRIVER="));
    name.unwrap_or("none").to_owned()
}

#[cfg(test)]
mod tests;
