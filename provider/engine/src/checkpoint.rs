//! Owns the checkpoint: `model.safetensors` and `config.json` in Hugging Face's layout, both ways.
//!
//! Reading treats both files as hostile: what the configuration asks for is compared with everything that the weights
//! file says of itself before a single weight is copied. Never opens a file.

use burn::tensor::Tensor;
use market::job::CheckpointFile;
use safetensors::tensor::{Dtype, SafeTensorError, TensorView};

use crate::card::{Card, CardError};
use crate::config::{ConfigError, ModelConfig};
use crate::tensor_file::{Expected, TensorFile, TensorFileError, to_bytes};
use crate::weights::{Slot, slots};

/// The two files of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// `config.json`.
    pub config: Vec<u8>,
    /// `model.safetensors`.
    pub weights: Vec<u8>,
}

/// Why a checkpoint is refused, or could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The weights file is refused.
    #[error(transparent)]
    File(#[from] TensorFileError),
    /// The weights could not be written in the file's form.
    #[error("the weights could not be written: {0}")]
    Write(#[from] SafeTensorError),
    /// The card has no room for the weights, or did not return them.
    #[error(transparent)]
    Card(#[from] CardError),
}

impl Checkpoint {
    /// Writes weights, which are in the order of [`slots`].
    pub(crate) fn write(
        config: &ModelConfig,
        weights: &[Tensor<2>],
    ) -> Result<Self, CheckpointError> {
        let slots = slots(&config.shape);
        debug_assert_eq!(slots.len(), weights.len());
        let mut contents = Vec::with_capacity(slots.len());
        for (slot, weight) in slots.iter().zip(weights) {
            contents.push((slot, file_bytes(slot, weight)?));
        }
        let mut views = Vec::with_capacity(slots.len());
        for (slot, bytes) in &contents {
            let view = TensorView::new(Dtype::F32, slot.file_shape(), bytes)?;
            views.push((slot.name.as_str(), view));
        }
        let format = [("format".to_owned(), "pt".to_owned())].into();
        Ok(Self {
            config: config.to_json(),
            weights: safetensors::serialize(views, Some(format))?,
        })
    }

    /// Checks both files and only then copies the weights to the card, in the order of [`slots`].
    #[cfg(test)]
    pub(crate) fn read(
        &self,
        card: &Card,
    ) -> Result<(ModelConfig, Vec<Tensor<2>>), CheckpointError> {
        let config = ModelConfig::from_json(&self.config)?;
        let weights = read_weights(&config, &self.weights, card)?;
        Ok((config, weights))
    }
}

/// Checks a weights file against a configuration and only then copies the weights, in the order of [`slots`].
pub(crate) fn read_weights(
    config: &ModelConfig,
    bytes: &[u8],
    card: &Card,
) -> Result<Vec<Tensor<2>>, CheckpointError> {
    let slots = slots(&config.shape);
    let file = TensorFile::parse(CheckpointFile::Weights.file_name(), bytes)?;
    let expected = slots.iter().map(|slot| Expected {
        name: slot.name.clone(),
        shape: slot.file_shape(),
    });
    file.check(&expected.collect::<Vec<_>>())?;
    let load = |slot: &Slot| {
        let [rows, columns] = slot.shape;
        let values = slot.reorder(file.values(&slot.name)?, [columns, rows]);
        Ok(card.upload(values, slot.shape)?)
    };
    slots.iter().map(load).collect()
}

/// Returns one weight's bytes as they stand in the file.
fn file_bytes(slot: &Slot, weight: &Tensor<2>) -> Result<Vec<u8>, CheckpointError> {
    Ok(to_bytes(&slot.reorder(values_of(weight)?, slot.shape)))
}

/// Brings a tensor's values back from the card, in its own order.
pub(crate) fn values_of(tensor: &Tensor<2>) -> Result<Vec<f32>, CardError> {
    let data = tensor.try_to_data()?;
    data.try_into_vec::<f32>().map_err(CardError::failed)
}

#[cfg(test)]
mod tests;
