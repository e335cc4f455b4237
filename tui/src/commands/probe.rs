//! Owns `nightshift probe`: measures this machine's adapters, or looks again at what was measured before.
//!
//! Never offers anything; `up --provide` does. Never sends anything anywhere.

mod bars;
mod comparison;
mod figures;
mod place;
mod proof;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use gpu_probe::{Benchmark, Effort, SavedAdapter, SavedProbe, SavedProblem};
use market::gpu::{GpuClass, GpuReport};
use serde::Serialize;

use crate::cli::Context;
use crate::words;
use bars::Bars;

/// The most bytes of a saved probe that are read: that of a machine with hundreds of adapters.
const MAX_SAVED_BYTES: u64 = 1 << 20;

/// Arguments of `probe`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Measure for under 10 seconds an adapter instead of under 60
    #[arg(long, conflicts_with = "soak")]
    quick: bool,
    /// Multiply matrices for so many seconds, 30 to 86400, to see what the card does once it is hot
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(30..=86_400))]
    soak: Option<u64>,
    /// Only the adapter with this number, from 0
    #[arg(long, value_name = "N")]
    device: Option<usize>,
    /// Also write what was measured to a file, which --from reads
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// Measure nothing, and show what --save wrote on this machine or another one
    #[arg(long, value_name = "FILE", conflicts_with_all = ["quick", "soak", "save"])]
    from: Option<PathBuf>,
    /// Prove the throughput instead, as to a stranger, and show what both sides cost; to this machine itself for now
    #[arg(long, value_name = "PEER", value_enum, conflicts_with_all = ["quick", "soak", "save", "from"])]
    prove: Option<proof::Peer>,
}

/// What is shown of one adapter.
#[derive(Debug, Serialize)]
struct Shown {
    /// Its number, from 0.
    number: usize,
    adapter: String,
    /// `None` where the figures give none.
    class: Option<GpuClass>,
    /// Why it has this class, and how far the next ones are; or why it has none.
    why: Vec<String>,
    /// Whether nothing failed.
    complete: bool,
    problems: Vec<SavedProblem>,
    report: GpuReport,
}

impl Shown {
    fn new((number, saved): (usize, SavedAdapter)) -> Self {
        let SavedAdapter {
            complete,
            problems,
            report,
        } = saved;
        Self {
            number,
            adapter: report.adapter.name.to_string(),
            class: report.class(None).ok(),
            why: place::why(&report),
            complete,
            problems,
            report,
        }
    }
}

/// Measures or reads, and prints a section for each adapter.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    if let Some(proof::Peer::Own) = args.prove {
        return proof::execute(args.device, context).await;
    }
    let found = match &args.from {
        Some(path) => read(path, args.device)?,
        None => {
            let (effort, device) = (args.effort(), args.device);
            let measuring = tokio::task::spawn_blocking(move || measure_all(effort, device));
            let found = measuring.await.context("measuring")??;
            if let Some(path) = &args.save {
                save(path, &found)?;
            }
            found
        }
    };
    let shown: Vec<Shown> = found.into_iter().map(Shown::new).collect();
    context.print(&shown, |shown| text(shown))?;
    let partial = shown.iter().filter(|shown| !shown.complete).count();
    anyhow::ensure!(
        partial == 0,
        "{} could not be measured whole; what failed is said above",
        words::plural(partial, "adapter")
    );
    Ok(())
}

impl Args {
    fn effort(&self) -> Effort {
        match (self.quick, self.soak) {
            (true, _) => Effort::Quick,
            (false, Some(seconds)) => Effort::Soak(Duration::from_secs(seconds)),
            (false, None) => Effort::Full,
        }
    }
}

/// Measures the adapters of this machine, or the chosen one. One that cannot be opened is told and passed over, unless
/// nothing is left.
fn measure_all(
    effort: Effort,
    device: Option<usize>,
) -> anyhow::Result<Vec<(usize, SavedAdapter)>> {
    let adapters = gpu_probe::adapters();
    if adapters.is_empty() {
        gpu_probe::best_adapter()?; // Says in words what to install.
    }
    let mut found = Vec::new();
    let mut unopened = None;
    for (number, adapter) in chosen(adapters, device)? {
        let mut bars = Bars::new(number, adapter.info());
        let wanted = (effort, &Benchmark::ALL[..]);
        match gpu_probe::probe(&adapter, wanted, &mut |progress| bars.show(progress)) {
            Ok(probed) => {
                bars.end();
                found.push((number, SavedAdapter::from(probed)));
            }
            Err(error) => {
                eprintln!("adapter {number}: {error}");
                unopened = Some(error);
            }
        }
    }
    match unopened {
        Some(error) if found.is_empty() => Err(error.into()),
        _ => Ok(found),
    }
}

/// Numbers things and keeps the chosen one, or all.
fn chosen<T>(all: Vec<T>, device: Option<usize>) -> anyhow::Result<Vec<(usize, T)>> {
    let count = all.len();
    let numbered = all.into_iter().enumerate();
    let kept: Vec<(usize, T)> = numbered
        .filter(|(number, _)| device.is_none_or(|device| device == *number))
        .collect();
    anyhow::ensure!(
        !kept.is_empty(),
        "there is no such adapter: there {}, numbered from 0",
        match count {
            1 => "is 1".to_owned(),
            count => format!("are {count}"),
        }
    );
    Ok(kept)
}

fn save(path: &Path, found: &[(usize, SavedAdapter)]) -> anyhow::Result<()> {
    let adapters = found.iter().map(|(_, adapter)| adapter.clone()).collect();
    let text = SavedProbe::new(adapters)
        .to_json()
        .context("writing JSON")?;
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

fn read(path: &Path, device: Option<usize>) -> anyhow::Result<Vec<(usize, SavedAdapter)>> {
    let reading = || format!("reading {}", path.display());
    let file = fs::File::open(path).with_context(reading)?;
    let mut text = String::new();
    let mut bounded = file.take(MAX_SAVED_BYTES + 1);
    bounded.read_to_string(&mut text).with_context(reading)?;
    anyhow::ensure!(
        text.len() as u64 <= MAX_SAVED_BYTES,
        "{} is larger than any saved probe",
        path.display()
    );
    let saved = SavedProbe::from_json(&text).with_context(reading)?;
    anyhow::ensure!(
        !saved.adapters.is_empty(),
        "{} is the probe of a machine without adapters",
        path.display()
    );
    chosen(saved.adapters, device)
}

/// Writes a section an adapter: its class and why, its figures, what failed, and other cards beside it.
fn text(shown: &[Shown]) -> String {
    let sections: Vec<String> = shown.iter().map(section).collect();
    sections.join("\n")
}

fn section(shown: &Shown) -> String {
    let adapter = &shown.report.adapter;
    let class = match shown.class {
        Some(class) => format!("class {class}"),
        None => "no class".to_owned(),
    };
    let mut text = format!(
        "{}  {} ({}, {})\n{class}\n",
        shown.number, adapter.name, adapter.backend, adapter.driver
    );
    for why in &shown.why {
        text.push_str(&format!("  {why}\n"));
    }
    for problem in &shown.problems {
        let name = figures::name(problem.benchmark);
        text.push_str(&format!(
            "  PARTIAL: {name} could not be measured: {}\n",
            words::printable(&problem.error)
        ));
    }
    text.push_str(&format!("\n{}", figures::table(&shown.report)));
    if let Some(comparison) = comparison::text(&shown.report) {
        text.push_str(&format!("\n{comparison}"));
    }
    text
}

#[cfg(test)]
mod tests;
