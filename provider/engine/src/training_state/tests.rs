//! Tests of the training's state: going on is bit-equal, and a file that is not right is refused.

use burn::tensor::TensorData;
use market::job::{ModelShape, TrainSpec};
use proptest::prelude::*;

use safetensors::tensor::SafeTensors;

use super::*;
use crate::card::Card;
use crate::checkpoint::Checkpoint;
use crate::tensor_file::{TensorFileError, TensorFileProblem};
use crate::text::Text;
use crate::trainer::{StepReport, Trainer};

fn spec() -> TrainSpec {
    let mut spec = TrainSpec::new("data".parse().unwrap());
    spec.model = ModelShape {
        dim: 16,
        layers: 2,
        heads: 2,
        kv_heads: 1,
        ffn_dim: 32,
        vocabulary: 256,
        context: 16,
        tied_embeddings: false,
    };
    spec.steps = 12;
    spec.warm_up_steps = 3;
    spec.batch = 3;
    spec.sequence = 8;
    spec
}

fn text() -> Vec<u8> {
    b"by night the cards work for whoever pays. ".repeat(20)
}

/// Trains the steps of a range and returns their reports.
fn steps(
    trainer: &mut Trainer<'_>,
    text: &Text<'_>,
    range: std::ops::RangeInclusive<u32>,
) -> Vec<StepReport> {
    let one = |step| trainer.step(step, &text.batch(step).unwrap()).unwrap();
    range.map(one).collect()
}

fn bits(trainer: &Trainer<'_>) -> Vec<TensorData> {
    trainer.weights().iter().map(Tensor::to_data).collect()
}

fn files(trainer: &Trainer<'_>, step: u32) -> ResumeFiles {
    let checkpoint = Checkpoint::write(trainer.config(), trainer.weights()).unwrap();
    ResumeFiles {
        weights: checkpoint.weights,
        state: trainer.state(step).unwrap(),
    }
}

#[test]
fn going_on_from_a_checkpoint_gives_the_same_bits_as_never_stopping() {
    let (spec, bytes) = (spec(), text());
    let text = Text::split(&bytes, &spec).unwrap();
    let mut whole = Trainer::new(&spec, &Card::processor()).unwrap();
    steps(&mut whole, &text, 1..=5);
    let kept = files(&whole, 5);
    let rest = steps(&mut whole, &text, 6..=12);

    let mut other = Trainer::new(&spec, &Card::processor()).unwrap();
    assert_eq!(other.resume(&kept).unwrap(), 5);
    assert_eq!(files(&other, 5), kept, "what was read is written alike");
    assert_eq!(steps(&mut other, &text, 6..=12), rest);
    assert_eq!(bits(&other), bits(&whole));
    assert_eq!(files(&other, 12), files(&whole, 12));
}

#[test]
fn without_the_moments_the_bits_would_differ() {
    let (spec, bytes) = (spec(), text());
    let text = Text::split(&bytes, &spec).unwrap();
    let mut whole = Trainer::new(&spec, &Card::processor()).unwrap();
    steps(&mut whole, &text, 1..=5);
    let mut kept = files(&whole, 5);
    let mut first = Trainer::new(&spec, &Card::processor()).unwrap();
    steps(&mut first, &text, 1..=1);
    kept.state = first.state(5).unwrap();
    steps(&mut whole, &text, 6..=6);
    let mut other = Trainer::new(&spec, &Card::processor()).unwrap();
    other.resume(&kept).unwrap();
    steps(&mut other, &text, 6..=6);
    assert_ne!(bits(&other), bits(&whole));
}

/// A trainer after one step, and its files.
fn kept(spec: &TrainSpec) -> ResumeFiles {
    let bytes = text();
    let text = Text::split(&bytes, spec).unwrap();
    let mut trainer = Trainer::new(spec, &Card::processor()).unwrap();
    steps(&mut trainer, &text, 1..=1);
    files(&trainer, 1)
}

fn refused(spec: &TrainSpec, files: &ResumeFiles) -> StateError {
    let mut trainer = Trainer::new(spec, &Card::processor()).unwrap();
    let before = bits(&trainer);
    let error = trainer.resume(files).unwrap_err();
    assert_eq!(bits(&trainer), before, "a refusal changes nothing");
    error
}

/// Replaces the bytes of a tensor's first value.
fn with_first_value(state: &[u8], name: &str, value: f32) -> Vec<u8> {
    let file = SafeTensors::deserialize(state).unwrap();
    let tensor = file.tensor(name).unwrap().data().as_ptr();
    let offset = tensor as usize - state.as_ptr() as usize;
    let mut changed = state.to_vec();
    changed[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
    changed
}

#[test]
fn values_that_no_training_leaves_are_refused() {
    let spec = spec();
    let good = kept(&spec);
    let changed = |name: &str, value| ResumeFiles {
        state: with_first_value(&good.state, name, value),
        ..good.clone()
    };
    let error = refused(&spec, &changed("first.model.norm.weight", f32::NAN));
    assert!(matches!(
        error,
        StateError::File(CheckpointError::File(TensorFileError {
            file: "training.safetensors",
            problem: TensorFileProblem::NotFinite { .. }
        }))
    ));
    let error = refused(&spec, &changed("second.lm_head.weight", f32::INFINITY));
    assert!(matches!(
        error,
        StateError::File(CheckpointError::File(TensorFileError {
            file: "training.safetensors",
            problem: TensorFileProblem::NotFinite { .. }
        }))
    ));
    let error = refused(&spec, &changed("second.lm_head.weight", -1e-9));
    assert!(matches!(error, StateError::Negative { .. }), "{error}");
}

#[test]
fn a_state_of_another_model_or_step_is_refused() {
    let spec = spec();
    let good = kept(&spec);
    let mut other = spec.clone();
    other.model.layers = 1;
    let smaller = kept(&other);
    let mixed = ResumeFiles {
        state: smaller.state.clone(),
        ..good.clone()
    };
    assert!(matches!(
        refused(&spec, &mixed),
        StateError::File(CheckpointError::File(TensorFileError {
            file: "training.safetensors",
            problem: TensorFileProblem::TensorCount { .. }
        }))
    ));
    let mut short = spec.clone();
    (short.steps, short.warm_up_steps) = (1, 1);
    let error = refused(&short, &good);
    assert!(
        matches!(error, StateError::Step { steps: 1, .. }),
        "{error}"
    );
    for text in ["0", "-1", "x", "5000000000", "9223372036854775807"] {
        let trainer = Trainer::new(&spec, &Card::processor()).unwrap();
        let metadata = Some([(STEP_KEY.to_owned(), text.to_owned())].into());
        let nothing: [(&str, TensorView<'_>); 0] = [];
        let state = safetensors::serialize(nothing, metadata).unwrap();
        let read = TrainingState::read(trainer.config(), &state, &Card::processor());
        assert!(
            matches!(read, Err(StateError::Step { .. })),
            "{text} is no step to go on from"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn damaged_files_are_refused_or_read_and_never_panic(
        cut in 0_usize..200_000, place in 0_usize..200_000, byte in any::<u8>(),
    ) {
        let spec = spec();
        let config = *Trainer::new(&spec, &Card::processor()).unwrap().config();
        let mut state = kept(&spec).state;
        let length = state.len();
        state[place % length] = byte;
        if cut % 2 == 0 {
            state.truncate(cut % length);
        }
        let _either = TrainingState::read(&config, &state, &Card::processor());
    }
}

#[test]
fn integers_in_place_of_moments_are_refused_whatever_they_hold() {
    let spec = spec();
    let good = kept(&spec);
    for (dtype, value) in [("I32", i32::MAX), ("I32", -1), ("U32", 256)] {
        let header = r#""first.model.embed_tokens.weight":{"dtype":""#;
        let at = good
            .state
            .windows(header.len())
            .position(|window| window == header.as_bytes())
            .unwrap();
        let mut state = good.state.clone();
        state.splice(at + header.len()..at + header.len() + 3, dtype.bytes());
        let end = state.len() - 4;
        state.splice(end.., value.to_le_bytes());
        let error = refused(
            &spec,
            &ResumeFiles {
                state,
                ..good.clone()
            },
        );
        let words = "training.safetensors: tensor first.model.embed_tokens.weight is";
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_text_beside_the_step_is_refused() {
    let spec = spec();
    let metadata = [
        (STEP_KEY.to_owned(), "1".to_owned()),
        ("run".to_owned(), "x".to_owned()),
    ];
    let nothing: [(&str, TensorView<'_>); 0] = [];
    let state = safetensors::serialize(nothing, Some(metadata.into())).unwrap();
    let read = TrainingState::read(&ModelConfig::new(spec.model), &state, &Card::processor());
    let error = read.err().unwrap().to_string();
    assert!(
        error.ends_with("the header's texts have run, which means nothing here"),
        "{error}"
    );
}
