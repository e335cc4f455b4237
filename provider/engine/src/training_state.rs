//! Owns the training's state: what going on exactly needs beside the weights, as one file, both ways.
//!
//! It holds AdamW's two moments of every weight and the step after which they were taken; the batches follow
//! from the job's seed and the step. Reading treats the file as hostile: names, shapes, types, the step and
//! every value are checked before anything reaches a device. Never opens a file.

use burn::optim::AdamWState;
use burn::optim::AdaptiveMomentumState;
use burn::tensor::Tensor;
use market::job::CheckpointFile;
use safetensors::tensor::{Dtype, TensorView};

use crate::card::Card;
use crate::checkpoint::{CheckpointError, values_of};
use crate::config::ModelConfig;
use crate::tensor_file::{Expected, TensorFile, to_bytes};
use crate::weights::{Slot, slots};

/// The key of the step in the file's metadata; the number in it is the form's version. There is no second key:
/// their order in the file would differ from run to run.
const STEP_KEY: &str = "nightshift-training-1-step";

/// What stands before a weight's name for its two moments.
const MOMENTS: [&str; 2] = ["first.", "second."];

/// The two files that a training goes on from, as they arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResumeFiles {
    /// `model.safetensors`.
    pub(crate) weights: Vec<u8>,
    /// `training.safetensors`.
    pub(crate) state: Vec<u8>,
}

/// Why a training's state is refused, or could not be written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The file, or the weights beside it, are not what the job's model asks for.
    #[error("the checkpoint to go on from: {0}")]
    File(#[from] CheckpointError),
    /// The step is missing, no number, or not one that can be gone on from.
    #[error(
        "the checkpoint to go on from says step {step:?}; a job of {steps} steps goes on from 1 to {}",
        steps.saturating_sub(1)
    )]
    Step {
        /// What the file says.
        step: String,
        /// Steps of the job; 0 where the file itself is at fault.
        steps: u32,
    },
    /// A second moment, a mean of squares, is below zero.
    #[error("the checkpoint to go on from: {name} holds a negative mean of squares")]
    Negative {
        /// The tensor.
        name: String,
    },
    /// A weight was never moved, so that there is nothing to keep for it.
    #[error("the weight {name} has no moments after {step} steps")]
    NoMoments {
        /// The weight.
        name: String,
        /// Steps made.
        step: u32,
    },
}

/// A training's state on a device.
pub(crate) struct TrainingState {
    /// The step after which it was taken, from 1.
    pub(crate) step: u32,
    /// The moments, in the order of [`slots`].
    pub(crate) moments: Vec<AdamWState<2>>,
}

/// Writes the moments, which are in the order of [`slots`], as they are after `step`.
pub(crate) fn write(
    config: &ModelConfig,
    moments: &[Option<AdamWState<2>>],
    step: u32,
) -> Result<Vec<u8>, StateError> {
    let slots = slots(&config.shape);
    debug_assert_eq!(slots.len(), moments.len());
    let mut contents = Vec::with_capacity(2 * slots.len());
    for (slot, state) in slots.iter().zip(moments) {
        let Some(AdamWState { momentum }) = state else {
            let name = slot.name.clone();
            return Err(StateError::NoMoments { name, step });
        };
        for (prefix, moment) in MOMENTS.iter().zip([&momentum.moment_1, &momentum.moment_2]) {
            let values = values_of(moment).map_err(CheckpointError::from)?;
            let bytes = to_bytes(&values);
            contents.push((format!("{prefix}{}", slot.name), slot.shape, bytes));
        }
    }
    let mut views = Vec::with_capacity(contents.len());
    for (name, shape, bytes) in &contents {
        let view = TensorView::new(Dtype::F32, shape.to_vec(), bytes);
        views.push((name.as_str(), view.map_err(CheckpointError::from)?));
    }
    let metadata = [(STEP_KEY.to_owned(), step.to_string())].into();
    let file = safetensors::serialize(views, Some(metadata));
    Ok(file.map_err(CheckpointError::from)?)
}

impl TrainingState {
    /// Checks the whole file against the model and only then copies the moments to `device`.
    pub(crate) fn read(
        config: &ModelConfig,
        bytes: &[u8],
        card: &Card,
    ) -> Result<Self, StateError> {
        let name = CheckpointFile::State.file_name();
        let file = TensorFile::parse(name, bytes).map_err(CheckpointError::from)?;
        file.check_texts(&[STEP_KEY])
            .map_err(CheckpointError::from)?;
        let step = step_of(&file)?;
        let slots = slots(&config.shape);
        let expected = slots.iter().flat_map(|slot| {
            MOMENTS.map(|prefix| Expected {
                name: format!("{prefix}{}", slot.name),
                shape: slot.shape.to_vec(),
            })
        });
        let expected: Vec<Expected> = expected.collect();
        file.check(&expected).map_err(CheckpointError::from)?;
        let mut checked = Vec::with_capacity(slots.len());
        for slot in &slots {
            checked.push((slot.shape, moments_of(&file, slot)?));
        }
        let mut moments = Vec::with_capacity(checked.len());
        for (shape, [first, second]) in checked {
            let (first, second) = (upload(card, first, shape)?, upload(card, second, shape)?);
            let momentum = AdaptiveMomentumState::new(step as usize, first, second);
            moments.push(AdamWState::new(momentum));
        }
        Ok(Self { step, moments })
    }
}

fn upload(card: &Card, values: Vec<f32>, shape: [usize; 2]) -> Result<Tensor<2>, StateError> {
    let uploaded = card.upload(values, shape);
    Ok(uploaded.map_err(CheckpointError::from)?)
}

/// Returns a weight's two moments, once every value of both is checked.
fn moments_of(file: &TensorFile<'_>, slot: &Slot) -> Result<[Vec<f32>; 2], StateError> {
    let [first, second] = MOMENTS.map(|prefix| file.values(&format!("{prefix}{}", slot.name)));
    let first = first.map_err(CheckpointError::from)?;
    let second = second.map_err(CheckpointError::from)?;
    if second.iter().any(|value| *value < 0.0) {
        let name = format!("{}{}", MOMENTS[1], slot.name);
        return Err(StateError::Negative { name });
    }
    Ok([first, second])
}

/// Reads the step from the file's texts: a number from 1.
fn step_of(file: &TensorFile<'_>) -> Result<u32, StateError> {
    let said = file.text(STEP_KEY);
    let step = said.and_then(|text| text.parse().ok());
    step.filter(|step| *step > 0)
        .ok_or_else(|| StateError::Step {
            step: said.map_or_else(String::new, |text| text.chars().take(20).collect()),
            steps: 0,
        })
}

#[cfg(test)]
mod tests;
