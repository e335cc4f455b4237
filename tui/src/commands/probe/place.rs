//! Owns why an adapter has its class, in words: what decided it, and how far the next ones are.
//!
//! Never assigns a class; `market::gpu` does.

use market::gpu::{Band, GpuReport, Measured, Throttling, Tier};

use super::figures::percent;
use crate::words;

/// Says why the report gives its class, a line for the band and one for the tier; or why it gives none.
pub(super) fn why(report: &GpuReport) -> Vec<String> {
    let class = report.measured().and_then(|measured| {
        let class = report.class(None)?;
        Ok((measured, class))
    });
    match class {
        Ok((measured, class)) => vec![
            band(report, measured, class.band()),
            tier(measured.usable_memory_bytes, class.tier()),
        ],
        Err(error) => vec![error.to_string()],
    }
}

fn band(report: &GpuReport, measured: Measured, band: Band) -> String {
    let sustained = measured.gemm_fp32_mflops;
    let mut text = format!(
        "sustained {}, band {}T, which begins at {}",
        words::rate(sustained),
        band.name(),
        words::rate(band.floor_mflops())
    );
    if let Some(faster) = band.faster() {
        let needed = faster.floor_mflops();
        let short = u128::from(needed.saturating_sub(sustained)) * 1_000 / u128::from(needed);
        let short = percent(u64::try_from(short).unwrap_or(u64::MAX));
        text.push_str(&format!("; {short} short of {}T", faster.name()));
    }
    text.push_str(&slowed(report, band).unwrap_or_default());
    text
}

/// Says what throttling cost, where there was some.
fn slowed(report: &GpuReport, band: Band) -> Option<String> {
    let cause = match report.figures.throttling? {
        Throttling::None => return None,
        Throttling::Slowed => "it slowed down, and nothing on this machine says why",
        Throttling::Thermal => "it slowed down because of heat",
    };
    let burst = report.figures.burst_gemm_fp32_mflops?;
    let would_be = Band::holding(burst).filter(|at_first| *at_first > band);
    let would_be = would_be.map_or_else(String::new, |band| format!(", band {}T", band.name()));
    Some(format!(
        "; at first it did {}{would_be}: {cause}",
        words::rate(burst)
    ))
}

fn tier(bytes: u64, tier: Tier) -> String {
    let mut text = format!(
        "usable {}, tier {}G, which begins at {}",
        words::bytes(bytes),
        tier.gib(),
        words::bytes(tier.floor_bytes())
    );
    if let Some(larger) = tier.larger() {
        let short = larger.floor_bytes().saturating_sub(bytes);
        text.push_str(&format!(
            "; {} short of {}G",
            words::bytes(short),
            larger.gib()
        ));
    }
    text
}
