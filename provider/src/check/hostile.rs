//! Owns the hostile jobs: what each of rows 23 to 27 would send, made out of the honest job's own files.
//!
//! Never starts a worker and never judges one.

use market::job::{
    ArtifactName, InferSpec, Input, JobKind, JobSpec, Limits, ModelShape, Resume, TrainSpec,
};

use super::trial::{Ending, Heard, Trial};
use super::{EngineFinding, EngineLayer};
use sandbox::Verdict;

/// Why an attack on a card is not tried on the processor.
pub(super) const NO_CARD: &str = "jobs are computed on the processor here: there is no card whose memory could be taken, \
     and the worker's own memory limit (row 13) keeps the rest";

/// A text long enough for the honest job.
const TEXT: &[u8] = b"by night the cards work for whoever pays, and by day they sleep. ";

/// The honest job's model: as small as one can be.
const SHAPE: ModelShape = ModelShape {
    dim: 16,
    layers: 1,
    heads: 2,
    kv_heads: 1,
    ffn_dim: 16,
    vocabulary: 256,
    context: 16,
    tied_embeddings: true,
};

/// The largest integer of a device, which an unchecked kernel would take as an address.
const HOSTILE_INDEX: i32 = i32::MAX;

/// One attack.
pub(super) struct Attack {
    pub(super) row: u8,
    pub(super) tried: &'static str,
    pub(super) layer: EngineLayer,
    pub(super) needs_gpu: bool,
    pub(super) job: Trial,
}

/// The files that the honest job made.
pub(super) struct Files {
    config: Vec<u8>,
    weights: Vec<u8>,
    state: Vec<u8>,
}

impl Files {
    /// Takes them from what the honest job made, if it was done.
    pub(super) fn of(control: &Heard) -> Option<Self> {
        let output = |name: &str| control.outputs.get(name).cloned();
        (control.ending == Ending::Done).then_some(())?;
        Some(Self {
            config: output("config.json")?,
            weights: output("model.safetensors")?,
            state: output("step-000001/training.safetensors")?,
        })
    }
}

fn name(text: &str) -> ArtifactName {
    text.parse()
        .expect("names made here have the form of names")
}

fn recipe() -> TrainSpec {
    let mut spec = TrainSpec::new(name("data.txt"));
    spec.model = SHAPE;
    (spec.steps, spec.warm_up_steps, spec.batch, spec.sequence) = (2, 1, 1, 8);
    spec.checkpoint_every = 1;
    spec
}

fn trial(kind: JobKind, files: Vec<(&str, Vec<u8>)>) -> Trial {
    let inputs = files
        .iter()
        .map(|(file, content)| Input::of(name(file), content));
    Trial {
        job: JobSpec {
            inputs: inputs.collect(),
            kind,
            limits: Limits::default(),
        },
        contents: files.into_iter().map(|(_, content)| content).collect(),
    }
}

/// A job that trains two steps and makes every kind of file.
pub(super) fn honest() -> Trial {
    let text = TEXT.repeat(4);
    trial(JobKind::Train(recipe()), vec![("data.txt", text)])
}

/// A job that continues a prompt with a model of these files.
fn with_model(config: &[u8], weights: &[u8]) -> Trial {
    let mut spec = InferSpec::new("by");
    spec.max_tokens = 2;
    let files = vec![
        ("config.json", config.to_vec()),
        ("model.safetensors", weights.to_vec()),
    ];
    trial(JobKind::Infer(spec), files)
}

/// A job that goes on from these files.
fn with_state(weights: &[u8], state: &[u8]) -> Trial {
    let mut spec = recipe();
    spec.resume = Some(Resume {
        weights: name("resume/weights"),
        state: name("resume/state"),
    });
    let files = vec![
        ("data.txt", TEXT.repeat(4)),
        ("resume/weights", weights.to_vec()),
        ("resume/state", state.to_vec()),
    ];
    trial(JobKind::Train(spec), files)
}

/// Returns every attack that is a job.
pub(super) fn attacks(files: &Files) -> Vec<Attack> {
    let mut attacks = indices(files);
    attacks.extend(weights_files(files));
    attacks.extend(other_files(files));
    attacks.push(Attack {
        row: 25,
        tried: "a model of 64 layers of 128 MiB each, with its gradients and moments",
        layer: EngineLayer::MemoryBudget,
        needs_gpu: true,
        job: memory_bomb(),
    });
    attacks.push(Attack {
        row: 26,
        tried: "one kernel of 5.6 * 10^14 operations, the largest that the ranges alone would allow",
        layer: EngineLayer::KernelBound,
        needs_gpu: false,
        job: largest_kernel(),
    });
    attacks
}

fn attack(row: u8, tried: &'static str, layer: EngineLayer, job: Trial) -> Attack {
    Attack {
        row,
        tried,
        layer,
        needs_gpu: false,
        job,
    }
}

/// Row 23: every way in which a job's bytes could become an index beyond its table.
fn indices(files: &Files) -> Vec<Attack> {
    let row = |tried, job| attack(23, tried, EngineLayer::IndexCheck, job);
    let table = "\"model.embed_tokens.weight\":{\"dtype\":\"F32\",\"shape\":[256,";
    let integers = "\"model.embed_tokens.weight\":{\"dtype\":\"I32\",\"shape\":[256,";
    let mut as_indices = replaced(&files.weights, table, integers);
    let at = as_indices.len().saturating_sub(4);
    as_indices.splice(at.., HOSTILE_INDEX.to_le_bytes());
    let short = "\"model.embed_tokens.weight\":{\"dtype\":\"F32\",\"shape\":[255,";
    let config = String::from_utf8_lossy(&files.config).into_owned();
    let vocabulary = config.replacen("\"vocab_size\": 256", "\"vocab_size\": 2147483647", 1);
    let step = |value: &str| {
        let told = format!("-step\":\"{value}\"");
        replaced(&files.state, "-step\":\"1\"", &told)
    };
    vec![
        row(
            "a vocabulary of 2^31-1 tokens over a table of 256",
            with_model(vocabulary.as_bytes(), &files.weights),
        ),
        row(
            "a token table with one row less than the vocabulary",
            with_model(&files.config, &replaced(&files.weights, table, short)),
        ),
        row(
            "a table of integers, one of them 2^31-1, in place of numbers",
            with_model(&files.config, &as_indices),
        ),
        row(
            "a training to go on from after step 2^31-1",
            with_state(&files.weights, &step("2147483647")),
        ),
        row(
            "a training to go on from after step -1",
            with_state(&files.weights, &step("-1")),
        ),
    ]
}

/// Row 24: weights files that are not what they say.
fn weights_files(files: &Files) -> Vec<Attack> {
    let row = |tried, weights: Vec<u8>| {
        attack(
            24,
            tried,
            EngineLayer::StrictReader,
            with_model(&files.config, &weights),
        )
    };
    let mut endless = files.weights.clone();
    endless.splice(..8, (1_u64 << 63).to_le_bytes());
    let mut not_a_number = files.weights.clone();
    let at = not_a_number.len().saturating_sub(4);
    not_a_number.splice(at.., f32::NAN.to_le_bytes());
    let norm = "\"model.norm.weight\":{\"dtype\":\"F32\",\"shape\":[16],\"data_offsets\":[";
    let overflowing = "\"model.norm.weight\":{\"dtype\":\"F32\",\"shape\":[18446744073709551615,2],\"data_offsets\":[";
    let unknown =
        "\"model.norm.weight\":{\"run\":1,\"dtype\":\"F32\",\"shape\":[16],\"data_offsets\":[";
    let change = |from: &str, to: &str| replaced(&files.weights, from, to);
    vec![
        row("a weights file whose header has 2^63 bytes", endless),
        row(
            "a weights file that ends in the middle",
            files.weights[..files.weights.len() / 2].to_vec(),
        ),
        row(
            "a shape whose product overflows 64 bits",
            change(norm, overflowing),
        ),
        row(
            "two tensors over the same bytes",
            overlapping(&files.weights),
        ),
        row(
            "one tensor's name twice",
            change("\"model.norm.weight\"", "\"model.embed_tokens.weight\""),
        ),
        row("a field that no reader knows", change(norm, unknown)),
        row("a weight that is not a number", not_a_number),
        row(
            "a header of 200,000 brackets",
            with_header(&"[".repeat(200_000), &[]),
        ),
    ]
}

/// Row 24: configurations and training states that are not what they say.
fn other_files(files: &Files) -> Vec<Attack> {
    let row = |tried, job| attack(24, tried, EngineLayer::StrictReader, job);
    let config = String::from_utf8_lossy(&files.config).into_owned();
    let changed = |from: &str, to: &str| {
        let changed = config.replacen(from, to, 1);
        with_model(changed.as_bytes(), &files.weights)
    };
    let deep = format!("\"rope_scaling\": {}", "[".repeat(20_000));
    let mut state = files.state.clone();
    let at = state.len().saturating_sub(4);
    state.splice(at.., f32::NEG_INFINITY.to_le_bytes());
    vec![
        row(
            "a configuration of 20,000 brackets",
            changed("\"rope_scaling\": null", &deep),
        ),
        row(
            "a model 2^32-1 numbers wide",
            changed("\"hidden_size\": 16", "\"hidden_size\": 4294967295"),
        ),
        row(
            "a configuration with a field that changes what is computed",
            changed("{", "{\"sliding_window\": 4,"),
        ),
        row(
            "a training state with an infinite moment",
            with_state(&files.weights, &state),
        ),
    ]
}

/// Row 25: 64 layers of 2^25 weights.
fn memory_bomb() -> Trial {
    let mut spec = recipe();
    spec.model = ModelShape {
        dim: 2_048,
        layers: 64,
        heads: 16,
        kv_heads: 16,
        ffn_dim: 2_730,
        ..SHAPE
    };
    let mut bomb = trial(JobKind::Train(spec), vec![("data.txt", TEXT.repeat(4))]);
    bomb.job.limits.memory_bytes = 1 << 40;
    bomb
}

/// Row 26: the widest model over the largest batch.
fn largest_kernel() -> Trial {
    let mut spec = recipe();
    spec.model = ModelShape {
        dim: 8_192,
        layers: 1,
        heads: 128,
        kv_heads: 128,
        ffn_dim: 32_768,
        context: 16_384,
        ..SHAPE
    };
    (spec.batch, spec.sequence) = (64, 16_384);
    let mut kernel = trial(JobKind::Train(spec), vec![("data.txt", TEXT.repeat(4))]);
    kernel.job.limits.memory_bytes = 1 << 40;
    kernel
}

/// Row 26 as far as no job can try it.
pub(super) fn hang() -> EngineFinding {
    EngineFinding {
        row: 26,
        tried: "a driver that never signals".to_owned(),
        layer: EngineLayer::ClockAndBreaker,
        verdict: Verdict::NotApplicable,
        evidence: "no job can make a driver hang within the kernel bound; a worker that waits for ever is ended by the \
                   agent's clock (row 17), and two lost cards within ten minutes stop selling"
            .to_owned(),
    }
}

/// Replaces a piece of a file's header; what has the piece not comes back as it is.
fn replaced(file: &[u8], from: &str, to: &str) -> Vec<u8> {
    let Some((length, rest)) = file.split_first_chunk::<8>() else {
        return file.to_vec();
    };
    let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
    let (header, data) = rest.split_at(length.min(rest.len()));
    with_header(&String::from_utf8_lossy(header).replacen(from, to, 1), data)
}

/// Moves the last norm of a weights file to the file's first bytes, where another tensor lies.
fn overlapping(file: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(file);
    let norm = text.find("\"model.norm.weight\"").unwrap_or_default();
    let entry = text[norm..].split('}').next().unwrap_or_default();
    let moved = match entry.rfind('[') {
        Some(at) => format!("{}[0,64]", &entry[..at]),
        None => String::new(),
    };
    replaced(file, entry, &moved)
}

/// Builds a file of a header and data.
fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(data);
    bytes
}
