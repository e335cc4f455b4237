//! Owns the class of a GPU: compute bands, memory tiers, their text form and the rule that assigns them.
//!
//! Never compares a GPU with a CPU adapter: the two kinds are different instruments.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Whether the adapter is a GPU or a CPU that runs compute shaders; the two never share a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AdapterKind {
    /// A graphics processor.
    Gpu,
    /// A processor that emulates one.
    Cpu,
}

/// What a CPU class starts with in its text form.
const CPU_PREFIX: &str = "cpu-";

/// Bands from slow to fast: the name in TFLOP/s, and the lower edge `2^(k/2)` TFLOP/s in MFLOP/s
/// rounded to the nearest integer, for `k` from -24 to 20.
const BANDS: [(&str, u64); 45] = [
    ("0.00024", 244),
    ("0.00035", 345),
    ("0.0005", 488),
    ("0.0007", 691),
    ("0.001", 977),
    ("0.0014", 1_381),
    ("0.002", 1_953),
    ("0.0028", 2_762),
    ("0.004", 3_906),
    ("0.0055", 5_524),
    ("0.008", 7_812),
    ("0.011", 11_049),
    ("0.016", 15_625),
    ("0.022", 22_097),
    ("0.03", 31_250),
    ("0.04", 44_194),
    ("0.06", 62_500),
    ("0.09", 88_388),
    ("0.12", 125_000),
    ("0.17", 176_777),
    ("0.25", 250_000),
    ("0.35", 353_553),
    ("0.5", 500_000),
    ("0.7", 707_107),
    ("1", 1_000_000),
    ("1.4", 1_414_214),
    ("2", 2_000_000),
    ("2.8", 2_828_427),
    ("4", 4_000_000),
    ("5.6", 5_656_854),
    ("8", 8_000_000),
    ("11", 11_313_708),
    ("16", 16_000_000),
    ("23", 22_627_417),
    ("32", 32_000_000),
    ("45", 45_254_834),
    ("64", 64_000_000),
    ("90", 90_509_668),
    ("128", 128_000_000),
    ("181", 181_019_336),
    ("256", 256_000_000),
    ("362", 362_038_672),
    ("512", 512_000_000),
    ("724", 724_077_344),
    ("1024", 1_024_000_000),
];

/// Memory tiers in GiB, from small to large.
const TIERS: [u16; 14] = [1, 2, 4, 6, 8, 10, 12, 16, 20, 24, 32, 48, 80, 141];

const BYTES_PER_GIB: u128 = 1 << 30;

/// How far outside its band's edge a rate must be before the band changes, in percent.
const EDGE_PERCENT: u128 = 5;

/// Usable memory that a tier needs, in percent of its name.
const TIER_PERCENT: u128 = 85;

/// A half-octave band of sustained fp32 matrix multiplication; slower bands order first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Band(u8);

impl Band {
    /// Returns the band that holds `mflops` (10^6 fp32 operations a second), or `None` below the lowest.
    pub fn holding(mflops: u64) -> Option<Self> {
        let bands_at_or_below = BANDS.partition_point(|(_, floor)| *floor <= mflops);
        Self::from_index(bands_at_or_below.checked_sub(1)?)
    }

    /// Returns the band's position from the slowest, or `None` past the fastest.
    fn from_index(index: usize) -> Option<Self> {
        BANDS.get(index)?;
        u8::try_from(index).ok().map(Self)
    }

    /// Returns the band's name: its lower edge in TFLOP/s, rounded.
    pub fn name(self) -> &'static str {
        self.entry().0
    }

    /// Returns the band's lower edge in MFLOP/s.
    pub fn floor_mflops(self) -> u64 {
        self.entry().1
    }

    /// Returns the next faster band, or `None` for the fastest.
    pub fn faster(self) -> Option<Self> {
        Self::from_index(usize::from(self.0) + 1)
    }

    /// Returns the next slower band, or `None` for the slowest.
    pub fn slower(self) -> Option<Self> {
        Self::from_index(usize::from(self.0).checked_sub(1)?)
    }

    fn entry(self) -> (&'static str, u64) {
        *BANDS
            .get(usize::from(self.0))
            .expect("a band is only made from an index in the table")
    }

    /// Returns whether `mflops` lies in this band widened by 5 % at each edge.
    fn nearly_holds(self, mflops: u64) -> bool {
        let scaled = u128::from(mflops) * 100;
        let above_floor = scaled >= u128::from(self.floor_mflops()) * (100 - EDGE_PERCENT);
        let ceiling = BANDS.get(usize::from(self.0) + 1).map(|(_, floor)| *floor);
        let below_ceiling =
            ceiling.is_none_or(|ceiling| scaled < u128::from(ceiling) * (100 + EDGE_PERCENT));
        above_floor && below_ceiling
    }
}

/// A memory tier, named in GiB; smaller tiers order first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tier(u16);

impl Tier {
    /// Returns the largest tier N with `bytes >= 0.85 * N GiB`, or `None` below the smallest.
    pub fn holding(bytes: u64) -> Option<Self> {
        let fits =
            |gib: &u16| u128::from(bytes) * 100 >= u128::from(*gib) * BYTES_PER_GIB * TIER_PERCENT;
        TIERS.iter().rev().copied().find(fits).map(Self)
    }

    /// Returns the tier that is named `gib`, or `None` where there is no such tier.
    pub fn named(gib: u16) -> Option<Self> {
        TIERS.contains(&gib).then_some(Self(gib))
    }

    /// Returns the next larger tier, or `None` for the largest.
    pub fn larger(self) -> Option<Self> {
        TIERS.iter().copied().find(|gib| *gib > self.0).map(Self)
    }

    /// Returns the least usable memory of the tier in bytes: 0.85 of its name in GiB, rounded up.
    pub fn floor_bytes(self) -> u64 {
        let scaled = u128::from(self.0) * BYTES_PER_GIB * TIER_PERCENT;
        u64::try_from(scaled.div_ceil(100)).expect("the largest tier is 141 GiB")
    }

    /// Returns the tier's name in GiB; usable memory is at least 0.85 times that.
    pub fn gib(self) -> u16 {
        self.0
    }
}

/// A compute band and a memory tier: the name of an instrument, for example `16T-12G` or `cpu-0.06T-8G`.
///
/// Orders by kind, then band, then tier. As text in human-readable formats, three bytes on the wire.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GpuClass {
    kind: AdapterKind,
    band: Band,
    tier: Tier,
}

impl GpuClass {
    /// Makes a class from its parts.
    pub const fn new(kind: AdapterKind, band: Band, tier: Tier) -> Self {
        Self { kind, band, tier }
    }

    /// Returns whether this is a class of GPUs or of CPUs.
    pub const fn kind(self) -> AdapterKind {
        self.kind
    }

    /// Returns the compute band.
    pub const fn band(self) -> Band {
        self.band
    }

    /// Returns the memory tier.
    pub const fn tier(self) -> Tier {
        self.tier
    }

    /// Returns whether a machine of this class may stand in where `wanted` was asked for:
    /// the same kind, at least the band and at least the tier.
    pub fn satisfies(self, wanted: Self) -> bool {
        self.kind == wanted.kind && self.band >= wanted.band && self.tier >= wanted.tier
    }
}

impl fmt::Display for GpuClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.kind {
            AdapterKind::Gpu => "",
            AdapterKind::Cpu => CPU_PREFIX,
        };
        f.pad(&format!(
            "{prefix}{}T-{}G",
            self.band.name(),
            self.tier.gib()
        ))
    }
}

impl fmt::Debug for GpuClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GpuClass({self})")
    }
}

/// Why a text is not a class.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseClassError {
    /// The text does not have the form of a class.
    #[error("{text:?} is not a GPU class; write for example 16T-12G or cpu-0.06T-8G")]
    Form {
        /// The text, cut to 40 characters.
        text: String,
    },
    /// There is no such compute band.
    #[error("{name:?} is not a compute band; bands are half octaves such as 8, 11, 16, 23 and 32")]
    UnknownBand {
        /// The band as written, cut to 40 characters.
        name: String,
    },
    /// There is no such memory tier.
    #[error("{name:?} is not a memory tier; the tiers are {TIERS:?} GiB")]
    UnknownTier {
        /// The tier as written, cut to 40 characters.
        name: String,
    },
}

fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

impl FromStr for GpuClass {
    type Err = ParseClassError;

    fn from_str(text: &str) -> Result<Self, ParseClassError> {
        let form = || ParseClassError::Form {
            text: excerpt(text),
        };
        let (kind, rest) = match text.strip_prefix(CPU_PREFIX) {
            Some(rest) => (AdapterKind::Cpu, rest),
            None => (AdapterKind::Gpu, text),
        };
        let (band_name, tier_name) = rest.split_once("T-").ok_or_else(form)?;
        let tier_name = tier_name.strip_suffix('G').ok_or_else(form)?;
        let band = BANDS.iter().position(|(name, _)| *name == band_name);
        let tier = TIERS.iter().find(|gib| gib.to_string() == tier_name);
        Ok(Self {
            kind,
            band: band
                .and_then(Band::from_index)
                .ok_or_else(|| ParseClassError::UnknownBand {
                    name: excerpt(band_name),
                })?,
            tier: tier
                .copied()
                .map(Tier)
                .ok_or_else(|| ParseClassError::UnknownTier {
                    name: excerpt(tier_name),
                })?,
        })
    }
}

impl Serialize for GpuClass {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        let tier = TIERS.iter().position(|gib| *gib == self.tier.0);
        let tier = tier.and_then(|index| u8::try_from(index).ok());
        let tier = tier.expect("a tier is only made from an entry of the table");
        (u8::from(self.kind == AdapterKind::Cpu), self.band.0, tier).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for GpuClass {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            return text.parse().map_err(D::Error::custom);
        }
        let (kind, band, tier) = <(u8, u8, u8)>::deserialize(deserializer)?;
        let kind = match kind {
            0 => AdapterKind::Gpu,
            1 => AdapterKind::Cpu,
            _ => return Err(D::Error::custom("unknown kind of adapter")),
        };
        let band = Band::from_index(usize::from(band))
            .ok_or_else(|| D::Error::custom("unknown compute band"))?;
        let tier = TIERS
            .get(usize::from(tier))
            .ok_or_else(|| D::Error::custom("unknown memory tier"))?;
        Ok(Self::new(kind, band, Tier(*tier)))
    }
}

/// What decides a class: the lower of what was reported and what was proved, where both are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Measured {
    /// What was measured.
    pub kind: AdapterKind,
    /// Sustained fp32 matrix multiplication, in 10^6 operations a second.
    pub gemm_fp32_mflops: u64,
    /// Memory that a job can use, in bytes.
    pub usable_memory_bytes: u64,
}

/// Why a machine has no class and so cannot be offered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClassError {
    /// A figure that the class needs is unknown.
    #[error("{figure} was not measured, so the machine has no class")]
    Unknown {
        /// The figure.
        figure: &'static str,
    },
    /// The machine computes more slowly than the lowest band.
    #[error("{mflops} MFLOP/s is below the lowest compute band, {} MFLOP/s", BANDS[0].1)]
    TooSlow {
        /// The measured rate in MFLOP/s.
        mflops: u64,
    },
    /// The machine has less memory than the smallest tier.
    #[error("{bytes} usable bytes are below the smallest memory tier, 0.85 of {} GiB", TIERS[0])]
    TooSmall {
        /// Usable memory in bytes.
        bytes: u64,
    },
}

/// Assigns the class of a machine.
///
/// The band changes from `previous` only when the rate is more than 5 % outside that band's edges, so
/// that a machine at an edge does not change its instrument with every measurement. The tier is
/// always the largest N whose 0.85 N GiB are usable. A previous class of the other kind is ignored.
pub fn assign(measured: Measured, previous: Option<GpuClass>) -> Result<GpuClass, ClassError> {
    let mflops = measured.gemm_fp32_mflops;
    let bytes = measured.usable_memory_bytes;
    let kept = previous
        .filter(|class| class.kind == measured.kind && class.band.nearly_holds(mflops))
        .map(|class| class.band);
    let band = kept
        .or_else(|| Band::holding(mflops))
        .ok_or(ClassError::TooSlow { mflops })?;
    let tier = Tier::holding(bytes).ok_or(ClassError::TooSmall { bytes })?;
    Ok(GpuClass::new(measured.kind, band, tier))
}
