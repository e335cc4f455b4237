//! Owns the ask: what a provider offers, at what price and on what terms, and the figures that buyers
//! rank it by.
//!
//! Never claims more than was measured: a figure that is not known is absent, not zero.

use std::fmt;
use std::ops::BitOr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{MAX_DURATION_S, MAX_PRICE, OrderError, check_ranges};
use crate::amount::PricePerHour;
use crate::gpu::{Figures, GpuClass};
use crate::ids::{AccountId, BlobHash};

/// The few figures of one GPU that travel with an ask, for quotes to predict times from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskFigures {
    /// Sustained fp32 matrix product in 10^6 operations a second; at least 1.
    pub gemm_mflops: u32,
    /// Memory that a job can really use, in MiB; at least 1.
    pub usable_mib: u32,
    /// Sustained f16 matrix product with f32 accumulation in 10^6 operations a second.
    pub f16_mflops: Option<u32>,
    /// Memory bandwidth in 10^9 bytes a second.
    pub gb_per_s: Option<u16>,
}

impl AskFigures {
    /// Takes the ask's figures from a report's, each at its cautious end and rounded down, or `None`
    /// where the sustained product or the usable memory is unknown or below one unit.
    pub fn of(report: &Figures) -> Option<Self> {
        let saturated = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
        let at_least_one = |value: u64| (value > 0).then_some(value);
        let gb_per_s = report.memory_read_mib_per_s.and_then(|rate| {
            let bytes = u128::from(rate.p10) << 20;
            u16::try_from((bytes / 1_000_000_000).min(u16::MAX.into())).ok()
        });
        Some(Self {
            gemm_mflops: report
                .sustained_gemm_fp32_mflops
                .and_then(at_least_one)
                .map(saturated)?,
            usable_mib: report
                .usable_memory_bytes
                .and_then(|bytes| at_least_one(bytes >> 20))
                .map(saturated)?,
            f16_mflops: report.gemm_f16_mflops.map(|rate| saturated(rate.p10)),
            gb_per_s: gb_per_s.filter(|rate| *rate > 0),
        })
    }

    /// Tells whether none of these figures is better than in `certified`.
    pub fn within(&self, certified: &Self) -> bool {
        // An absent figure sorts below every present one: what was not certified cannot be claimed.
        self.gemm_mflops <= certified.gemm_mflops
            && self.usable_mib <= certified.usable_mib
            && self.f16_mflops <= certified.f16_mflops
            && self.gb_per_s <= certified.gb_per_s
    }

    /// Returns the usable memory in bytes.
    pub fn usable_bytes(&self) -> u64 {
        u64::from(self.usable_mib) << 20
    }
}

/// What stands behind an ask's figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Only the node's own word: the id of its signed GPU report.
    Report(BlobHash),
    /// A listing certificate of the operators, by its id; it names the report that it certifies.
    Certificate(BlobHash),
}

/// An offer to sell hours of the GPUs of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The account that is paid; its delegation to the node is shown when a deal is reserved.
    pub account: AccountId,
    /// The class that is sold: of a single GPU.
    pub class: GpuClass,
    /// The price of one GPU for an hour of running; above 0, at most a million credits.
    pub price: PricePerHour,
    /// Equal GPUs in this host that are offered together or in part; 1 to 1,024.
    pub gpus: u16,
    /// The longest agreement in seconds; 1 second to 30 days.
    pub max_duration_s: u32,
    /// The figures of a single GPU.
    pub figures: AskFigures,
    /// Upload from host to GPU in 10^6 bytes a second, 65,535 for all above.
    pub upload_mb_per_s: Option<u16>,
    /// Network upload in 10^6 bits a second, 65,535 for all above.
    pub network_mbit_per_s: Option<u16>,
    /// What this offer can do.
    pub attributes: Attributes,
    /// The level that the sandbox's self-test reached; at least 1, since without one no job runs.
    pub sandbox_level: u8,
    /// What stands behind the class and the figures.
    pub evidence: Evidence,
    /// Share of the price while inputs come in and in pauses, in 1/10^4; 0 to 10,000.
    pub hold_bps: u16,
    /// Length of a tick in milliseconds; 100 to 60,000.
    pub tick_ms: u32,
}

impl Ask {
    /// Checks every range that the fields state.
    pub fn validate(&self) -> Result<(), OrderError> {
        check_ranges(&[
            (
                "price",
                self.price.0.nanocredits(),
                1..=MAX_PRICE.0.nanocredits(),
                "0.000000001 to 1000000 cr/h",
            ),
            ("gpus", self.gpus.into(), 1..=1_024, "1 to 1024"),
            (
                "max_duration_s",
                self.max_duration_s.into(),
                1..=MAX_DURATION_S,
                "1 to 2592000",
            ),
            (
                "gemm_mflops",
                self.figures.gemm_mflops.into(),
                1..=u32::MAX.into(),
                "1 and more",
            ),
            (
                "usable_mib",
                self.figures.usable_mib.into(),
                1..=u32::MAX.into(),
                "1 and more",
            ),
            (
                "sandbox_level",
                self.sandbox_level.into(),
                1..=255,
                "1 to 255",
            ),
            ("hold_bps", self.hold_bps.into(), 0..=10_000, "0 to 10000"),
            ("tick_ms", self.tick_ms.into(), 100..=60_000, "100 to 60000"),
        ])
    }
}

/// A set of things that an offer can do. Bits without a name are carried and compared like the others.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Attributes(u64);

/// A name that no attribute has.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an attribute; known are: {known}", known = Attributes::known())]
pub struct UnknownAttribute(String);

impl Attributes {
    /// Nothing in particular.
    pub const NONE: Self = Self(0);
    /// The owner does not take the machine back before the agreement ends.
    pub const ON_DEMAND: Self = Self(1);
    /// Runs training jobs.
    pub const TRAIN: Self = Self(1 << 1);
    /// Runs inference jobs.
    pub const INFER: Self = Self(1 << 2);
    /// Shaders may compute in f16.
    pub const F16: Self = Self(1 << 3);
    /// Has matrix units that shaders reach.
    pub const MATRIX: Self = Self(1 << 4);
    /// Has int8 dot products.
    pub const INT8: Self = Self(1 << 5);
    /// Accepts connections without a relay.
    pub const DIRECT: Self = Self(1 << 6);

    const NAMES: [(&'static str, Self); 7] = [
        ("on-demand", Self::ON_DEMAND),
        ("train", Self::TRAIN),
        ("infer", Self::INFER),
        ("f16", Self::F16),
        ("matrix", Self::MATRIX),
        ("int8", Self::INT8),
        ("direct", Self::DIRECT),
    ];

    /// Wraps a set of bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Returns the bits.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// Tells whether all of `wanted` is in this set.
    pub const fn contains(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }

    fn known() -> String {
        Self::NAMES.map(|(name, _)| name).join(", ")
    }
}

impl BitOr for Attributes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Attributes {
    /// Prints the names with commas, and bits without a name as a number: `train, infer, 0x100`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Self::NAMES.iter().filter(|(_, bit)| self.contains(*bit));
        let mut words: Vec<String> = named.map(|(name, _)| (*name).to_owned()).collect();
        let known = Self::NAMES.iter().fold(0, |bits, (_, bit)| bits | bit.0);
        if self.0 & !known != 0 {
            words.push(format!("{:#x}", self.0 & !known));
        }
        f.pad(&words.join(", "))
    }
}

impl FromStr for Attributes {
    type Err = UnknownAttribute;

    /// Parses a single name, for example `on-demand`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::NAMES.iter().find(|(name, _)| *name == text.trim());
        found
            .map(|(_, bit)| *bit)
            .ok_or_else(|| UnknownAttribute(text.chars().take(40).collect()))
    }
}
