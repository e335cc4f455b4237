//! Owns `nightshift bench worker`: what the walls cost, in starts, in work and in memory.
//!
//! Never gives a stranger's job to the unconfined worker: that start has no way to take one.

use std::time::{Duration, Instant};

use engine::EngineDevice;
use provider::bench::{self, Worked};
use sandbox::{Limits, Sandbox, Unconfined, WorkerProgram, has_bubblewrap};
use serde::Serialize;

use super::{Times, workplace};
use crate::cli::Context;

/// How long one start may take.
const TIMEOUT: Duration = Duration::from_secs(120);

/// Arguments of `bench worker`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Starts of each kind, in turn
    #[arg(long, default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    starts: u32,

    /// Jobs of each kind, in turn; none with 0
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pairs: u32,
}

/// What confined work took in parts of unconfined work: the median of the pairs, and an interval around it.
#[derive(Debug, Serialize)]
struct Ratio {
    unconfined_p50: f64,
    confined_p50: f64,
    ratio_p50: f64,
    ratio_low: f64,
    ratio_high: f64,
}

#[derive(Debug, Serialize)]
struct Work {
    pairs: u32,
    /// With which probability the intervals have the true median in them.
    confidence: f64,
    /// In milliseconds.
    training_step: Ratio,
    /// In milliseconds.
    token: Ratio,
    /// In MiB.
    peak_memory: Ratio,
}

#[derive(Debug, Serialize)]
struct Measured {
    /// What the workers compute on, in words.
    device: String,
    starts: u32,
    /// From before the fork to LOCKED.
    confined: Times,
    /// The same warm-up without layers.
    unconfined: Times,
    /// The same behind bubblewrap, where it is installed.
    bubblewrap: Option<Times>,
    work: Option<Work>,
}

/// Starts workers of both kinds in turn.
pub(crate) async fn execute(args: Args, context: &Context) -> anyhow::Result<()> {
    let measured = tokio::task::spawn_blocking(move || measure(&args)).await??;
    context.print(&measured, text)
}

fn measure(args: &Args) -> anyhow::Result<Measured> {
    let (workplace, _adapter) = workplace()?;
    let program = provider::worker::program(&workplace.device);
    let sandbox = workplace.sandbox(Limits::default());
    let has_bubblewrap = has_bubblewrap();
    let (mut confined, mut unconfined, mut bubblewrap) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..args.starts {
        let begun = Instant::now();
        let worker = sandbox.launch()?.wait_locked(TIMEOUT)?;
        confined.push(begun.elapsed());
        worker.kill();
        unconfined.push(Unconfined::start(&program)?.taken);
        if has_bubblewrap {
            bubblewrap.push(Unconfined::behind_bubblewrap(&program, &workplace.profile)?.taken);
        }
    }
    Ok(Measured {
        device: workplace.device.describe(),
        starts: args.starts,
        confined: Times::of(confined),
        unconfined: Times::of(unconfined),
        bubblewrap: has_bubblewrap.then(|| Times::of(bubblewrap)),
        work: match args.pairs {
            0 => None,
            pairs => Some(work(&sandbox, &workplace.device, pairs)?),
        },
    })
}

/// Does the same work in both kinds of worker, in turn, and changes which goes first.
fn work(sandbox: &Sandbox, device: &EngineDevice, pairs: u32) -> anyhow::Result<Work> {
    let mut done: Vec<[Worked; 2]> = Vec::new();
    for pair in 0..pairs {
        let first_unconfined = (pair % 2 == 1)
            .then(|| work_unconfined(device))
            .transpose()?;
        let confined = bench::confined(sandbox)?;
        let unconfined = match first_unconfined {
            Some(worked) => worked,
            None => work_unconfined(device)?,
        };
        done.push([unconfined, confined]);
    }
    let of = |figure: fn(&Worked) -> f64| {
        let pairs = done.iter().map(|pair| [figure(&pair[0]), figure(&pair[1])]);
        ratio(&pairs.collect::<Vec<_>>())
    };
    Ok(Work {
        pairs,
        confidence: confidence(done.len()),
        training_step: of(|worked| worked.step_s * 1_000.0),
        token: of(|worked| worked.token_s * 1_000.0),
        peak_memory: of(|worked| worked.peak_bytes as f64 / f64::from(1 << 20)),
    })
}

fn work_unconfined(device: &EngineDevice) -> anyhow::Result<Worked> {
    let program = WorkerProgram::this_binary([
        provider::worker::WORKER_COMMAND.to_owned(),
        device.to_string(),
        bench::WORK_ARGUMENT.to_owned(),
    ]);
    let report = Unconfined::start(&program)?.report(engine::MAX_FRAME_BYTES)?;
    let report =
        report.ok_or_else(|| anyhow::anyhow!("the unconfined worker did not do the work"))?;
    Ok(serde_json::from_slice(&report)?)
}

/// Compares pairs of an unconfined and a confined figure.
fn ratio(pairs: &[[f64; 2]]) -> Ratio {
    let sorted = |of: fn(&[f64; 2]) -> f64| {
        let mut figures: Vec<f64> = pairs.iter().map(of).collect();
        figures.sort_unstable_by(f64::total_cmp);
        figures
    };
    let middle = |figures: &[f64]| figures.get(figures.len() / 2).copied().unwrap_or(0.0);
    let ratios = sorted(|[unconfined, confined]| confined / unconfined);
    let outside = rank_outside(ratios.len());
    Ratio {
        unconfined_p50: middle(&sorted(|pair| pair[0])),
        confined_p50: middle(&sorted(|pair| pair[1])),
        ratio_p50: middle(&ratios),
        ratio_low: ratios.get(outside).copied().unwrap_or(0.0),
        ratio_high: ratios.iter().rev().nth(outside).copied().unwrap_or(0.0),
    }
}

/// Returns how many of `count` sorted values lie below the interval: the most for which it has the true median in it
/// with at least 95 %. None where even the whole range falls short of that, which it does for fewer than six values.
fn rank_outside(count: usize) -> usize {
    let mut ranks = 0..count / 2;
    ranks
        .rfind(|outside| coverage(count, *outside) >= 0.95)
        .unwrap_or(0)
}

/// Returns with which probability the interval of `count` pairs has the true median in it.
fn confidence(count: usize) -> f64 {
    coverage(count, rank_outside(count))
}

/// Returns with which probability the true median lies between the values of which `outside` of `count` are smaller and
/// as many larger: each value is above it with 1/2, as in the sign test.
fn coverage(count: usize, outside: usize) -> f64 {
    let mut at = 0.5_f64.powi(i32::try_from(count).unwrap_or(i32::MAX));
    let mut below = at;
    for rank in 0..outside {
        at *= (count - rank) as f64 / (rank + 1) as f64;
        below += at;
    }
    (1.0 - 2.0 * below).max(0.0)
}

fn text(measured: &Measured) -> String {
    let mut text = format!(
        "on {}\n{} starts of each kind, in turn\n",
        measured.device, measured.starts
    );
    text += &measured.confined.line("confined, to LOCKED");
    text += &measured.unconfined.line("unconfined, the same warm-up");
    match &measured.bubblewrap {
        Some(times) => text += &times.line("behind bubblewrap, without limits or filter"),
        None => text += "behind bubblewrap: it is not installed\n",
    }
    let Some(work) = &measured.work else {
        return text;
    };
    text += &format!(
        "\n{} pairs of the same work, in turn; with {:.1} % the median lies in the interval\n",
        work.pairs,
        work.confidence * 100.0
    );
    for (what, unit, ratio) in [
        ("training step", "ms", &work.training_step),
        ("token of inference", "ms", &work.token),
        ("largest memory of a worker", "MiB", &work.peak_memory),
    ] {
        text += &format!(
            "{what:<27} unconfined {:>8.3} {unit}, confined {:>8.3} {unit}: {:.4} of it, {:.4} to {:.4}\n",
            ratio.unconfined_p50,
            ratio.confined_p50,
            ratio.ratio_p50,
            ratio.ratio_low,
            ratio.ratio_high
        );
    }
    text
}

#[cfg(test)]
mod tests;
