//! Tests of the decoder's arithmetic on the processor.

use market::job::ModelShape;

use super::*;
use crate::card::Card;
use crate::positions::PositionTables;
use crate::weights::{initial, slots};
use burn::tensor::{Device, TensorData};

fn shape(kv_heads: u32, tied_embeddings: bool) -> ModelShape {
    ModelShape {
        dim: 32,
        layers: 2,
        heads: 4,
        kv_heads,
        ffn_dim: 48,
        vocabulary: 256,
        context: 24,
        tied_embeddings,
    }
}

/// Weights that are large enough for attention to matter.
fn loud_weights(shape: &ModelShape) -> Vec<Tensor<2>> {
    let weights = initial(shape, 5, &Card::processor()).unwrap();
    let loud = weights.into_iter().zip(slots(shape)).map(|(weight, slot)| {
        let gain = if slot.shape[0] == 1 { 1.0 } else { 8.0 };
        weight.mul_scalar(gain)
    });
    loud.collect()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

fn assert_close(left: &[f32], right: &[f32], tolerance: f32) {
    assert_eq!(left.len(), right.len());
    for (index, (left, right)) in left.iter().zip(right).enumerate() {
        assert!(
            (left - right).abs() <= tolerance,
            "{index}: {left} and {right}"
        );
    }
}

fn full_logits(config: &ModelConfig, weights: &[Tensor<2>], tokens: &[i64]) -> Vec<f32> {
    let decoder = Decoder { config, weights };
    let positions = PositionTables::new(config, &Card::processor())
        .unwrap()
        .stretch(0, tokens.len())
        .unwrap();
    let batch = TokenBatch::new(tokens, tokens.len(), 256).unwrap();
    values(decoder.logits(&batch, &positions, None).unwrap())
}

const TOKENS: [i64; 12] = [72, 101, 0, 255, 108, 111, 44, 32, 9, 200, 33, 7];

#[test]
fn decoding_with_a_cache_gives_the_scores_of_a_full_pass() {
    for (kv_heads, tied) in [(4, true), (2, false), (1, true)] {
        let config = ModelConfig::new(shape(kv_heads, tied));
        let weights = loud_weights(&config.shape);
        let expected = full_logits(&config, &weights, &TOKENS);
        let decoder = Decoder {
            config: &config,
            weights: &weights,
        };
        let tables = PositionTables::new(&config, &Card::processor()).unwrap();
        let mut cache = Cache::new(&config, TOKENS.len());
        let mut found = Vec::new();
        // Pieces of several tokens after the first need a mask that starts in the middle.
        for piece in [
            &TOKENS[..3],
            &TOKENS[3..8],
            &TOKENS[8..9],
            &TOKENS[9..10],
            &TOKENS[10..],
        ] {
            let positions = tables.stretch(cache.length(), piece.len()).unwrap();
            let batch = TokenBatch::new(piece, piece.len(), 256).unwrap();
            found.extend(values(
                decoder
                    .logits(&batch, &positions, Some(&mut cache))
                    .unwrap(),
            ));
        }
        assert_close(&found, &expected, 1e-4);
    }
}

#[test]
fn a_token_never_sees_what_follows_it() {
    let config = ModelConfig::new(shape(2, true));
    let weights = loud_weights(&config.shape);
    let mut changed = TOKENS;
    changed[7] = 199;
    let before = full_logits(&config, &weights, &TOKENS);
    let after = full_logits(&config, &weights, &changed);
    assert_eq!(before[..7 * 256], after[..7 * 256]);
    assert_ne!(before[7 * 256..8 * 256], after[7 * 256..8 * 256]);
    assert_ne!(before[11 * 256..], after[11 * 256..]);
}

#[test]
fn rows_of_a_batch_do_not_influence_each_other() {
    let config = ModelConfig::new(shape(2, true));
    let weights = loud_weights(&config.shape);
    let decoder = Decoder {
        config: &config,
        weights: &weights,
    };
    let positions = PositionTables::new(&config, &Card::processor())
        .unwrap()
        .stretch(0, 6)
        .unwrap();
    let batch = TokenBatch::new(&TOKENS, 6, 256).unwrap();
    let together = values(decoder.logits(&batch, &positions, None).unwrap());
    let mut apart = full_logits(&config, &weights, &TOKENS[..6]);
    apart.extend(full_logits(&config, &weights, &TOKENS[6..]));
    assert_close(&together, &apart, 1e-4);
}

/// The rotary turn, attention and norms, written out once more with plain loops, for one layer's
/// first head group: a reference that shares no code with the decoder.
mod reference {
    /// Turns a head to a position in the half-split form.
    pub(super) fn turn(head: &[f32], position: usize) -> Vec<f32> {
        let half = head.len() / 2;
        let mut turned = vec![0.0; head.len()];
        for i in 0..half {
            let angle = position as f64 * 10_000_f64.powf(-(i as f64) / half as f64);
            let (sine, cosine) = (angle.sin() as f32, angle.cos() as f32);
            turned[i] = head[i] * cosine - head[i + half] * sine;
            turned[i + half] = head[i + half] * cosine + head[i] * sine;
        }
        turned
    }
}

#[test]
fn positions_turn_heads_as_the_reference_does() {
    let config = ModelConfig::new(shape(2, true));
    let tables = PositionTables::new(&config, &Card::processor()).unwrap();
    let (length, heads, head_dim) = (5, 4, 8);
    let flat: Vec<f32> = (0..length * heads * head_dim)
        .map(|i| (i as f32 * 0.37).sin())
        .collect();
    let shape = [1, length, heads, head_dim];
    let tensor = Tensor::from_data(TensorData::new(flat.clone(), shape), &Device::flex());
    let turned = values(tables.stretch(3, length).unwrap().turn_keys(tensor));
    for (row, head) in flat.chunks(head_dim).enumerate() {
        let expected = reference::turn(head, 3 + row / heads);
        assert_close(
            &turned[row * head_dim..(row + 1) * head_dim],
            &expected,
            1e-5,
        );
    }
}

#[test]
fn attention_weighs_values_as_written_out_by_hand() {
    let config = ModelConfig::new(shape(2, true));
    let weights = loud_weights(&config.shape);
    let decoder = Decoder {
        config: &config,
        weights: &weights,
    };
    let (length, head_dim) = (4, 8);
    let wave = |seed: f32, heads: usize| -> Vec<f32> {
        (0..heads * length * head_dim)
            .map(|i| (i as f32 * seed).sin())
            .collect()
    };
    let (q, k, v) = (wave(0.7, 4), wave(1.3, 2), wave(0.9, 2));
    let tensor = |flat: &[f32], heads: usize| -> Tensor<4> {
        let shape = [1, heads, length, head_dim];
        Tensor::from_data(TensorData::new(flat.to_vec(), shape), &Device::flex())
    };
    let positions = PositionTables::new(&config, &Card::processor())
        .unwrap()
        .stretch(0, length)
        .unwrap();
    let heads = [tensor(&q, 4), tensor(&k, 2), tensor(&v, 2)];
    let found = values(decoder.attend(heads, &positions, None, 0));
    let row = |flat: &[f32], head: usize, position: usize| -> Vec<f32> {
        let start = (head * length + position) * head_dim;
        flat[start..start + head_dim].to_vec()
    };
    for head in 0..4 {
        for position in 0..length {
            let query = row(&q, head, position);
            // Query heads 0 and 1 share key head 0; 2 and 3 share key head 1.
            let score = |key: usize| -> f32 {
                row(&k, head / 2, key)
                    .iter()
                    .zip(&query)
                    .map(|(a, b)| a * b)
                    .sum()
            };
            let exponents: Vec<f32> = (0..=position).map(|key| score(key).exp()).collect();
            let total: f32 = exponents.iter().sum();
            for dimension in 0..head_dim {
                let mixed = |key: usize| row(&v, head / 2, key)[dimension];
                let expected: f32 = (0..=position)
                    .map(|key| exponents[key] / total * mixed(key))
                    .sum();
                let actual = found[position * 32 + head * head_dim + dimension];
                assert!(
                    (actual - expected).abs() < 1e-5,
                    "{head} {position} {dimension}"
                );
            }
        }
    }
}

#[test]
fn the_norm_divides_by_the_root_of_the_mean_square() {
    let config = ModelConfig::new(shape(2, true));
    let decoder = Decoder {
        config: &config,
        weights: &[],
    };
    let device = Device::flex();
    let rows = Tensor::from_data(TensorData::new(vec![3.0_f32, 4.0], [1, 2]), &device);
    let gain = Tensor::from_data(TensorData::new(vec![1.0_f32, 2.0], [1, 2]), &device);
    let root = 12.5_f32.sqrt();
    assert_close(
        &values(decoder.norm(rows, &gain)),
        &[3.0 / root, 8.0 / root],
        1e-5,
    );
}
