//! Owns the training's state: what going on exactly needs beside the weights, as one file, both ways.
//!
//! It holds AdamW's two moments of every weight and the step after which they were taken; the batches follow
//! from the job's seed and the step. Reading treats the file as hostile: names, shapes, types, the step and
//! every value are checked before anything reaches a device. Never opens a file.

use burn::optim::AdamWState;
use burn::optim::AdaptiveMomentumState;
use burn::tensor::{Device, Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use crate::checkpoint::{CheckpointError, check_header_length, from_bytes, to_bytes, values_of};
use crate::config::ModelConfig;
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
            let bytes = to_bytes(&values_of(moment)?);
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
        device: &Device,
    ) -> Result<Self, StateError> {
        check_header_length(bytes)?;
        let step = step_of(bytes)?;
        let slots = slots(&config.shape);
        let file = SafeTensors::deserialize(bytes).map_err(CheckpointError::from)?;
        if file.len() != 2 * slots.len() {
            let error = CheckpointError::TensorCount {
                actual: file.len(),
                expected: 2 * slots.len(),
            };
            return Err(error.into());
        }
        let mut checked = Vec::with_capacity(slots.len());
        for slot in &slots {
            let [first, second] = MOMENTS.map(|prefix| values(&file, prefix, slot));
            let (first, second) = (first?, second?);
            if second.iter().any(|value| *value < 0.0) {
                let name = format!("{}{}", MOMENTS[1], slot.name);
                return Err(StateError::Negative { name });
            }
            checked.push((slot.shape, first, second));
        }
        let upload = |values: Vec<f32>, shape: [usize; 2]| -> Tensor<2> {
            Tensor::from_data(TensorData::new(values, shape), device)
        };
        let moments = checked.into_iter().map(|(shape, first, second)| {
            let (first, second) = (upload(first, shape), upload(second, shape));
            AdamWState::new(AdaptiveMomentumState::new(step as usize, first, second))
        });
        Ok(Self {
            step,
            moments: moments.collect(),
        })
    }
}

/// Reads the step from the file's metadata: a number from 1.
fn step_of(bytes: &[u8]) -> Result<u32, StateError> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(CheckpointError::from)?;
    let said = metadata
        .metadata()
        .as_ref()
        .and_then(|entries| entries.get(STEP_KEY));
    let step = said.and_then(|text| text.parse().ok());
    step.filter(|step| *step > 0)
        .ok_or_else(|| StateError::Step {
            step: said.map_or_else(String::new, |text| text.chars().take(20).collect()),
            steps: 0,
        })
}

/// Returns one moment's values, once its type, its shape and every value are checked.
fn values(file: &SafeTensors<'_>, prefix: &str, slot: &Slot) -> Result<Vec<f32>, CheckpointError> {
    let name = format!("{prefix}{}", slot.name);
    let view = file.tensor(&name)?;
    if view.dtype() != Dtype::F32 {
        let actual = view.dtype();
        return Err(CheckpointError::Type { name, actual });
    }
    if view.shape() != slot.shape {
        return Err(CheckpointError::Shape {
            name,
            actual: view.shape().to_vec(),
            expected: slot.shape.to_vec(),
        });
    }
    let values = from_bytes(view.data());
    if !values.iter().all(|value| value.is_finite()) {
        return Err(CheckpointError::NotFinite { name });
    }
    Ok(values)
}

#[cfg(test)]
mod tests;
