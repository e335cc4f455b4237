//! Tests of a job's life in a worker, over a pipe in memory.

use std::collections::BTreeMap;

use market::job::{ArtifactName, Input, Limits, ModelShape, TrainSpec};

use super::*;
use crate::config::ModelConfig;
use crate::memory_pipe::MemoryPipe;
use crate::own_process::is_alone;
use crate::{Budget, EngineDevice, warm_up};

const TEXT: &[u8] = b"the night shift works while the day shift sleeps. ";

fn name(text: &str) -> ArtifactName {
    text.parse().unwrap()
}

fn train_job(text: &[u8]) -> JobSpec {
    let mut spec = TrainSpec::new(name("data.txt"));
    spec.model = ModelShape {
        dim: 16,
        layers: 1,
        heads: 2,
        kv_heads: 1,
        ffn_dim: 32,
        vocabulary: 256,
        context: 64,
        tied_embeddings: false,
    };
    (spec.steps, spec.warm_up_steps, spec.batch, spec.sequence) = (3, 1, 2, 16);
    JobSpec {
        inputs: vec![Input::of(name("data.txt"), text)],
        kind: JobKind::Train(spec),
        limits: Limits::default(),
    }
}

fn run_on_flex(pipe: &mut MemoryPipe) -> Result<Summary, RunError> {
    run(pipe, &Card::processor())
}

/// Trains a model in a worker and returns what it sent back.
fn trained() -> BTreeMap<String, Vec<u8>> {
    let text = TEXT.repeat(20);
    let mut pipe = MemoryPipe::with_job(&train_job(&text), &[&text], 100);
    run_on_flex(&mut pipe).unwrap();
    pipe.outputs()
}

fn infer_job(config: &[u8], weights: &[u8]) -> JobSpec {
    let mut spec = InferSpec::new("the ");
    spec.max_tokens = 20;
    JobSpec {
        inputs: vec![
            Input::of(spec.config.clone(), config),
            Input::of(spec.weights.clone(), weights),
        ],
        kind: JobKind::Infer(spec),
        limits: Limits::default(),
    }
}

fn failure(pipe: &MemoryPipe) -> &str {
    match pipe.said.last() {
        Some(FromWorker::Failed { reason, .. }) => reason,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn warming_up_needs_nothing_from_outside() {
    warm_up(&Card::processor()).unwrap();
}

#[test]
fn a_trained_model_can_be_asked_by_a_second_job() {
    let outputs = trained();
    let (config, weights) = (&outputs["config.json"], &outputs["model.safetensors"]);
    let job = infer_job(config, weights);
    let mut pipe = MemoryPipe::with_job(&job, &[config, weights], 10_000);
    let summary = run_on_flex(&mut pipe).unwrap();
    assert_eq!(pipe.said.last(), Some(&FromWorker::Done(summary)));
    assert!(
        matches!(summary, Summary::Infer(infer) if infer.tokens == 20 && infer.prompt_tokens == 4)
    );
    let piece = |message: &FromWorker| match message {
        FromWorker::Text(bytes) => Some(bytes.0.clone()),
        _ => None,
    };
    let streamed: Vec<u8> = pipe.said.iter().filter_map(piece).flatten().collect();
    let outputs = pipe.outputs();
    assert_eq!(outputs["completion.txt"], streamed);
    let line: serde_json::Value = serde_json::from_slice(&outputs["completion.jsonl"]).unwrap();
    assert_eq!(
        line["completion"],
        String::from_utf8_lossy(&streamed).as_ref()
    );
}

#[test]
fn an_input_that_is_not_what_the_job_names_ends_the_job() {
    let job = train_job(TEXT);
    let mut other = TEXT.to_vec();
    other[0] ^= 1;
    let mut pipe = MemoryPipe::with_job(&job, &[&other], 100);
    assert!(matches!(
        run_on_flex(&mut pipe),
        Err(RunError::Input(InputError::Hash { .. }))
    ));
    assert!(failure(&pipe).contains("hash"), "{}", failure(&pipe));
}

#[test]
fn work_does_not_begin_without_every_input() {
    let job = train_job(TEXT);
    let mut pipe = MemoryPipe::with([ToWorker::Job(Blob(job.to_bytes())), ToWorker::Start]);
    let outcome = run_on_flex(&mut pipe);
    assert!(matches!(
        outcome,
        Err(RunError::Input(InputError::Incomplete { .. }))
    ));
}

#[test]
fn messages_at_the_wrong_time_are_refused() {
    let job = ToWorker::Job(Blob(train_job(TEXT).to_bytes()));
    for messages in [vec![ToWorker::Start], vec![job.clone(), job]] {
        let mut pipe = MemoryPipe::with(messages);
        assert!(matches!(
            run_on_flex(&mut pipe),
            Err(RunError::Unexpected { .. })
        ));
    }
}

#[test]
fn a_closed_pipe_is_an_error_of_its_own() {
    let mut pipe = MemoryPipe::with([]);
    assert!(matches!(run_on_flex(&mut pipe), Err(RunError::Closed)));
}

#[test]
fn a_job_out_of_range_is_refused_before_its_inputs() {
    let mut job = train_job(TEXT);
    if let JobKind::Train(spec) = &mut job.kind {
        spec.model.dim = u32::MAX;
    }
    let mut pipe = MemoryPipe::with([ToWorker::Job(Blob(job.to_bytes()))]);
    assert!(matches!(run_on_flex(&mut pipe), Err(RunError::Job(_))));
    assert!(failure(&pipe).contains("model.dim"));
}

#[test]
fn a_job_that_needs_more_memory_than_it_allows_is_refused_at_once() {
    let mut job = train_job(TEXT);
    job.limits.memory_bytes = 64 << 20;
    let mut pipe = MemoryPipe::with([ToWorker::Job(Blob(job.to_bytes()))]);
    assert!(matches!(
        run_on_flex(&mut pipe),
        Err(RunError::Memory { .. })
    ));
}

#[test]
fn a_hostile_checkpoint_ends_the_job_in_words() {
    let shape = ModelShape::DEMO_1M;
    let config = ModelConfig::new(shape).to_json();
    let weights = vec![0xff; 4_096];
    let job = infer_job(&config, &weights);
    let mut pipe = MemoryPipe::with_job(&job, &[&config, &weights], 1_000);
    assert!(matches!(run_on_flex(&mut pipe), Err(RunError::Generate(_))));
    assert!(failure(&pipe).contains("safetensors"), "{}", failure(&pipe));
}

#[test]
fn a_pipe_that_breaks_while_working_is_reported_to_the_caller() {
    let text = TEXT.repeat(20);
    let mut pipe = MemoryPipe::with_job(&train_job(&text), &[&text], 100);
    pipe.breaks_after = Some(1);
    assert!(matches!(run_on_flex(&mut pipe), Err(RunError::Train(_))));
}

#[test]
fn a_lost_card_is_told_from_a_failed_job_wherever_it_shows() {
    let lost = || CardError::Lost {
        reason: "the driver reset".to_owned(),
    };
    let from_file = || CheckpointError::Card(lost());
    let errors: [RunError; 6] = [
        lost().into(),
        TrainError::Card(lost()).into(),
        TrainError::Step(StepError::Card(lost())).into(),
        TrainError::Checkpoint(from_file()).into(),
        TrainError::State(StateError::File(from_file())).into(),
        GenerateError::Checkpoint(from_file()).into(),
    ];
    for error in errors {
        assert_eq!(error.cause(), FailureCause::CardLost, "{error:?}");
        assert!(error.to_string().contains("the card was lost"), "{error}");
    }
    let failed = CardError::failed("a kernel did not compile");
    for error in [RunError::Card(failed), RunError::Closed] {
        assert_eq!(error.cause(), FailureCause::Job);
    }
}

#[test]
fn a_panic_of_a_library_ends_the_job_in_words() {
    let card = Card::processor();
    let broke = guarded(&card, || -> Result<(), RunError> {
        panic!("wgpu error: out of memory")
    });
    let error = broke.unwrap_err();
    assert_eq!(
        error.to_string(),
        "computing broke off: wgpu error: out of memory"
    );
    assert_eq!(error.cause(), FailureCause::BrokeOff);
    assert!(guarded(&card, || Ok(7)).is_ok());
}

#[test]
fn a_job_of_64_layers_of_128_mib_ends_at_the_card_s_budget() {
    let test = "worker::tests::a_job_of_64_layers_of_128_mib_ends_at_the_card_s_budget";
    if !is_alone(test) {
        return;
    }
    if !EngineDevice::has_software() {
        eprintln!("skipped: no processor poses as a GPU here (install mesa-vulkan-drivers)");
        return;
    }
    let card = Card::open(&EngineDevice::software(), Budget::of_bytes(512 << 20)).unwrap();
    let mut job = train_job(&TEXT.repeat(20));
    job.limits.memory_bytes = 1 << 40;
    if let JobKind::Train(spec) = &mut job.kind {
        (spec.model.dim, spec.model.layers, spec.model.ffn_dim) = (2_048, 64, 2_730);
        (spec.model.heads, spec.model.kv_heads) = (16, 16);
    }
    let text = TEXT.repeat(20);
    let mut pipe = MemoryPipe::with_job(&job, &[&text], 1_000);
    let refused = run(&mut pipe, &card).unwrap_err();
    let is_memory = |error: &RunError| matches!(error, RunError::Card(CardError::Memory { needed, allowed: 0x2000_0000 }) if *needed > 8 << 30);
    assert!(is_memory(&refused), "{refused:?}");
    assert!(
        failure(&pipe).contains("it may use 536870912"),
        "{}",
        failure(&pipe)
    );
}
