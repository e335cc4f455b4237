//! Tests of the training loop: what is reported and saved, and when.

use market::job::ModelShape;

use super::*;
use crate::memory_pipe::MemoryPipe;

fn spec() -> TrainSpec {
    let mut spec = TrainSpec::new("data".parse().unwrap());
    spec.model = ModelShape {
        dim: 16,
        layers: 1,
        heads: 2,
        kv_heads: 1,
        ffn_dim: 32,
        vocabulary: 256,
        context: 16,
        tied_embeddings: true,
    };
    spec.steps = 7;
    spec.warm_up_steps = 1;
    spec.batch = 2;
    spec.sequence = 8;
    spec.log_every = 3;
    spec.evaluate_every = 4;
    spec.checkpoint_every = 2;
    spec
}

fn run(spec: &TrainSpec, limit: u64) -> (Result<TrainSummary, TrainError>, MemoryPipe) {
    let mut pipe = MemoryPipe::default();
    let text = b"night shift ".repeat(30);
    let mut outbox = Outbox::new(&mut pipe, limit);
    let outcome = train(spec, &text, None, &Card::processor(), &mut outbox);
    (outcome, pipe)
}

#[test]
fn reports_come_after_the_first_step_then_when_due_and_at_the_end() {
    let (_, pipe) = run(&spec(), 1 << 20);
    let steps: Vec<(u32, bool)> = pipe
        .metrics()
        .iter()
        .map(|metric| (metric.step, metric.held_out.is_some()))
        .collect();
    assert_eq!(
        steps,
        [(1, false), (3, false), (4, true), (6, false), (7, true)]
    );
    assert!(matches!(pipe.said[0], FromWorker::Started(_)));
    assert!(matches!(&pipe.said[1], FromWorker::Log(line) if line.contains("held out")));
    assert!(matches!(pipe.said[2], FromWorker::Metric(_)));
}

#[test]
fn checkpoints_leave_as_they_are_made_and_the_last_has_the_plain_name() {
    let (_, pipe) = run(&spec(), 1 << 20);
    let outputs = pipe.outputs();
    let names: Vec<&str> = outputs.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "config.json",
            "metrics.jsonl",
            "model.safetensors",
            "step-000002/config.json",
            "step-000002/model.safetensors",
            "step-000002/training.safetensors",
            "step-000004/config.json",
            "step-000004/model.safetensors",
            "step-000004/training.safetensors",
            "step-000006/config.json",
            "step-000006/model.safetensors",
            "step-000006/training.safetensors",
        ]
    );
    assert_ne!(
        outputs["model.safetensors"],
        outputs["step-000006/model.safetensors"]
    );
    let place = |wanted: &str| {
        let is_it = |message: &FromWorker| match message {
            FromWorker::Output { name, .. } => name.as_str() == wanted,
            _ => false,
        };
        pipe.said.iter().position(is_it).unwrap()
    };
    let is_step_three =
        |message: &FromWorker| matches!(message, FromWorker::Metric(m) if m.step == 3);
    let third = pipe.said.iter().position(is_step_three).unwrap();
    assert!(place("step-000002/model.safetensors") < third);
}

#[test]
fn a_job_that_goes_on_ends_with_the_same_model_and_reports_only_its_own_steps() {
    let (_, whole) = run(&spec(), 1 << 20);
    let mut outputs = whole.outputs();
    let resume = ResumeFiles {
        weights: outputs["step-000004/model.safetensors"].clone(),
        state: outputs["step-000004/training.safetensors"].clone(),
    };
    let mut pipe = MemoryPipe::default();
    let text = b"night shift ".repeat(30);
    let mut outbox = Outbox::new(&mut pipe, 1 << 20);
    let rest = train(
        &spec(),
        &text,
        Some(resume),
        &Card::processor(),
        &mut outbox,
    );
    assert_eq!(rest.unwrap().tokens, 3 * 2 * 8);
    let steps: Vec<u32> = pipe.metrics().iter().map(|metric| metric.step).collect();
    assert_eq!(steps, [5, 6, 7]);
    let resumed = pipe.outputs();
    assert!(!resumed.contains_key("step-000004/model.safetensors"));
    for name in [
        "model.safetensors",
        "step-000006/model.safetensors",
        "step-000006/training.safetensors",
    ] {
        assert_eq!(
            Some(&resumed[name]),
            outputs.remove(name).as_ref(),
            "{name}"
        );
    }
}

#[test]
fn a_job_with_too_many_checkpoints_makes_fewer_and_covers_all_its_steps() {
    let mut many = spec();
    (many.steps, many.checkpoint_every) = (400, 1);
    many.model.ffn_dim = 16;
    let (summary, pipe) = run(&many, 1 << 30);
    summary.unwrap();
    let outputs = pipe.outputs();
    assert!(outputs.len() <= 256, "{} files", outputs.len());
    let steps: Vec<u32> = outputs
        .keys()
        .filter_map(|name| CheckpointFile::parse(name))
        .filter(|(_, file)| *file == CheckpointFile::State)
        .map(|(step, _)| step)
        .collect();
    assert!(steps.len() >= 70, "{}", steps.len());
    assert!(steps.first() == Some(&1) && *steps.last().unwrap() > 380);
}

#[test]
fn the_state_gives_way_to_the_weights_where_the_limit_is_tight() {
    let (_, ample) = run(&spec(), 1 << 20);
    let states = |outputs: &std::collections::BTreeMap<String, Vec<u8>>| {
        let is_state = |name: &&String| name.ends_with("training.safetensors");
        let names = outputs.keys().filter(is_state);
        names
            .map(|name| outputs[name].len() as u64)
            .collect::<Vec<_>>()
    };
    let all: u64 = ample.outputs().values().map(|c| c.len() as u64).sum();
    let without = all - states(&ample.outputs()).iter().sum::<u64>();
    let (summary, pipe) = run(&spec(), without + 2_000);
    assert!(summary.is_ok(), "{summary:?}");
    assert!(states(&pipe.outputs()).is_empty());
    let is_warning =
        |message: &FromWorker| matches!(message, FromWorker::Log(line) if line.contains("no room"));
    assert!(pipe.said.iter().any(is_warning));
}

#[test]
fn the_summary_agrees_with_the_metrics_and_their_file() {
    let (summary, pipe) = run(&spec(), 1 << 20);
    let (summary, metrics) = (summary.unwrap(), pipe.metrics());
    assert_eq!(summary.parameters, spec().model.parameters());
    assert_eq!(summary.tokens, 7 * 2 * 8);
    let bits = |loss: f32| loss.to_bits();
    assert_eq!(bits(summary.loss_first), bits(metrics[0].loss));
    assert_eq!(bits(summary.loss_last), bits(metrics[4].loss));
    assert_eq!(
        metrics[4].held_out.map(bits),
        Some(bits(summary.loss_held_out))
    );
    // "night shift " has four bytes twice and four once: ln(6) * 2/3 + ln(12) / 3 nats.
    let expected = 6_f32.ln() * 2.0 / 3.0 + 12_f32.ln() / 3.0;
    assert!((summary.unigram_entropy - expected).abs() < 0.01);
    let file = pipe.outputs().remove("metrics.jsonl").unwrap();
    let lines = String::from_utf8(file).unwrap();
    let read: Vec<Metric> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(read, metrics);
}

#[test]
fn outputs_stop_at_the_limit() {
    let (outcome, pipe) = run(&spec(), 30_000);
    assert!(matches!(
        outcome,
        Err(TrainError::Output(OutputError::TooLarge { .. }))
    ));
    let sent: usize = pipe.outputs().values().map(Vec::len).sum();
    assert!(sent <= 30_000);
}

#[test]
fn a_text_too_short_is_refused_before_anything_is_said() {
    let mut pipe = MemoryPipe::default();
    let mut outbox = Outbox::new(&mut pipe, 1 << 20);
    let outcome = train(&spec(), b"short", None, &Card::processor(), &mut outbox);
    assert!(matches!(outcome, Err(TrainError::Text(_))));
    assert!(pipe.said.is_empty());
}

#[test]
fn a_broken_pipe_ends_the_run() {
    let mut pipe = MemoryPipe::default();
    pipe.breaks_after = Some(2);
    let text = b"night shift ".repeat(30);
    let mut outbox = Outbox::new(&mut pipe, 1 << 20);
    let outcome = train(&spec(), &text, None, &Card::processor(), &mut outbox);
    assert!(matches!(
        outcome,
        Err(TrainError::Output(OutputError::Pipe(_)))
    ));
    assert_eq!(pipe.said.len(), 2);
}
