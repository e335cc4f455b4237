//! Owns `nightshift probe`: measures this machine's adapters.
//!
//! Never offers anything; `up --provide` does.

use gpu_probe::{Benchmark, Effort};
use market::gpu::GpuReport;
use serde::Serialize;

use crate::cli::Context;
use crate::table::{Side, Table};
use crate::words;

/// Arguments of `probe`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Measure for under 10 seconds an adapter instead of under 60
    #[arg(long)]
    quick: bool,
    /// Measure only the adapter with this number, from 0
    #[arg(long, value_name = "N")]
    device: Option<usize>,
}

#[derive(Serialize)]
struct Measured {
    adapter: String,
    class: String,
    report: GpuReport,
}

/// Measures and prints a row for each adapter.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let effort = if args.quick {
        Effort::Quick
    } else {
        Effort::Full
    };
    let chosen = args.device;
    let measured = tokio::task::spawn_blocking(move || measure_all(effort, chosen)).await??;
    context.print(&measured, |measured| text(measured))
}

fn measure_all(effort: Effort, chosen: Option<usize>) -> anyhow::Result<Vec<Measured>> {
    let adapters = gpu_probe::adapters();
    if adapters.is_empty() {
        gpu_probe::best_adapter()?; // Says in words what to install.
    }
    let count = adapters.len();
    let wanted = |number: &usize| chosen.is_none_or(|chosen| chosen == *number);
    let mut measured = Vec::new();
    for (number, adapter) in adapters
        .iter()
        .enumerate()
        .filter(|(number, _)| wanted(number))
    {
        eprintln!("Measuring adapter {number}: {}", adapter.info().name);
        let wanted = (effort, &Benchmark::ALL[..]);
        let report = gpu_probe::probe(adapter, wanted, &mut |_| {})?.report;
        measured.push(Measured {
            adapter: report.adapter.name.to_string(),
            class: report.class(None)?.to_string(),
            report,
        });
    }
    anyhow::ensure!(
        !measured.is_empty(),
        "there are {count} adapters, numbered from 0"
    );
    Ok(measured)
}

fn text(measured: &[Measured]) -> String {
    let mut table = Table::new([
        ("ADAPTER", Side::Left),
        ("CLASS", Side::Left),
        ("FP32 GEMM", Side::Right),
        ("MEMORY", Side::Right),
        ("DRIVER", Side::Left),
    ]);
    for row in measured {
        let figures = &row.report.figures;
        let unknown = || "unknown".to_owned();
        table.row([
            row.adapter.clone(),
            row.class.clone(),
            figures
                .sustained_gemm_fp32_mflops
                .map_or_else(unknown, words::rate),
            figures
                .usable_memory_bytes
                .map_or_else(unknown, words::bytes),
            row.report.adapter.driver.to_string(),
        ]);
    }
    table.to_string()
}
