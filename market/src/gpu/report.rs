//! Owns the GPU report: what was measured on one adapter, as integers with their units.
//!
//! Never holds a figure that was not measured: what is unknown is `None`, never zero.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::class::{AdapterKind, ClassError, GpuClass, Measured, assign};
use crate::time::Timestamp;
use crate::wire::Payload;

/// A short text from outside, such as an adapter's name: at most 96 bytes, no control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Label(String);

/// Why a text is not a label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a label has at most {} bytes and no control characters",
    Label::MAX_BYTES
)]
pub struct LabelError;

impl Label {
    /// The most bytes that a label may have.
    pub const MAX_BYTES: usize = 96;

    /// Makes a label of any text: drops control characters and cuts at the limit.
    pub fn sanitized(text: &str) -> Self {
        let mut kept = String::new();
        for character in text.trim().chars().filter(|c| !c.is_control()) {
            if kept.len() + character.len_utf8() > Self::MAX_BYTES {
                break;
            }
            kept.push(character);
        }
        Self(kept)
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Label {
    type Error = LabelError;

    fn try_from(text: String) -> Result<Self, LabelError> {
        if text.len() > Self::MAX_BYTES || text.chars().any(char::is_control) {
            return Err(LabelError);
        }
        Ok(Self(text))
    }
}

impl From<Label> for String {
    fn from(label: Label) -> Self {
        label.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// What kind of device the driver says that the adapter is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AdapterForm {
    /// A card with its own memory.
    Discrete,
    /// A GPU that shares the host's memory.
    Integrated,
    /// A GPU that a hypervisor passes on.
    Virtual,
    /// The driver does not say.
    Unknown,
    /// A CPU that runs compute shaders.
    Cpu,
}

impl AdapterForm {
    /// Returns which kind of class the adapter can have.
    pub const fn kind(self) -> AdapterKind {
        match self {
            Self::Cpu => AdapterKind::Cpu,
            Self::Discrete | Self::Integrated | Self::Virtual | Self::Unknown => AdapterKind::Gpu,
        }
    }
}

/// Which adapter was measured, in the words of its driver.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AdapterInfo {
    /// The model name.
    pub name: Label,
    /// The vendor's PCI id, for example 0x10de.
    pub vendor_id: u32,
    /// The device's PCI id.
    pub device_id: u32,
    /// The driver and its version.
    pub driver: Label,
    /// The graphics interface that the measurement went through, for example `vulkan`.
    pub backend: Label,
    /// What kind of device it is.
    pub form: AdapterForm,
    /// Where the card sits, for example `0000:01:00.0`.
    pub pci_bus_id: Option<Label>,
}

/// How a figure was spread over the timed slices of one measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// A tenth of the slices were at or below this.
    pub p10: u64,
    /// The median slice.
    pub p50: u64,
    /// A tenth of the slices were above this.
    pub p90: u64,
}

impl Spread {
    /// Returns the spread of `samples`, or `None` where there are none; the rank is the nearest, rounded up.
    pub fn of(samples: &[u64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_unstable();
        let rank = |percent: usize| {
            let nearest = (sorted.len() * percent).div_ceil(100);
            sorted.get(nearest.saturating_sub(1)).copied()
        };
        Some(Self {
            p10: rank(10)?,
            p50: rank(50)?,
            p90: rank(90)?,
        })
    }
}

/// Whether a device held the rate at which it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Throttling {
    /// It did.
    None,
    /// It slowed down, and no source of this machine says why.
    Slowed,
    /// It slowed down, or was told to, because it was too hot.
    Thermal,
}

/// The vector of measured figures. `None` is unknown: not measured, or not offered by the device.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Sustained fp32 matrix multiplication: p10 over the last part of the run, in MFLOP/s; p50 of it in a run too short
    /// to show whether a rate holds.
    pub sustained_gemm_fp32_mflops: Option<u64>,
    /// fp32 matrix multiplication as it began: p50 of the first two seconds, in MFLOP/s.
    pub burst_gemm_fp32_mflops: Option<u64>,
    /// Whether the rate held from there.
    pub throttling: Option<Throttling>,
    /// fp32 matrix multiplication over the whole timed run, in MFLOP/s.
    pub gemm_fp32_mflops: Option<Spread>,
    /// fp32 fused multiply-add peak, in MFLOP/s.
    pub fma_fp32_mflops: Option<Spread>,
    /// fp32 multiply and add without fusing, in MFLOP/s.
    pub mul_add_fp32_mflops: Option<Spread>,
    /// f16 matrix multiplication with f32 accumulators, in MFLOP/s.
    pub gemm_f16_mflops: Option<Spread>,
    /// The same on matrix units, where the driver offers them to shaders, in MFLOP/s.
    pub matrix_f16_mflops: Option<Spread>,
    /// Dot products of packed 8-bit integers, in 10^6 operations a second.
    pub dot_int8_mops: Option<Spread>,
    /// Device memory read, in MiB a second.
    pub memory_read_mib_per_s: Option<Spread>,
    /// Device memory write, in MiB a second.
    pub memory_write_mib_per_s: Option<Spread>,
    /// Device memory copied to other device memory, in MiB a second; each byte counts once as read and once as written.
    pub memory_copy_mib_per_s: Option<Spread>,
    /// Host to device, in MiB a second.
    pub upload_mib_per_s: Option<Spread>,
    /// Device to host, in MiB a second.
    pub download_mib_per_s: Option<Spread>,
    /// One empty submission until its fence, in nanoseconds.
    pub dispatch_latency_ns: Option<Spread>,
    /// Board power under the matrix multiplication, in milliwatts.
    pub power_mw: Option<Spread>,
    /// Memory that a job can use, in bytes: it allocates, and holds what is written to it.
    pub usable_memory_bytes: Option<u64>,
}

/// What a node measured on one of its adapters; it signs this with its own key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuReport {
    /// Which adapter.
    pub adapter: AdapterInfo,
    /// What was measured.
    pub figures: Figures,
    /// How it was measured; figures compare only within one version.
    pub method_version: u16,
    /// When the measurement ended.
    pub measured_at: Timestamp,
}

impl GpuReport {
    /// Returns the figures that decide the class.
    pub fn measured(&self) -> Result<Measured, ClassError> {
        let unknown = |figure| ClassError::Unknown { figure };
        Ok(Measured {
            kind: self.adapter.form.kind(),
            gemm_fp32_mflops: self
                .figures
                .sustained_gemm_fp32_mflops
                .ok_or_else(|| unknown("sustained fp32 matrix multiplication"))?,
            usable_memory_bytes: self
                .figures
                .usable_memory_bytes
                .ok_or_else(|| unknown("usable memory"))?,
        })
    }

    /// Returns the fp32 operations of the matrix multiplication for each joule, in 10^6, where both figures are known.
    pub fn mflop_per_joule(&self) -> Option<u64> {
        let mflops = self.figures.gemm_fp32_mflops?.p50;
        // One watt is one joule a second.
        let milliwatts = self.figures.power_mw?.p50;
        let scaled = u128::from(mflops) * 1_000;
        u64::try_from(scaled.checked_div(u128::from(milliwatts))?).ok()
    }

    /// Returns the class that the reported figures give; see [`assign`] for what `previous` does.
    pub fn class(&self, previous: Option<GpuClass>) -> Result<GpuClass, ClassError> {
        assign(self.measured()?, previous)
    }

    /// Returns the report dated `measured_at`: a node puts its protocol time before it signs.
    #[must_use]
    pub fn dated(self, measured_at: Timestamp) -> Self {
        Self {
            measured_at,
            ..self
        }
    }
}

impl Payload for GpuReport {
    const NAMESPACE: &'static str = "nightshift/gpu-report/1";
    const MAX_BYTES: usize = 1_024;
}
