//! Owns `nightshift probe --prove self`: a proof of throughput in both modes, with this machine on both sides.
//!
//! Never claims that it convinces anybody else.

use std::time::Duration;

use anyhow::Context as _;
use gpu_probe::{ProveError, SelfProof, Tuning, prove_self};
use serde::Serialize;
use throughput_proof::Mode;

use super::chosen;
use crate::cli::Context;
use crate::words;

/// To whom throughput is proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Peer {
    /// This machine.
    #[value(name = "self")]
    Own,
}

/// A proof as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Shown {
    /// The adapter's number, from 0.
    pub(super) number: usize,
    pub(super) adapter: String,
    /// `F` or `I`.
    pub(super) mode: &'static str,
    /// What was reported before, in MFLOP/s; `None` where the mode is not offered.
    pub(super) reported_mflops: Option<u64>,
    /// What was proved, in MFLOP/s.
    pub(super) proved_mflops: Option<u64>,
    /// Why nothing was.
    pub(super) why_not: Option<String>,
    /// Products, and their rows, columns and depth.
    pub(super) rounds: u32,
    pub(super) shape: [u32; 3],
    /// How long the prover's side worked, in microseconds.
    pub(super) prover_us: u64,
    /// How long the verifier's side worked, on one core, in microseconds.
    pub(super) verifier_us: u64,
    /// The verifier's cost for the prover's, in 1/1,000,000.
    pub(super) cost_ppm: u64,
    /// What the prover sends, in bytes.
    pub(super) sent_bytes: u64,
}

/// Proves what the chosen adapters do, in both modes.
pub(super) async fn execute(device: Option<usize>, context: &Context) -> anyhow::Result<()> {
    let proving = tokio::task::spawn_blocking(move || prove_all(device));
    let shown = proving.await.context("proving")??;
    context.print(&shown, |shown| text(shown))?;
    let failed = shown.iter().filter(|shown| shown.proved_mflops.is_none());
    let failed = failed.count();
    anyhow::ensure!(
        failed == 0,
        "{} of {} proved nothing; why is said above",
        failed,
        words::plural(shown.len(), "proof")
    );
    Ok(())
}

fn prove_all(device: Option<usize>) -> anyhow::Result<Vec<Shown>> {
    let adapters = gpu_probe::adapters();
    if adapters.is_empty() {
        gpu_probe::best_adapter()?; // Says in words what to install.
    }
    let mut shown = Vec::new();
    for (number, adapter) in chosen(adapters, device)? {
        let name = adapter.info().name.to_string();
        for mode in [Mode::F, Mode::I] {
            eprintln!("Proving on adapter {number}, mode {}: {name}", letter(mode));
            match prove_self(&adapter, &Tuning::default(), mode) {
                Ok(proof) => shown.push(Shown::of((number, name.clone()), mode, &proof)),
                Err(error @ ProveError::Reorders) => {
                    shown.push(Shown::without((number, name.clone()), mode, &error));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(shown)
}

fn letter(mode: Mode) -> &'static str {
    match mode {
        Mode::F => "F",
        Mode::I => "I",
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

impl Shown {
    pub(super) fn of((number, adapter): (usize, String), mode: Mode, proof: &SelfProof) -> Self {
        let shape = proof.workload.shape();
        let verdict = proof.verdict.as_ref();
        Self {
            number,
            adapter,
            mode: letter(mode),
            reported_mflops: Some(proof.reported_mflops),
            proved_mflops: verdict.ok().map(|proved| proved.mflops),
            why_not: verdict.err().map(ToString::to_string),
            rounds: proof.workload.rounds(),
            shape: [shape.rows(), shape.columns(), shape.depth()],
            prover_us: micros(proof.prover_took),
            verifier_us: micros(proof.verifier_took),
            cost_ppm: proof.cost_ppm(),
            sent_bytes: proof.sent_bytes,
        }
    }

    fn without((number, adapter): (usize, String), mode: Mode, error: &ProveError) -> Self {
        Self {
            number,
            adapter,
            mode: letter(mode),
            reported_mflops: None,
            proved_mflops: None,
            why_not: Some(error.to_string()),
            rounds: 0,
            shape: [0; 3],
            prover_us: 0,
            verifier_us: 0,
            cost_ppm: 0,
            sent_bytes: 0,
        }
    }
}

/// Writes each proof in a few lines.
pub(super) fn text(shown: &[Shown]) -> String {
    shown.iter().map(one).collect()
}

fn one(shown: &Shown) -> String {
    let kind = match shown.mode {
        "F" => "fp32, in order",
        _ => "exact integers, any unit",
    };
    let mut text = format!(
        "{}  {}, mode {} ({kind})\n",
        shown.number, shown.adapter, shown.mode
    );
    let mut line = |name: &str, value: String| text.push_str(&format!("   {name:<10} {value}\n"));
    match (shown.proved_mflops, &shown.why_not) {
        (Some(mflops), _) => line("proved", words::rate(mflops)),
        (None, why) => line(
            "proved",
            format!("nothing: {}", why.as_deref().unwrap_or("-")),
        ),
    }
    let Some(reported) = shown.reported_mflops else {
        return text;
    };
    let [rows, columns, depth] = shown.shape;
    let rounds = words::plural(usize::try_from(shown.rounds).unwrap_or(usize::MAX), "round");
    line(
        "reported",
        format!("{} of whole rounds", words::rate(reported)),
    );
    line("work", format!("{rounds} of {rows} x {columns} x {depth}"));
    line("prover", seconds(shown.prover_us));
    let permyriad = shown.cost_ppm / 100;
    line(
        "verifier",
        format!(
            "{} on one core, {}.{:02} % of the prover's",
            seconds(shown.verifier_us),
            permyriad / 100,
            permyriad % 100
        ),
    );
    line("sent", words::bytes(shown.sent_bytes));
    text
}

fn seconds(micros: u64) -> String {
    format!("{}.{:03} s", micros / 1_000_000, micros % 1_000_000 / 1_000)
}
