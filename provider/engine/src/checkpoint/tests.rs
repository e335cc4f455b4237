//! Tests of the checkpoint: there and back, and what hostile files meet.

use market::job::ModelShape;
use proptest::prelude::{any, prop, proptest};

use safetensors::tensor::SafeTensors;

use super::*;
use crate::tensor_file::{MAX_HEADER_BYTES, TensorFileProblem};
use crate::weights::initial;

const SHAPE: ModelShape = ModelShape {
    dim: 16,
    layers: 1,
    heads: 2,
    kv_heads: 1,
    ffn_dim: 24,
    vocabulary: 256,
    context: 16,
    tied_embeddings: true,
};

fn checkpoint() -> Checkpoint {
    let config = ModelConfig::new(SHAPE);
    Checkpoint::write(&config, &initial(&SHAPE, 3, &Card::processor()).unwrap()).unwrap()
}

fn read(checkpoint: &Checkpoint) -> Result<(ModelConfig, Vec<Tensor<2>>), CheckpointError> {
    checkpoint.read(&Card::processor())
}

fn problem(checkpoint: &Checkpoint) -> TensorFileProblem {
    match read(checkpoint) {
        Err(CheckpointError::File(error)) => {
            assert_eq!(error.file, "model.safetensors");
            error.problem
        }
        other => unreachable!("{other:?}"),
    }
}

/// Builds a safetensors file from a header of any content.
fn with_header(header: &str, data: &[u8]) -> Checkpoint {
    let mut weights = (header.len() as u64).to_le_bytes().to_vec();
    weights.extend_from_slice(header.as_bytes());
    weights.extend_from_slice(data);
    Checkpoint {
        weights,
        ..checkpoint()
    }
}

#[test]
fn weights_come_back_bit_for_bit() {
    let before = initial(&SHAPE, 3, &Card::processor()).unwrap();
    let (config, after) = read(&checkpoint()).unwrap();
    assert_eq!(config, ModelConfig::new(SHAPE));
    assert_eq!(before.len(), after.len());
    for (before, after) in before.into_iter().zip(after) {
        assert_eq!(before.into_data(), after.into_data());
    }
}

#[test]
fn the_file_is_the_same_every_time_and_in_the_readers_layout() {
    assert_eq!(checkpoint(), checkpoint());
    let checkpoint = checkpoint();
    let file = SafeTensors::deserialize(&checkpoint.weights).unwrap();
    let down = file.tensor("model.layers.0.mlp.down_proj.weight").unwrap();
    assert_eq!(down.shape(), [16, 24]);
    let (_, metadata) = SafeTensors::read_metadata(&checkpoint.weights).unwrap();
    let format = metadata
        .metadata()
        .as_ref()
        .and_then(|pairs| pairs.get("format"));
    assert_eq!(format.map(String::as_str), Some("pt"));
}

#[test]
fn header_lengths_that_lie_are_refused() {
    for length in [0, u64::MAX, 1 << 40, MAX_HEADER_BYTES + 1] {
        let mut hostile = checkpoint();
        hostile.weights[..8].copy_from_slice(&length.to_le_bytes());
        assert!(
            matches!(problem(&hostile), TensorFileProblem::HeaderLength { .. }),
            "{length}"
        );
    }
    for short in [0, 7, 8] {
        let mut hostile = checkpoint();
        hostile.weights.truncate(short);
        assert!(
            matches!(problem(&hostile), TensorFileProblem::HeaderLength { .. }),
            "{short}"
        );
    }
}

#[test]
fn a_configuration_for_another_model_is_refused() {
    let mut other = checkpoint();
    let deeper = ModelShape { layers: 2, ..SHAPE };
    other.config = ModelConfig::new(deeper).to_json();
    assert!(matches!(
        problem(&other),
        TensorFileProblem::TensorCount { .. }
    ));
    let wider = ModelShape {
        ffn_dim: 32,
        ..SHAPE
    };
    other.config = ModelConfig::new(wider).to_json();
    assert!(matches!(problem(&other), TensorFileProblem::Shape { .. }));
}

#[test]
fn other_types_and_values_that_are_no_numbers_are_refused() {
    let good = checkpoint();
    let file = SafeTensors::deserialize(&good.weights).unwrap();
    let mut views: Vec<(String, TensorView<'_>)> = file.tensors();
    let half = TensorView::new(Dtype::F16, vec![16], &[0; 32]).unwrap();
    for (name, view) in &mut views {
        if name == "model.norm.weight" {
            *view = half.clone();
        }
    }
    let hostile = Checkpoint {
        weights: safetensors::serialize(views, None).unwrap(),
        ..good.clone()
    };
    assert!(matches!(problem(&hostile), TensorFileProblem::Type { .. }));
    let mut hostile = good;
    let last = hostile.weights.len() - 4;
    hostile.weights[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(matches!(
        problem(&hostile),
        TensorFileProblem::NotFinite { .. }
    ));
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let hostile = Checkpoint { weights: bytes, ..checkpoint() };
        assert!(read(&hostile).is_err());
    }

    #[test]
    fn random_headers_never_panic(header in "[\\[\\]{}\":,a-zA-Z0-9_]{0,200}") {
        assert!(read(&with_header(&header, &[0; 16])).is_err());
    }

    #[test]
    fn a_changed_header_byte_never_panics(at in 0_usize..1_200, value: u8) {
        let mut hostile = checkpoint();
        hostile.weights[at] = value;
        let _ = read(&hostile);
    }
}
