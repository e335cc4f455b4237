//! Hostile jobs against real confined workers, workers whose card goes away, and the end of workers at work. Linux only.
#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "what the tests share with each other is test code too"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use engine::{EngineDevice, FromWorker};
use market::job::{Input, JobKind, JobSpec, TrainSpec};
use market_node::blobs::BlobStore;
use provider::bench::end_at_work;
use provider::check::{EngineFinding, EngineLayer, engine_attacks};
use provider::{AgentError, Assignment, WorkerEvent, start_worker};
use sandbox::{DriverProfile, Limits, Sandbox, Verdict, WorkerProgram};
use tokio::sync::mpsc;

const PROBE: &str = env!("CARGO_BIN_EXE_provider-probe");

fn sandbox(args: &[&str], profile: DriverProfile, limits: Limits) -> Sandbox {
    let program = WorkerProgram {
        path: PROBE.into(),
        args: args.iter().map(Into::into).collect(),
    };
    Sandbox::new(program, profile, limits)
}

/// Describes workers on the processor that poses as a GPU, with half a gibibyte of its memory; `None` where none does.
fn on_software() -> Option<Sandbox> {
    if !EngineDevice::has_software() {
        return None;
    }
    let profile = DriverProfile::lavapipe().unwrap();
    let budget = (512_u64 << 20).to_string();
    let program = ["worker", "software", &budget];
    Some(sandbox(&program, profile, Limits::default()))
}

fn print(findings: &[EngineFinding]) {
    for found in findings {
        let EngineFinding {
            row,
            tried,
            layer,
            verdict,
            evidence,
        } = found;
        println!("{row} {verdict:?} by {layer}: {tried}: {evidence}");
    }
}

fn of_row(findings: &[EngineFinding], row: u8) -> Vec<&EngineFinding> {
    findings.iter().filter(|found| found.row == row).collect()
}

#[test]
fn hostile_jobs_are_refused_in_words_by_the_layer_that_should() {
    let sandbox = sandbox(&["worker", "flex"], DriverProfile::cpu(), Limits::default());
    let findings = engine_attacks(&sandbox, 23..=27);
    print(&findings);
    assert!(findings.iter().all(|found| !found.is_open()));
    for (row, layer, least) in [
        (23, EngineLayer::IndexCheck, 4),
        (24, EngineLayer::StrictReader, 10),
        (26, EngineLayer::KernelBound, 1),
    ] {
        let tried = of_row(&findings, row);
        let stopped: Vec<_> = tried
            .iter()
            .filter(|found| found.verdict == Verdict::Stopped)
            .collect();
        assert!(
            stopped.len() >= least,
            "row {row}: {} stopped",
            stopped.len()
        );
        assert!(
            stopped.iter().all(|found| found.layer == layer),
            "row {row}"
        );
    }
    // Each refusal has words of its own, so that a worker that refuses everything would not pass.
    let words: BTreeSet<&str> = of_row(&findings, 24)
        .iter()
        .map(|found| found.evidence.as_str())
        .collect();
    assert_eq!(words.len(), of_row(&findings, 24).len());
    for row in [25, 27] {
        let found = of_row(&findings, row);
        assert!(
            found
                .iter()
                .all(|found| found.verdict == Verdict::NotApplicable)
        );
    }
}

#[test]
fn long_on_a_card_the_memory_bomb_ends_at_the_budget_and_the_job_s_leftovers_are_overwritten() {
    let Some(sandbox) = on_software() else {
        return println!("skipped: no processor poses as a GPU here (install mesa-vulkan-drivers)");
    };
    // The other rows never reach a card, and each worker warms the emulated one up for a minute.
    let findings = engine_attacks(&sandbox, 25..=27);
    print(&findings);
    assert!(findings.iter().all(|found| !found.is_open()));
    for row in [25, 26, 27] {
        let stopped = |found: &&EngineFinding| found.verdict == Verdict::Stopped;
        assert_eq!(
            of_row(&findings, row)
                .iter()
                .filter(|found| stopped(found))
                .count(),
            1,
            "row {row}"
        );
    }
    let bomb = of_row(&findings, 25)[0];
    assert_eq!(bomb.layer, EngineLayer::MemoryBudget);
    assert!(bomb.evidence.contains("536870912"), "{}", bomb.evidence);
}

#[test]
fn where_no_worker_comes_up_nothing_is_said_to_be_stopped() {
    let program = WorkerProgram {
        path: "/bin/true".into(),
        args: Vec::new(),
    };
    let sandbox = Sandbox::new(program, DriverProfile::cpu(), Limits::default());
    let findings = engine_attacks(&sandbox, 23..=27);
    assert_eq!(findings.len(), 5);
    for found in &findings {
        assert_eq!(found.verdict, Verdict::NotStopped, "{found:?}");
        assert!(found.evidence.contains("the honest job"), "{found:?}");
    }
}

/// A small job with its input in a folder.
fn job(folder: &tempfile::TempDir) -> (JobSpec, Vec<(market::job::ArtifactName, PathBuf)>) {
    let text = b"by night the cards work for whoever pays. ".repeat(9);
    let name: market::job::ArtifactName = "data.txt".parse().unwrap();
    let path = folder.path().join("data.txt");
    std::fs::write(&path, &text).unwrap();
    let job = JobSpec {
        inputs: vec![Input::of(name.clone(), &text)],
        kind: JobKind::Train(TrainSpec::new(name.clone())),
        limits: market::job::Limits::default(),
    };
    (job, vec![(name, path)])
}

/// Runs a worker that plays `part` to its end, and returns how it ended.
async fn ended(part: &str, limits: Limits) -> Result<(), AgentError> {
    let folder = tempfile::tempdir().unwrap();
    let (job, inputs) = job(&folder);
    let assignment = Assignment::new(
        sandbox(&["worker", part], DriverProfile::cpu(), limits),
        (job, inputs),
        BlobStore::open(&folder.path().join("blobs"), 1 << 20).unwrap(),
        folder.path().to_owned(),
    );
    let (sender, mut events) = mpsc::channel(8);
    let _session = start_worker(assignment, sender).await.unwrap();
    let mut last = None;
    while let Some(event) = events.recv().await {
        assert!(!matches!(event, WorkerEvent::Report(FromWorker::Done(_))));
        if let WorkerEvent::Ended(result) = event {
            last = Some(result);
        }
    }
    last.unwrap()
}

#[tokio::test]
async fn a_worker_whose_card_was_lost_is_told_from_one_that_died() {
    let lost = ended("lost", Limits::default()).await;
    assert!(matches!(lost, Err(AgentError::CardLost { .. })), "{lost:?}");
}

#[tokio::test]
async fn a_worker_whose_driver_never_answers_is_ended_by_the_agent_s_clock() {
    let limits = Limits {
        wall_clock: Duration::from_secs(3),
        ..Limits::default()
    };
    let began = Instant::now();
    let mute = ended("mute", limits).await;
    assert!(matches!(mute, Err(AgentError::OutOfTime)), "{mute:?}");
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
}

/// Ends workers in the middle of training; it is an error where a process of one lives on.
fn end_some_at_work(sandbox: &Sandbox, parts: &[f64]) {
    for part in parts {
        let mut is_at_work = false;
        let ending = end_at_work(sandbox, *part, || is_at_work = true).unwrap();
        println!("{part} of a step on: gone after {:?}", ending.gone);
        assert!(is_at_work);
        assert!(ending.processes >= 3, "launcher, init, worker: {ending:?}");
    }
}

#[test]
fn a_worker_that_is_ended_at_work_is_gone_with_all_that_it_started() {
    let sandbox = sandbox(&["worker", "flex"], DriverProfile::cpu(), Limits::default());
    end_some_at_work(&sandbox, &[0.1, 0.5, 0.9]);
}

#[test]
fn long_on_a_card_a_worker_that_is_ended_at_work_is_gone_too() {
    let Some(sandbox) = on_software() else {
        return println!("skipped: no processor poses as a GPU here (install mesa-vulkan-drivers)");
    };
    end_some_at_work(&sandbox, &[0.1, 0.5, 0.9]);
}
