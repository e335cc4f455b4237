//! Tests of the weights' layout and start.

use super::*;

/// Two layers, so that layer numbers matter; untied, so that there is a head.
const SHAPE: ModelShape = ModelShape {
    dim: 16,
    layers: 2,
    heads: 4,
    kv_heads: 2,
    ffn_dim: 24,
    vocabulary: 256,
    context: 32,
    tied_embeddings: false,
};

/// Names and shapes as the reference implementation of Llama writes them, by hand.
const FILE_LAYOUT: [(&str, &[usize]); 12] = [
    ("model.embed_tokens.weight", &[256, 16]),
    ("model.layers.0.input_layernorm.weight", &[16]),
    ("model.layers.0.self_attn.q_proj.weight", &[16, 16]),
    ("model.layers.0.self_attn.k_proj.weight", &[8, 16]),
    ("model.layers.0.self_attn.v_proj.weight", &[8, 16]),
    ("model.layers.0.self_attn.o_proj.weight", &[16, 16]),
    ("model.layers.0.post_attention_layernorm.weight", &[16]),
    ("model.layers.0.mlp.gate_proj.weight", &[24, 16]),
    ("model.layers.0.mlp.up_proj.weight", &[24, 16]),
    ("model.layers.0.mlp.down_proj.weight", &[16, 24]),
    ("model.norm.weight", &[16]),
    ("lm_head.weight", &[256, 16]),
];

#[test]
fn names_and_shapes_are_those_of_the_reference_layout() {
    let slots = slots(&SHAPE);
    assert_eq!(slots.len(), 1 + 2 * LAYER_WEIGHTS + 2);
    for (name, shape) in FILE_LAYOUT {
        let slot = slots.iter().find(|slot| slot.name == name).unwrap();
        assert_eq!(slot.file_shape(), shape, "{name}");
    }
    assert!(
        slots
            .iter()
            .any(|slot| slot.name == "model.layers.1.mlp.down_proj.weight")
    );
}

#[test]
fn tied_embeddings_have_no_head_of_their_own() {
    let tied = ModelShape {
        tied_embeddings: true,
        ..SHAPE
    };
    assert!(
        slots(&tied)
            .iter()
            .all(|slot| slot.name != "lm_head.weight")
    );
}

#[test]
fn elements_add_up_to_the_shapes_parameters() {
    for shape in [SHAPE, ModelShape::DEMO_1M, ModelShape::SMALL_10M] {
        let elements: usize = slots(&shape).iter().map(Slot::elements).sum();
        assert_eq!(elements as u64, shape.parameters());
    }
}

#[test]
fn projections_are_transposed_on_the_way_to_a_file_and_back() {
    let slot = Slot::new("w", Role::Projection, [2, 3]);
    let memory = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let file = slot.reorder(memory.clone(), [2, 3]);
    assert_eq!(file, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
    assert_eq!(slot.reorder(file, [3, 2]), memory);
}

fn values(seed: u64) -> Vec<Vec<f32>> {
    let weights = initial(&SHAPE, seed, &Card::processor()).unwrap();
    let data = weights.into_iter().map(|weight| weight.into_data());
    data.map(|data| data.iter::<f32>().collect()).collect()
}

#[test]
fn the_seed_alone_decides_the_first_weights() {
    assert_eq!(values(1), values(1));
    assert_ne!(values(1), values(2));
}

#[test]
fn the_first_weights_have_the_stated_deviation() {
    let first = values(3);
    let table = &first[0];
    let mean = table.iter().sum::<f32>() / table.len() as f32;
    let variance = table
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f32>();
    let deviation = (variance / table.len() as f32).sqrt();
    assert!(mean.abs() < 0.002, "mean {mean}");
    assert!((deviation - 0.02).abs() < 0.002, "deviation {deviation}");
    assert!(
        first[1]
            .iter()
            .all(|&gain| gain.to_bits() == 1.0_f32.to_bits())
    );
}
