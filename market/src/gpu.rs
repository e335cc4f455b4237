//! Owns what the market says about a GPU: its class and its measured report.

use serde::{Deserialize, Serialize};

/// Whether the adapter is a GPU or a CPU that runs compute shaders; the two never share a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AdapterKind {
    /// A graphics processor.
    Gpu,
    /// A processor that emulates one.
    Cpu,
}

/// A compute band and a memory tier: the name of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GpuClass {
    /// GPU or CPU.
    pub kind: AdapterKind,
    /// Index of the half-octave band.
    pub band: u8,
    /// Memory tier in GiB.
    pub tier_gib: u16,
}
