//! Owns what is known of a card while it works: temperatures, power, fan, clocks, memory, use, throttling.
//!
//! ```text
//! NVIDIA's library ──► nvml ─────────────────────┐
//! /sys/bus/pci/devices ──► sysfs ──► hwmon       ├──► Telemetry ──► Watch (while selling)
//!                             ├────► amdgpu      │             └──► Recorder (while measuring)
//!                             └────► intel ──────┘
//! ```
//! Never makes a figure up: what no source tells, or what cannot be true, is `None`. Never wakes a card
//! that sleeps, and never sets anything.

mod amdgpu;
mod files;
mod hwmon;
mod intel;
#[cfg_attr(
    not(any(target_os = "linux", windows)),
    path = "telemetry/nvml_elsewhere.rs"
)]
mod nvml;
mod pci;
mod recorder;
mod sysfs;
mod watch;

use std::collections::BTreeSet;

use market::gpu::{AdapterForm, AdapterInfo};

pub(crate) use files::Files;
pub(crate) use pci::PciAddress;
pub use recorder::{Recorder, Recording};
pub use watch::{Sample, Watch};

/// NVIDIA's number on the PCI bus.
const NVIDIA: u32 = 0x10de;

/// What a card says of itself at one moment. `None` is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Telemetry {
    /// Temperatures in whole degrees Celsius.
    pub temperature_c: Temperatures,
    /// Power of the card, or of the package for a GPU in a processor.
    pub power: Power,
    /// The first fan.
    pub fan: Fan,
    /// The clocks of this moment.
    pub clocks: Clocks,
    /// Device memory, of all processes.
    pub memory: Memory,
    /// The part of time in which anything ran, by whomever, 0 to 1,000.
    pub busy_permille: Option<u16>,
    /// What holds the clocks back; empty where nothing does.
    pub throttle: Option<BTreeSet<ThrottleReason>>,
    /// Why nothing at all is known, where nothing is.
    pub silence: Option<Silence>,
}

/// Temperatures in whole degrees Celsius, -50 to 150.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Temperatures {
    /// At the die's edge: the figure that tools show as the card's temperature.
    pub edge: Option<i16>,
    /// At the hottest spot of the die, 10 to 30 degrees above the edge under load.
    pub junction: Option<i16>,
    /// The memory's.
    pub memory: Option<i16>,
}

impl Temperatures {
    /// Returns the figure that a limit is compared with: the edge's, else the junction's.
    pub fn shown(self) -> Option<i16> {
        self.edge.or(self.junction)
    }
}

/// Power in milliwatts, at most 10 kW.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Power {
    /// What is drawn, averaged over the source's own window: about a second, or the time since the last reading.
    pub drawn_mw: Option<u32>,
    /// Where the driver caps it.
    pub cap_mw: Option<u32>,
}

/// A fan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fan {
    /// Turns a minute, at most 30,000.
    pub speed_rpm: Option<u32>,
    /// How hard it is driven; a few cards report a little over 1,000.
    pub duty_permille: Option<u16>,
}

/// Clocks in MHz; a core that sleeps between two frames may show 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Clocks {
    /// The shader cores'.
    pub core_mhz: Option<u32>,
    /// The memory's.
    pub memory_mhz: Option<u32>,
}

/// Device memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Memory {
    /// What all processes together use.
    pub used_bytes: Option<u64>,
    /// What there is.
    pub total_bytes: Option<u64>,
}

/// Why clocks are held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ThrottleReason {
    /// Something is too hot: the die, the memory or a voltage regulator.
    Thermal,
    /// The hardware pulled an emergency brake: a power supply that gives in, a processor's alarm line.
    HardwareSlowdown,
    /// A limit on power or current. Normal: a card under full load runs at its power limit.
    PowerCap,
    /// A clock that somebody fixed, another card in step with this one, or what a driver does not name.
    Other,
}

/// Why nothing is known of a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Silence {
    /// The adapter is no card.
    #[error("a processor that runs shaders has no sensors of its own")]
    NoCard,
    /// The system shows no card, or more than one, that could be the adapter.
    #[error("the system shows {found} cards that could be this adapter")]
    NotFound {
        /// How many.
        found: usize,
    },
    /// The card is switched off to save power; asking would wake it.
    #[error("the card sleeps")]
    Asleep,
    /// NVIDIA's management library is missing or refuses.
    #[error("NVIDIA's management library does not answer: {reason}")]
    Library {
        /// What it or the loader said.
        reason: String,
    },
    /// The card's driver shows nothing that is known here.
    #[error("the driver {driver} shows no figures")]
    Driver {
        /// Its name.
        driver: String,
    },
    /// This operating system has no source that is read here.
    #[error("figures of this card are not read on this operating system")]
    System,
}

/// The sources of one card's figures.
pub(crate) struct Sensors {
    /// The card's folder, where the system has one.
    card: Result<sysfs::Card, Silence>,
    /// NVIDIA's library, for NVIDIA's cards.
    library: Option<Result<nvml::Card, Silence>>,
}

impl Sensors {
    /// Finds the sources of an adapter on this machine.
    pub(crate) fn open(adapter: &AdapterInfo) -> Self {
        let library = (adapter.form != AdapterForm::Cpu && adapter.vendor_id == NVIDIA)
            .then(|| nvml::Card::open(adapter));
        Self {
            library,
            ..Self::below(&Files::below("/"), adapter)
        }
    }

    /// Finds the files of an adapter below a root.
    pub(crate) fn below(root: &Files, adapter: &AdapterInfo) -> Self {
        let card = match adapter.form {
            AdapterForm::Cpu => Err(Silence::NoCard),
            _ => sysfs::Card::find(root, adapter),
        };
        Self {
            card,
            library: None,
        }
    }

    /// Returns the card's folder, where the system has one.
    pub(crate) fn card(&self) -> Option<&sysfs::Card> {
        self.card.as_ref().ok()
    }

    /// Returns the library that answers for the card, where there is one.
    pub(crate) fn library(&mut self) -> Option<&mut nvml::Card> {
        self.library.as_mut()?.as_mut().ok()
    }

    /// Tells whether the card is known to sleep.
    pub(crate) fn is_asleep(&self) -> bool {
        self.card().is_some_and(sysfs::Card::is_asleep)
    }

    /// Reads all figures. `now_ms` is any clock that only goes forward: some sources give energy, and power is
    /// what came since the last reading.
    pub(crate) fn read(&mut self, now_ms: u64) -> Telemetry {
        if self.is_asleep() {
            return Telemetry::silent(Silence::Asleep);
        }
        let refusal = match &self.library {
            Some(Ok(library)) => return library.read(),
            Some(Err(silence)) => Some(silence.clone()),
            None => None,
        };
        let read = match &mut self.card {
            Ok(card) => card.read(now_ms),
            Err(silence) => Telemetry::silent(silence.clone()),
        };
        match refusal {
            // The library's reason is the one that its owner can do something about.
            Some(refusal) if read.silence.is_some() => Telemetry::silent(refusal),
            _ => read,
        }
    }
}

impl Telemetry {
    /// Knows nothing, and says why.
    pub(crate) fn silent(silence: Silence) -> Self {
        Self {
            silence: Some(silence),
            ..Self::default()
        }
    }
}

/// Takes a temperature in thousandths of a degree where it can be one, to the nearest degree.
///
/// A sensor that is missing or broken shows -273, -128, 255 or 511 degrees.
pub(crate) fn plausible_celsius(thousandths: i64) -> Option<i16> {
    let range = -50_000..=150_000;
    let rounded = range.contains(&thousandths).then(|| {
        let half = 500 * thousandths.signum();
        (thousandths + half) / 1_000
    })?;
    i16::try_from(rounded).ok()
}

/// Takes a power in milliwatts where it can be one.
pub(crate) fn plausible_milliwatts(milliwatts: u64) -> Option<u32> {
    const MOST: u64 = 10_000_000;
    let known = (milliwatts <= MOST).then_some(milliwatts)?;
    u32::try_from(known).ok()
}

/// Takes a clock in MHz where it can be one.
pub(crate) fn plausible_megahertz(megahertz: u64) -> Option<u32> {
    const MOST: u64 = 100_000;
    let known = (megahertz <= MOST).then_some(megahertz)?;
    u32::try_from(known).ok()
}

/// Takes a fan's speed in turns a minute where it can be one.
pub(crate) fn plausible_rpm(rpm: u64) -> Option<u32> {
    const MOST: u64 = 30_000;
    let known = (rpm <= MOST).then_some(rpm)?;
    u32::try_from(known).ok()
}

/// Takes a share in percent where it can be one, as permille; `most` is the largest percentage.
pub(crate) fn plausible_permille(percent: u64, most: u64) -> Option<u16> {
    let known = (percent <= most).then_some(percent)?;
    u16::try_from(known * 10).ok()
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
