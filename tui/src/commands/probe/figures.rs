//! Owns how the figures of a report read.
//!
//! Never leaves one out: what is not known is called so.

use gpu_probe::Benchmark;
use market::gpu::{GpuReport, Spread, Throttling};

use crate::table::{Side, Table};
use crate::words;

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// 10^6 floating-point operations a second.
    Mflops,
    /// 10^6 integer operations a second.
    Mops,
    /// MiB a second.
    MibPerS,
    /// Nanoseconds.
    Nanoseconds,
    /// Milliwatts.
    Milliwatts,
}

impl Unit {
    /// Writes a value in the unit that people use.
    pub(super) fn write(self, value: u64) -> String {
        match self {
            Self::Mflops => words::rate(value),
            Self::Mops => words::rate(value).replace("FLOP", "OP"),
            Self::MibPerS => {
                // A tenth of a GB is 10^8 bytes; to the nearest.
                let tenths = (u128::from(value) * (1 << 20) + 50_000_000) / 100_000_000;
                format!("{}.{} GB/s", tenths / 10, tenths % 10)
            }
            Self::Nanoseconds => format!("{}.{} µs", value / 1_000, value % 1_000 / 100),
            Self::Milliwatts => format!("{}.{} W", value / 1_000, value % 1_000 / 100),
        }
    }
}

/// Names what a benchmark measures.
pub(super) fn name(benchmark: Benchmark) -> &'static str {
    match benchmark {
        Benchmark::GemmFp32 => "fp32 matrix product",
        Benchmark::UsableMemory => "usable memory",
        Benchmark::MemoryBandwidth => "memory bandwidth",
        Benchmark::GemmF16 => "f16 matrix product",
        Benchmark::MatrixF16 => "f16 on matrix units",
        Benchmark::FmaFp32 => "fp32 multiply-add",
        Benchmark::MulAddFp32 => "fp32 multiply, add",
        Benchmark::DotInt8 => "8-bit dot products",
        Benchmark::Transfer => "transfer",
        Benchmark::DispatchLatency => "empty submission",
    }
}

/// Writes the figures, a row each.
pub(super) fn table(report: &GpuReport) -> String {
    let figures = &report.figures;
    let mut table = Table::new([
        ("FIGURE", Side::Left),
        ("P10", Side::Right),
        ("P50", Side::Right),
        ("P90", Side::Right),
    ]);
    for (benchmark, figure, unit) in [
        (Benchmark::GemmFp32, figures.gemm_fp32_mflops, Unit::Mflops),
        (Benchmark::GemmF16, figures.gemm_f16_mflops, Unit::Mflops),
        (
            Benchmark::MatrixF16,
            figures.matrix_f16_mflops,
            Unit::Mflops,
        ),
        (Benchmark::FmaFp32, figures.fma_fp32_mflops, Unit::Mflops),
        (
            Benchmark::MulAddFp32,
            figures.mul_add_fp32_mflops,
            Unit::Mflops,
        ),
        (Benchmark::DotInt8, figures.dot_int8_mops, Unit::Mops),
    ] {
        table.row(spread(name(benchmark), figure, unit));
    }
    for (name, figure, unit) in [
        ("memory read", figures.memory_read_mib_per_s, Unit::MibPerS),
        (
            "memory write",
            figures.memory_write_mib_per_s,
            Unit::MibPerS,
        ),
        ("memory copy", figures.memory_copy_mib_per_s, Unit::MibPerS),
        ("upload", figures.upload_mib_per_s, Unit::MibPerS),
        ("download", figures.download_mib_per_s, Unit::MibPerS),
        (
            "empty submission",
            figures.dispatch_latency_ns,
            Unit::Nanoseconds,
        ),
        ("power", figures.power_mw, Unit::Milliwatts),
    ] {
        table.row(spread(name, figure, unit));
    }
    format!("{table}{}", values(report))
}

fn spread(name: &str, figure: Option<Spread>, unit: Unit) -> [String; 4] {
    let cell =
        |value: fn(Spread) -> u64| figure.map_or_else(unknown, |figure| unit.write(value(figure)));
    let p50 = cell(|spread| spread.p50);
    match figure {
        Some(_) => [
            name.to_owned(),
            cell(|spread| spread.p10),
            p50,
            cell(|spread| spread.p90),
        ],
        None => [name.to_owned(), String::new(), p50, String::new()],
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// Writes what is one value.
fn values(report: &GpuReport) -> String {
    let figures = &report.figures;
    let rate = |mflops: Option<u64>| mflops.map_or_else(unknown, words::rate);
    let share = share_of_peak(report).map_or_else(unknown, |permille| percent(permille.into()));
    let throttling = match figures.throttling {
        None => "unknown",
        Some(Throttling::None) => "no",
        Some(Throttling::Slowed) => "it slowed down; nothing on this machine says why",
        Some(Throttling::Thermal) => "it slowed down because of heat",
    };
    let work = report.mflop_per_joule().map_or_else(unknown, |work| {
        format!("{}.{:03} GFLOP", work / 1_000, work % 1_000)
    });
    let memory = figures
        .usable_memory_bytes
        .map_or_else(unknown, words::bytes);
    let lines = [
        (
            "sustained matrix product",
            rate(figures.sustained_gemm_fp32_mflops),
        ),
        ("at first", rate(figures.burst_gemm_fp32_mflops)),
        ("throttled", throttling.to_owned()),
        ("share of its own peak", share),
        ("work for a joule", work),
        ("usable memory", memory),
    ];
    lines
        .iter()
        .map(|(name, value)| format!("{name:<26}{value}\n"))
        .collect()
}

/// Returns the sustained matrix product as a part of the multiply-add peak of the same device, in 1/1,000.
fn share_of_peak(report: &GpuReport) -> Option<u32> {
    let sustained = report.figures.sustained_gemm_fp32_mflops?;
    let peak = report.figures.fma_fp32_mflops?.p90;
    let permille = (u128::from(sustained) * 1_000).checked_div(u128::from(peak))?;
    u32::try_from(permille).ok()
}

/// Writes 1/1,000 as percent with one decimal.
pub(super) fn percent(permille: u64) -> String {
    format!("{}.{} %", permille / 10, permille % 10)
}
