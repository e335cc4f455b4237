//! Owns the saved form of a probe: JSON that a person can read, keep, send, and have looked at again.
//!
//! Never trusts a file: what cannot have been measured is refused with the figure's name.

use std::fmt;

use market::gpu::{Figures, GpuReport, Spread};
use serde::{Deserialize, Serialize};

use crate::{Benchmark, Probed};

/// What a saved probe calls itself.
const FORMAT: &str = "nightshift probe";

/// The version of the form.
const VERSION: u32 = 1;

/// The most that a rate can be, in 10^6 operations a second: 10^16 a second, ten times the fastest device of 2026.
const MAX_RATE: u64 = 10_000_000_000;

/// The most that a bandwidth can be, in MiB a second: about 100 TB a second.
const MAX_BANDWIDTH: u64 = 100_000_000;

/// The most memory, in bytes: 16 TiB.
const MAX_MEMORY: u64 = 1 << 44;

/// The most power, in milliwatts: 100 kW.
const MAX_POWER: u64 = 100_000_000;

/// The longest empty submission, in nanoseconds: a minute.
const MAX_LATENCY: u64 = 60_000_000_000;

/// One probe of one or more adapters, as it is saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedProbe {
    format: String,
    version: u32,
    /// What was found, in the order in which the adapters are numbered.
    pub adapters: Vec<SavedAdapter>,
}

/// What was found on one adapter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedAdapter {
    /// Whether nothing failed: a report that is not complete has figures unknown that the adapter may well have.
    pub complete: bool,
    /// What failed.
    pub problems: Vec<SavedProblem>,
    /// The figures.
    pub report: GpuReport,
}

/// A benchmark that failed, in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedProblem {
    /// Which.
    pub benchmark: Benchmark,
    /// Why.
    pub error: String,
}

/// Why a text is no saved probe.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// It is not the JSON that `nightshift probe --save` writes.
    #[error("this is no saved probe: {0}; `nightshift probe --save FILE` writes one")]
    Json(#[from] serde_json::Error),
    /// It calls itself something else.
    #[error(
        "this is no saved probe: it calls itself {0:?}; `nightshift probe --save FILE` writes one"
    )]
    Format(String),
    /// It comes from a newer program, or is damaged.
    #[error(
        "the saved probe has version {actual}, and this program reads version {VERSION}; update it, or probe again"
    )]
    Version {
        /// Its version.
        actual: u32,
    },
    /// A figure cannot have been measured.
    #[error("the saved probe is damaged: {figure} of {adapter:?} is {why}; probe again")]
    Figure {
        /// The adapter's name.
        adapter: String,
        /// Which figure.
        figure: &'static str,
        /// What is wrong with it.
        why: Implausible,
    },
}

/// What is wrong with a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Implausible {
    /// Nothing measures zero: what is unknown is absent.
    Zero,
    /// More than any device.
    TooMuch(u64),
    /// A tenth, a half and nine tenths in the wrong order.
    Unsorted(Spread),
}

impl fmt::Display for Implausible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str("zero"),
            Self::TooMuch(value) => write!(f, "{value}, more than any device has"),
            Self::Unsorted(spread) => {
                let Spread { p10, p50, p90 } = spread;
                write!(f, "{p10}, {p50}, {p90}, which is not in order")
            }
        }
    }
}

impl From<Probed> for SavedAdapter {
    fn from(probed: Probed) -> Self {
        let problems = probed.problems.into_iter().map(|problem| SavedProblem {
            benchmark: problem.benchmark,
            error: problem.error.to_string(),
        });
        let problems: Vec<SavedProblem> = problems.collect();
        Self {
            complete: problems.is_empty(),
            problems,
            report: probed.report,
        }
    }
}

impl SavedProbe {
    /// Makes the form of what was found.
    pub fn new(adapters: Vec<SavedAdapter>) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            adapters,
        }
    }

    /// Writes it.
    ///
    /// # Errors
    /// None that a report can cause; the writer's are passed on.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        Ok(text)
    }

    /// Reads one and looks at every figure.
    ///
    /// # Errors
    /// The text is something else, of another version, or has a figure that cannot have been measured.
    pub fn from_json(text: &str) -> Result<Self, SavedError> {
        let saved: Self = serde_json::from_str(text)?;
        if saved.format != FORMAT {
            return Err(SavedError::Format(saved.format));
        }
        if saved.version != VERSION {
            return Err(SavedError::Version {
                actual: saved.version,
            });
        }
        for adapter in &saved.adapters {
            if let Some((figure, why)) = implausible(&adapter.report.figures) {
                return Err(SavedError::Figure {
                    adapter: adapter.report.adapter.name.to_string(),
                    figure,
                    why,
                });
            }
        }
        Ok(saved)
    }
}

/// Finds a figure that no device can have, and says what is wrong with it.
pub fn implausible(figures: &Figures) -> Option<(&'static str, Implausible)> {
    let spreads = [
        (
            "fp32 matrix multiplication",
            figures.gemm_fp32_mflops,
            MAX_RATE,
        ),
        ("fp32 fused multiply-add", figures.fma_fp32_mflops, MAX_RATE),
        (
            "fp32 multiply and add",
            figures.mul_add_fp32_mflops,
            MAX_RATE,
        ),
        (
            "f16 matrix multiplication",
            figures.gemm_f16_mflops,
            MAX_RATE,
        ),
        (
            "f16 matrix multiplication on matrix units",
            figures.matrix_f16_mflops,
            MAX_RATE,
        ),
        ("8-bit dot products", figures.dot_int8_mops, MAX_RATE),
        ("memory read", figures.memory_read_mib_per_s, MAX_BANDWIDTH),
        (
            "memory write",
            figures.memory_write_mib_per_s,
            MAX_BANDWIDTH,
        ),
        ("memory copy", figures.memory_copy_mib_per_s, MAX_BANDWIDTH),
        ("upload", figures.upload_mib_per_s, MAX_BANDWIDTH),
        ("download", figures.download_mib_per_s, MAX_BANDWIDTH),
        ("dispatch latency", figures.dispatch_latency_ns, MAX_LATENCY),
        ("power", figures.power_mw, MAX_POWER),
    ];
    let values = [
        (
            "sustained fp32 matrix multiplication",
            figures.sustained_gemm_fp32_mflops,
            MAX_RATE,
        ),
        (
            "burst fp32 matrix multiplication",
            figures.burst_gemm_fp32_mflops,
            MAX_RATE,
        ),
        ("usable memory", figures.usable_memory_bytes, MAX_MEMORY),
    ];
    let of_spreads = spreads.into_iter().find_map(|(figure, spread, most)| {
        let spread = spread?;
        let why = (!is_sorted(spread)).then_some(Implausible::Unsorted(spread));
        let why = why
            .or_else(|| beyond(spread.p10, most))
            .or_else(|| beyond(spread.p90, most));
        why.map(|why| (figure, why))
    });
    of_spreads.or_else(|| {
        values
            .into_iter()
            .find_map(|(figure, value, most)| beyond(value?, most).map(|why| (figure, why)))
    })
}

fn is_sorted(spread: Spread) -> bool {
    spread.p10 <= spread.p50 && spread.p50 <= spread.p90
}

fn beyond(value: u64, most: u64) -> Option<Implausible> {
    match value {
        0 => Some(Implausible::Zero),
        _ if value > most => Some(Implausible::TooMuch(value)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
