//! The bounded run of every parser of this crate, on small real files and thousands of mutations of each.

use burn::optim::{AdamWState, AdaptiveMomentumState};
use burn::tensor::Tensor;
use market::BlobHash;
use market::job::{InferSpec, Input, JobKind, Limits, Resume};
use sweep::{compare_corpus, sweep};

use super::*;
use crate::protocol::{Blob, FailureCause, Metric, Started};
use crate::weights::{Slot, slots};

#[path = "../../../../tests/fuzz/sweep.rs"]
mod sweep;

const TEXT: &[u8] = b"by night the cards work for whoever pays, and by day they sleep. ";

fn recipe() -> TrainSpec {
    let mut spec = TrainSpec::new("data.txt".parse().unwrap());
    spec.model = SHAPE;
    (spec.steps, spec.warm_up_steps, spec.batch, spec.sequence) = (9, 1, 1, 8);
    spec
}

/// A small model with numbers that are the same on every machine: its configuration, its weights, its state.
fn model() -> [Vec<u8>; 3] {
    let config = ModelConfig::new(SHAPE);
    let ramp = |shape: [usize; 2]| -> Tensor<2> {
        let values = (0..shape[0] * shape[1]).map(|place| (place % 64) as f32 / 64.0);
        card().upload(values.collect(), shape).unwrap()
    };
    let slots = slots(&SHAPE);
    let weights: Vec<Tensor<2>> = slots.iter().map(|slot| ramp(slot.shape)).collect();
    let moments = |slot: &Slot| {
        AdamWState::new(AdaptiveMomentumState::new(
            1,
            ramp(slot.shape),
            ramp(slot.shape),
        ))
    };
    let moments: Vec<_> = slots.iter().map(|slot| Some(moments(slot))).collect();
    let checkpoint = Checkpoint::write(&config, &weights).unwrap();
    let state = crate::training_state::write(&config, &moments, 1).unwrap();
    [checkpoint.config, checkpoint.weights, state]
}

fn jobs() -> [JobSpec; 3] {
    let input = |name: &str| Input::of(name.parse().unwrap(), b"content");
    let mut resumed = recipe();
    resumed.resume = Some(Resume {
        weights: "w".parse().unwrap(),
        state: "s".parse().unwrap(),
    });
    let of = |inputs: &[&str], kind| JobSpec {
        inputs: inputs.iter().map(|name| input(name)).collect(),
        kind,
        limits: Limits::default(),
    };
    [
        of(&["data.txt"], JobKind::Train(recipe())),
        of(&["data.txt", "w", "s"], JobKind::Train(resumed)),
        of(
            &["config.json", "model.safetensors"],
            JobKind::Infer(InferSpec::new("The market ")),
        ),
    ]
}

fn messages() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let name = "step-000100/model.safetensors";
    let input = ToWorker::Input {
        name: name.parse().unwrap(),
        offset: 1 << 20,
        bytes: Blob(TEXT.to_vec()),
        last: true,
    };
    let output = FromWorker::Output {
        name: name.parse().unwrap(),
        offset: 0,
        bytes: Blob(TEXT.to_vec()),
        end: Some(BlobHash::of(TEXT)),
    };
    let started = FromWorker::Started(Started {
        device: "a card".to_owned(),
        parameters: 7,
        unigram_entropy: Some(f32::NAN),
    });
    let metric = FromWorker::Metric(Metric {
        step: 1,
        loss: 2.5,
        held_out: None,
        learning_rate: 1e-3,
        gradient_norm: 1.0,
        tokens: 64,
        tokens_per_s: 9.0,
        seconds: 7.0,
    });
    let failed = FromWorker::Failed {
        reason: "no".to_owned(),
        cause: FailureCause::CardLost,
    };
    vec![
        (
            "engine_to_worker",
            "job",
            ToWorker::Job(Blob(jobs()[0].to_bytes())).to_bytes(),
        ),
        ("engine_to_worker", "input", input.to_bytes()),
        ("engine_to_worker", "start", ToWorker::Start.to_bytes()),
        ("engine_from_worker", "output", output.to_bytes()),
        ("engine_from_worker", "started", started.to_bytes()),
        ("engine_from_worker", "metric", metric.to_bytes()),
        ("engine_from_worker", "failed", failed.to_bytes()),
        (
            "engine_from_worker",
            "log",
            FromWorker::Log("a line".to_owned()).to_bytes(),
        ),
        (
            "engine_from_worker",
            "text",
            FromWorker::Text(Blob(vec![0xff])).to_bytes(),
        ),
    ]
}

fn entries() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let [config, weights, state] = model();
    let [train, resumed, infer] = jobs();
    let mut text = vec![8, 0, 3, 0xe8, 3, 0];
    text.extend(TEXT.repeat(4));
    let mut entries = messages();
    entries.extend([
        ("engine_config", "small", config),
        ("engine_checkpoint", "small", weights),
        ("engine_training_state", "small", state),
        ("engine_job", "train", train.to_bytes()),
        ("engine_job", "resumed", resumed.to_bytes()),
        ("engine_job", "infer", infer.to_bytes()),
        ("engine_text", "small", text),
    ]);
    entries
}

#[test]
fn the_corpus_is_what_this_crate_writes() {
    compare_corpus(&entries());
}

/// Runs one parser: each has a test of its own, so that they run beside each other and a failure names it.
fn run(decoder: &str) {
    let found = DECODERS.iter().find(|(name, _)| *name == decoder);
    sweep(*found.unwrap());
}

#[test]
fn whatever_comes_as_a_checkpoint() {
    run("engine_checkpoint");
}

#[test]
fn whatever_comes_as_a_configuration() {
    run("engine_config");
}

#[test]
fn whatever_comes_from_a_worker() {
    run("engine_from_worker");
}

#[test]
fn whatever_comes_as_a_job() {
    run("engine_job");
}

#[test]
fn whatever_comes_as_a_text() {
    run("engine_text");
}

#[test]
fn whatever_comes_to_a_worker() {
    run("engine_to_worker");
}

#[test]
fn whatever_comes_as_a_training_state() {
    run("engine_training_state");
}
