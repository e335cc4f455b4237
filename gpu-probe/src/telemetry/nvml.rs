//! Owns asking NVIDIA's management library, which is found at run time, and what its numbers mean.
//!
//! Never needs the library: where it is missing there is a reason instead of figures. The calls only
//! collect numbers ([`Values`], process samples); what becomes of them is decided by functions that need
//! no card.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::time::SystemTime;

use market::gpu::AdapterInfo;
use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::enums::device::SampleValue;
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::struct_wrappers::device::ProcessUtilizationSample;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::sys_exports::field_id::NVML_FI_DEV_MEMORY_TEMP;
use nvml_wrapper::{Device, Nvml};

use super::pci::PciAddress;
use super::{
    Clocks, Fan, Memory, Power, Silence, Telemetry, Temperatures, ThrottleReason,
    plausible_celsius, plausible_megahertz, plausible_milliwatts, plausible_permille,
    plausible_rpm,
};
use crate::activity::{EngineClass, Load};

/// A card that the library knows.
pub(crate) struct Card {
    library: Nvml,
    /// As the library writes it.
    bus_id: String,
    /// The time of the last process sample seen, in the library's own microseconds; none before the first look.
    seen_until_us: Option<u64>,
    /// When the processes were last looked at, by the wall clock, which is the library's too.
    looked: Option<SystemTime>,
}

impl Card {
    /// Loads the library and finds the adapter's card. Costs some ten milliseconds.
    pub(super) fn open(adapter: &AdapterInfo) -> Result<Self, Silence> {
        Self::open_from(None, adapter)
    }

    /// As [`Card::open`], from a library of another name.
    fn open_from(library: Option<&OsStr>, adapter: &AdapterInfo) -> Result<Self, Silence> {
        let opened = match library {
            Some(name) => Nvml::builder().lib_path(name).init(),
            None => Nvml::init(),
        };
        let library = opened.map_err(silence)?;
        let bus_id = find(&library, adapter)?;
        Ok(Self {
            library,
            bus_id,
            seen_until_us: None,
            looked: None,
        })
    }

    /// Asks for all figures.
    pub(super) fn read(&self) -> Telemetry {
        match self.library.device_by_pci_bus_id(self.bus_id.as_str()) {
            Ok(device) => telemetry(&ask(&device)),
            Err(error) => Telemetry::silent(silence(error)),
        }
    }

    /// Asks which processes used the card since the last call; `None` with the first call, and where the card
    /// does not count.
    pub(crate) fn loads(&mut self) -> Option<Vec<Load>> {
        let device = self
            .library
            .device_by_pci_bus_id(self.bus_id.as_str())
            .ok()?;
        let now = SystemTime::now();
        if went_back(self.looked.replace(now), now) {
            // Everything from now on would count as seen until the clock is there again.
            self.seen_until_us = None;
        }
        let before = self.seen_until_us;
        let samples = match device.process_utilization_stats(before) {
            Ok(samples) => samples,
            // How the library says that nobody used the card.
            Err(NvmlError::NotFound) => Vec::new(),
            Err(_) => return None,
        };
        let newest = samples.iter().map(|sample| sample.timestamp).max();
        self.seen_until_us = newest.max(before).or(Some(0));
        before?;
        let drawing = device.running_graphics_processes().ok();
        let drawing = drawing.map(|all| all.iter().map(|process| process.pid).collect());
        Some(loads(&samples, drawing.as_ref()))
    }
}

/// Tells whether the wall clock was put back between two looks.
fn went_back(before: Option<SystemTime>, now: SystemTime) -> bool {
    before.is_some_and(|before| now < before)
}

/// Returns the address of the adapter's card as the library writes it.
fn find(library: &Nvml, adapter: &AdapterInfo) -> Result<String, Silence> {
    let address = adapter.pci_bus_id.as_ref();
    let address = address.and_then(|label| PciAddress::parse(label.as_str()));
    let model = adapter.device_id << 16 | adapter.vendor_id;
    let mut found = Vec::new();
    for index in 0..library.device_count().map_err(silence)? {
        let device = library.device_by_index(index);
        // A card that does not answer is not the one that shaders run on.
        let Ok(card) = device.and_then(|device| device.pci_info()) else {
            continue;
        };
        let fits = match address {
            Some(address) => PciAddress::parse(&card.bus_id) == Some(address),
            None => card.pci_device_id == model,
        };
        if fits {
            found.push(card.bus_id);
        }
    }
    let count = found.len();
    let only = found.pop().filter(|_| count == 1);
    only.ok_or(Silence::NotFound { found: count })
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn silence(error: NvmlError) -> Silence {
    Silence::Library {
        reason: error.to_string(),
    }
}

/// The library's answers in its own units; `None` where it refused.
#[derive(Debug, Clone, Default)]
struct Values {
    temperature_celsius: Option<u32>,
    memory_celsius: Option<u64>,
    power_milliwatts: Option<u32>,
    cap_milliwatts: Option<u32>,
    fan_percent: Option<u32>,
    fan_rpm: Option<u32>,
    core_megahertz: Option<u32>,
    memory_megahertz: Option<u32>,
    memory_used_bytes: Option<u64>,
    memory_total_bytes: Option<u64>,
    busy_percent: Option<u32>,
    throttle: Option<ThrottleReasons>,
}

fn ask(device: &Device<'_>) -> Values {
    let memory = device.memory_info().ok();
    let utilization = device.utilization_rates().ok();
    Values {
        temperature_celsius: device.temperature(TemperatureSensor::Gpu).ok(),
        memory_celsius: ask_memory_temperature(device),
        power_milliwatts: device.power_usage().ok(),
        cap_milliwatts: device.enforced_power_limit().ok(),
        fan_percent: device.fan_speed(0).ok(),
        fan_rpm: device.fan_speed_rpm(0).ok(),
        core_megahertz: device.clock_info(Clock::Graphics).ok(),
        memory_megahertz: device.clock_info(Clock::Memory).ok(),
        memory_used_bytes: memory.as_ref().map(|memory| memory.used),
        memory_total_bytes: memory.as_ref().map(|memory| memory.total),
        busy_percent: utilization.map(|utilization| utilization.gpu),
        throttle: device.current_throttle_reasons().ok(),
    }
}

fn ask_memory_temperature(device: &Device<'_>) -> Option<u64> {
    let fields = device.field_values_for(&[FieldId(NVML_FI_DEV_MEMORY_TEMP)]);
    let field = fields.ok()?.into_iter().next()?.ok()?;
    match field.value.ok()? {
        SampleValue::U32(value) => Some(u64::from(value)),
        SampleValue::U64(value) => Some(value),
        SampleValue::F64(_) | SampleValue::I64(_) => None,
    }
}

fn telemetry(values: &Values) -> Telemetry {
    let celsius = |degrees: u64| {
        let thousandths = i64::try_from(degrees).ok()?.checked_mul(1_000)?;
        plausible_celsius(thousandths)
    };
    let megahertz = |clock: Option<u32>| clock.map(u64::from).and_then(plausible_megahertz);
    let milliwatts = |power: Option<u32>| power.map(u64::from).and_then(plausible_milliwatts);
    let percent = |share: Option<u32>, most| plausible_permille(u64::from(share?), most);
    Telemetry {
        temperature_c: Temperatures {
            edge: values.temperature_celsius.map(u64::from).and_then(celsius),
            junction: None,
            // Cards without the sensor answer zero.
            memory: values.memory_celsius.filter(|t| *t > 0).and_then(celsius),
        },
        power: Power {
            drawn_mw: milliwatts(values.power_milliwatts),
            cap_mw: milliwatts(values.cap_milliwatts).filter(|cap| *cap > 0),
        },
        fan: Fan {
            speed_rpm: values.fan_rpm.map(u64::from).and_then(plausible_rpm),
            // The library warns that the speed may pass what was meant to be the most.
            duty_permille: percent(values.fan_percent, 200),
        },
        clocks: Clocks {
            core_mhz: megahertz(values.core_megahertz),
            memory_mhz: megahertz(values.memory_megahertz),
        },
        memory: Memory {
            used_bytes: values.memory_used_bytes,
            total_bytes: values.memory_total_bytes.filter(|bytes| *bytes > 0),
        },
        busy_permille: percent(values.busy_percent, 100),
        throttle: values.throttle.map(reasons),
        silence: None,
    }
}

/// Sorts the library's reasons. An idle card's low clock is held back by nothing.
fn reasons(bits: ThrottleReasons) -> BTreeSet<ThrottleReason> {
    let thermal = ThrottleReasons::SW_THERMAL_SLOWDOWN | ThrottleReasons::HW_THERMAL_SLOWDOWN;
    let brake = ThrottleReasons::HW_SLOWDOWN | ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN;
    let power = ThrottleReasons::SW_POWER_CAP;
    let sorted = [
        (thermal, ThrottleReason::Thermal),
        (brake, ThrottleReason::HardwareSlowdown),
        (power, ThrottleReason::PowerCap),
        (
            !(thermal | brake | power | ThrottleReasons::GPU_IDLE),
            ThrottleReason::Other,
        ),
    ];
    let set = sorted.iter().filter(|(mask, _)| bits.intersects(*mask));
    set.map(|(_, reason)| *reason).collect()
}

/// Averages each process's samples. The shader cores' use counts as drawing for processes that draw, and where
/// the library does not say who does; a share above 100 % is a slot that the driver did not fill.
fn loads(samples: &[ProcessUtilizationSample], drawing: Option<&BTreeSet<u32>>) -> Vec<Load> {
    let mut sums: BTreeMap<(u32, EngineClass), (u32, u32)> = BTreeMap::new();
    for sample in samples {
        let draws = drawing.is_none_or(|drawing| drawing.contains(&sample.pid));
        let shaders = if draws {
            EngineClass::Render
        } else {
            EngineClass::Compute
        };
        let video = sample.enc_util.max(sample.dec_util);
        for (class, percent) in [(shaders, sample.sm_util), (EngineClass::Video, video)] {
            if percent <= 100 {
                let (sum, count) = sums.entry((sample.pid, class)).or_default();
                *sum += percent;
                *count += 1;
            }
        }
    }
    let averages = sums.into_iter().map(|((pid, class), (sum, count))| Load {
        pid,
        class,
        permille: u16::try_from(10 * sum / count.max(1)).unwrap_or(1_000),
    });
    averages.collect()
}

#[cfg(test)]
mod tests;
