//! Owns what each parser of the engine must hold to, whatever bytes come: no panic, no more memory than the size of the
//! input allows, and a refusal that names the file.
//!
//! Compiled for tests and for fuzzing alone. Never makes bytes up: the tests beside it and the fuzzer in `tests/fuzz`
//! do. Every function tells whether the bytes meant something.

#[path = "../../../tests/fuzz/check.rs"]
mod check;

use std::sync::OnceLock;

use check::canonical;
use market::job::{JobSpec, ModelShape, TrainSpec};
use market::wire::{self, Payload};

use crate::card::{Budget, Card};
use crate::checkpoint::{Checkpoint, CheckpointError, read_weights};
use crate::config::ModelConfig;
use crate::device::EngineDevice;
use crate::protocol::{FromWorker, MAX_FRAME_BYTES, ToWorker};
use crate::text::Text;
use crate::training_state::TrainingState;

/// A parser: the name of its folder in the corpus, and what its bytes must hold to.
pub type Decoder = (&'static str, fn(&[u8]) -> bool);

/// Every parser of this crate that sees bytes of a job or of a worker.
pub const DECODERS: [Decoder; 7] = [
    ("engine_checkpoint", checkpoint),
    ("engine_config", config),
    ("engine_from_worker", from_worker),
    ("engine_job", job),
    ("engine_text", text),
    ("engine_to_worker", to_worker),
    ("engine_training_state", training_state),
];

/// The model that the files of the corpus are of: as small as one can be.
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

fn card() -> &'static Card {
    static CARD: OnceLock<Card> = OnceLock::new();
    CARD.get_or_init(|| {
        Card::open(&EngineDevice::Flex, Budget::UNLIMITED).expect("the processor is there")
    })
}

/// A `config.json`: what is read is written and read again alike.
pub fn config(bytes: &[u8]) -> bool {
    match ModelConfig::from_json(bytes) {
        Ok(config) => {
            let again = ModelConfig::from_json(&config.to_json());
            assert_eq!(again.ok(), Some(config));
            true
        }
        Err(error) => {
            assert!(error.to_string().starts_with("config.json"), "{error}");
            false
        }
    }
}

/// A weights file of a known model: what is read is written again alike, number for number.
pub fn checkpoint(bytes: &[u8]) -> bool {
    let config = ModelConfig::new(SHAPE);
    let weights = match read_weights(&config, bytes, card()) {
        Ok(weights) => weights,
        Err(CheckpointError::File(error)) => {
            assert_eq!(error.file, "model.safetensors");
            return false;
        }
        Err(other) => unreachable!("only the file can be wrong: {other}"),
    };
    let written =
        Checkpoint::write(&config, &weights).expect("weights that were read can be written");
    let again = read_weights(&config, &written.weights, card()).expect("and read again");
    for (one, other) in weights.iter().zip(&again) {
        assert_eq!(one.to_data(), other.to_data());
    }
    true
}

/// A training state of a known model.
pub fn training_state(bytes: &[u8]) -> bool {
    let config = ModelConfig::new(SHAPE);
    match TrainingState::read(&config, bytes, card()) {
        Ok(state) => {
            assert!(state.step > 0);
            true
        }
        Err(error) => {
            assert!(
                error
                    .to_string()
                    .starts_with("the checkpoint to go on from"),
                "{error}"
            );
            false
        }
    }
}

/// A text to train on, behind six bytes that say how it is split: every window lies within its part.
pub fn text(bytes: &[u8]) -> bool {
    let Some((head, bytes)) = bytes.split_first_chunk::<6>() else {
        return false;
    };
    let mut spec = TrainSpec::new("data".parse().expect("a name"));
    spec.sequence = u32::from(u16::from_le_bytes([head[0], head[1]]));
    spec.batch = 1 + u32::from(head[2]) % 8;
    spec.held_out_bps = u16::from_le_bytes([head[3], head[4]]);
    if spec.validate().is_err() {
        return false;
    }
    let Ok(text) = Text::split(bytes, &spec) else {
        return false;
    };
    let windows = text
        .batch(1 + u32::from(head[5]))
        .expect("bytes are in a vocabulary of bytes");
    assert_eq!(windows.inputs.columns(), spec.sequence as usize);
    for windows in text.held_out().take(2) {
        assert!(windows.is_ok());
    }
    true
}

/// What an agent tells its worker.
pub fn to_worker(bytes: &[u8]) -> bool {
    canonical::<ToWorker>(bytes, MAX_FRAME_BYTES).is_some()
}

/// What a worker tells its agent.
pub fn from_worker(bytes: &[u8]) -> bool {
    canonical::<FromWorker>(bytes, MAX_FRAME_BYTES).is_some()
}

/// A job: what is valid can be estimated without overflow, and no kernel of it is too large.
pub fn job(bytes: &[u8]) -> bool {
    if canonical::<JobSpec>(bytes, JobSpec::MAX_BYTES).is_none() {
        return false;
    }
    let Ok(job) = JobSpec::from_bytes(bytes) else {
        return false;
    };
    assert!(job.memory_bytes() > 0 && job.flops() > 0);
    let _fits_or_not = job.card_bytes();
    if let market::job::JobKind::Train(train) = &job.kind {
        let slice = u64::from(train.slice_rows()).saturating_mul(train.row_operations());
        assert!(slice <= market::job::SLICE_OPERATIONS);
    }
    true
}

#[cfg(test)]
mod tests;
