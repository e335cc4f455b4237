//! Owns the checkpoint: `model.safetensors` and `config.json` in Hugging Face's layout, both ways.
//!
//! Reading treats both files as hostile: the header's length, every name, shape, type and offset are
//! compared with what the configuration asks for before a single weight is copied. Never opens a file.

use burn::tensor::{Device, Tensor, TensorData};
use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, TensorView};

use crate::config::{ConfigError, ModelConfig};
use crate::weights::{Slot, slots};

/// The most bytes that the header of a safetensors file may have; ours needs 120 a tensor.
const MAX_HEADER_BYTES: u64 = 1 << 20;

/// Bytes of one f32.
const NUMBER_BYTES: usize = 4;

/// The two files of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// `config.json`.
    pub config: Vec<u8>,
    /// `model.safetensors`.
    pub weights: Vec<u8>,
}

/// Why a checkpoint is refused.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The header is longer than the file or than any header needs to be.
    #[error("the safetensors header says {length} bytes; the file has {available} for it")]
    Header {
        /// What the first eight bytes say.
        length: u64,
        /// What there is, at most 1 MiB.
        available: u64,
    },
    /// The file is not in safetensors form.
    #[error("not a safetensors file: {0}")]
    Format(#[from] SafeTensorError),
    /// The file has more or fewer tensors than the configuration asks for.
    #[error("{actual} tensors, but config.json asks for {expected}")]
    TensorCount {
        /// Tensors in the file.
        actual: usize,
        /// Tensors of the model.
        expected: usize,
    },
    /// A tensor has another shape than the configuration asks for.
    #[error("tensor {name} has shape {actual:?}, but config.json asks for {expected:?}")]
    Shape {
        /// The tensor.
        name: String,
        /// Its shape in the file.
        actual: Vec<usize>,
        /// The shape it must have.
        expected: Vec<usize>,
    },
    /// A tensor is not in 32-bit floats.
    #[error("tensor {name} is {actual:?}; this engine reads F32")]
    Type {
        /// The tensor.
        name: String,
        /// Its type in the file.
        actual: Dtype,
    },
    /// A weight is not a finite number.
    #[error("tensor {name} holds a value that is not finite")]
    NotFinite {
        /// The tensor.
        name: String,
    },
    /// The weights could not be read back from the device.
    #[error("the device did not return the weights: {0}")]
    Device(String),
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

    /// Checks both files and only then copies the weights to `device`, in the order of [`slots`].
    pub(crate) fn read(
        &self,
        device: &Device,
    ) -> Result<(ModelConfig, Vec<Tensor<2>>), CheckpointError> {
        let config = ModelConfig::from_json(&self.config)?;
        let weights = read_weights(&config, &self.weights, device)?;
        Ok((config, weights))
    }
}

/// Checks a weights file against a configuration and only then copies the weights, in the order of [`slots`].
pub(crate) fn read_weights(
    config: &ModelConfig,
    bytes: &[u8],
    device: &Device,
) -> Result<Vec<Tensor<2>>, CheckpointError> {
    let slots = slots(&config.shape);
    let file = parse(bytes, &slots)?;
    let mut weights = Vec::with_capacity(slots.len());
    for slot in &slots {
        weights.push(load(slot, &file.tensor(&slot.name)?, device)?);
    }
    Ok(weights)
}

/// Checks the header against the expected tensors; copies nothing.
fn parse<'data>(bytes: &'data [u8], slots: &[Slot]) -> Result<SafeTensors<'data>, CheckpointError> {
    check_header_length(bytes)?;
    let file = SafeTensors::deserialize(bytes)?;
    if file.len() != slots.len() {
        return Err(CheckpointError::TensorCount {
            actual: file.len(),
            expected: slots.len(),
        });
    }
    for slot in slots {
        check_tensor(slot, &file.tensor(&slot.name)?)?;
    }
    Ok(file)
}

pub(crate) fn check_header_length(bytes: &[u8]) -> Result<(), CheckpointError> {
    let (length, rest) = match bytes.split_first_chunk::<8>() {
        Some((length, rest)) => (u64::from_le_bytes(*length), rest.len() as u64),
        None => (0, 0),
    };
    let available = rest.min(MAX_HEADER_BYTES);
    if length == 0 || length > available {
        return Err(CheckpointError::Header { length, available });
    }
    Ok(())
}

fn check_tensor(slot: &Slot, view: &TensorView<'_>) -> Result<(), CheckpointError> {
    if view.dtype() != Dtype::F32 {
        return Err(CheckpointError::Type {
            name: slot.name.clone(),
            actual: view.dtype(),
        });
    }
    let expected = slot.file_shape();
    if view.shape() != expected {
        return Err(CheckpointError::Shape {
            name: slot.name.clone(),
            actual: view.shape().to_vec(),
            expected,
        });
    }
    Ok(())
}

/// Copies one tensor whose type and shape are already checked.
fn load(slot: &Slot, view: &TensorView<'_>, device: &Device) -> Result<Tensor<2>, CheckpointError> {
    let values = from_bytes(view.data());
    if !values.iter().all(|value| value.is_finite()) {
        return Err(CheckpointError::NotFinite {
            name: slot.name.clone(),
        });
    }
    let [rows, columns] = slot.shape;
    let ordered = slot.reorder(values, [columns, rows]);
    Ok(Tensor::from_data(
        TensorData::new(ordered, slot.shape),
        device,
    ))
}

/// Returns one weight's bytes as they stand in the file.
fn file_bytes(slot: &Slot, weight: &Tensor<2>) -> Result<Vec<u8>, CheckpointError> {
    Ok(to_bytes(&slot.reorder(values_of(weight)?, slot.shape)))
}

/// Brings a tensor's values back from the device, in its own order.
pub(crate) fn values_of(tensor: &Tensor<2>) -> Result<Vec<f32>, CheckpointError> {
    let data = tensor.try_to_data();
    let data = data.map_err(|error| CheckpointError::Device(error.to_string()))?;
    let values = data.try_into_vec::<f32>();
    values.map_err(|error| CheckpointError::Device(error.to_string()))
}

/// Returns the values as a file holds them.
pub(crate) fn to_bytes(values: &[f32]) -> Vec<u8> {
    let bytes = values.iter().flat_map(|value| value.to_le_bytes());
    bytes.collect()
}

/// Returns the values that a file holds; bytes after the last whole one are left out.
pub(crate) fn from_bytes(bytes: &[u8]) -> Vec<f32> {
    let (chunks, _) = bytes.as_chunks::<NUMBER_BYTES>();
    chunks
        .iter()
        .map(|chunk| f32::from_le_bytes(*chunk))
        .collect()
}

#[cfg(test)]
mod tests;
