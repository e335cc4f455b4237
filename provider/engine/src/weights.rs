//! Owns a model's weights: their order, their names and shapes in Hugging Face's layout, and their start.
//!
//! In memory every weight is a matrix: tables as `[tokens, dim]`, projections as `[in, out]` (the file
//! has `[out, in]`), norms as `[1, dim]`. Never decides how weights are used.

use burn::tensor::Tensor;
use market::job::ModelShape;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::card::{Card, CardError};

/// Standard deviation of the first weights, as in GPT-2 and Llama.
const INITIAL_DEVIATION: f64 = 0.02;

/// Weights of a decoder layer.
pub(crate) const LAYER_WEIGHTS: usize = 9;

/// What a weight is, which decides its form in a file, its start and its decay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// A row for each token; `[tokens, dim]` in memory and in the file.
    Table,
    /// A projection; `[in, out]` in memory, `[out, in]` in the file.
    Projection,
    /// A projection back into the residual stream, which starts smaller.
    ResidualProjection,
    /// A norm's gain; `[1, dim]` in memory, `[dim]` in the file.
    Norm,
}

/// One weight's name in the file, its role and its shape in memory.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) shape: [usize; 2],
}

impl Slot {
    fn new(name: impl Into<String>, role: Role, shape: [u32; 2]) -> Self {
        Self {
            name: name.into(),
            role,
            shape: shape.map(|size| size as usize),
        }
    }

    /// Returns the shape in the file.
    pub(crate) fn file_shape(&self) -> Vec<usize> {
        let [rows, columns] = self.shape;
        match self.role {
            Role::Table => vec![rows, columns],
            Role::Projection | Role::ResidualProjection => vec![columns, rows],
            Role::Norm => vec![columns],
        }
    }

    /// Returns the number of its elements.
    pub(crate) fn elements(&self) -> usize {
        self.shape[0] * self.shape[1]
    }

    /// Turns values from memory order into file order, or back when `shape` is the file's.
    pub(crate) fn reorder(&self, values: Vec<f32>, shape: [usize; 2]) -> Vec<f32> {
        match self.role {
            Role::Table | Role::Norm => values,
            Role::Projection | Role::ResidualProjection => transposed(&values, shape),
        }
    }
}

/// Returns the transpose of a row-major matrix.
fn transposed(values: &[f32], [rows, columns]: [usize; 2]) -> Vec<f32> {
    debug_assert_eq!(values.len(), rows * columns);
    let mut result = Vec::with_capacity(values.len());
    for column in 0..columns {
        result.extend(values.iter().skip(column).step_by(columns.max(1)));
    }
    result
}

/// Lists the weights of a model: embedding, nine for each layer, last norm, and a head unless tied.
pub(crate) fn slots(shape: &ModelShape) -> Vec<Slot> {
    let table = [shape.vocabulary, shape.dim];
    let mut slots = vec![Slot::new("model.embed_tokens.weight", Role::Table, table)];
    for layer in 0..shape.layers {
        slots.extend(layer_slots(shape, layer));
    }
    slots.push(Slot::new("model.norm.weight", Role::Norm, [1, shape.dim]));
    if !shape.tied_embeddings {
        slots.push(Slot::new("lm_head.weight", Role::Table, table));
    }
    slots
}

fn layer_slots(shape: &ModelShape, layer: u32) -> [Slot; LAYER_WEIGHTS] {
    let (dim, ffn, kv) = (shape.dim, shape.ffn_dim, shape.kv_width());
    let slot = |name: &str, role: Role, shape: [u32; 2]| {
        Slot::new(format!("model.layers.{layer}.{name}.weight"), role, shape)
    };
    [
        slot("input_layernorm", Role::Norm, [1, dim]),
        slot("self_attn.q_proj", Role::Projection, [dim, dim]),
        slot("self_attn.k_proj", Role::Projection, [dim, kv]),
        slot("self_attn.v_proj", Role::Projection, [dim, kv]),
        slot("self_attn.o_proj", Role::ResidualProjection, [dim, dim]),
        slot("post_attention_layernorm", Role::Norm, [1, dim]),
        slot("mlp.gate_proj", Role::Projection, [dim, ffn]),
        slot("mlp.up_proj", Role::Projection, [dim, ffn]),
        slot("mlp.down_proj", Role::ResidualProjection, [ffn, dim]),
    ]
}

/// Draws the first weights on the processor, so that they are the same on every device.
///
/// Gains start at 1, all else is normal with a deviation of 0.02, divided by `sqrt(2 * layers)` where
/// the result is added to the residual stream.
pub(crate) fn initial(
    shape: &ModelShape,
    seed: u64,
    card: &Card,
) -> Result<Vec<Tensor<2>>, CardError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let residual = INITIAL_DEVIATION / (2.0 * f64::from(shape.layers)).sqrt();
    let draw = |slot: &Slot| {
        let values = match slot.role {
            Role::Norm => vec![1.0; slot.elements()],
            Role::ResidualProjection => normal(&mut rng, slot.elements(), residual),
            Role::Table | Role::Projection => normal(&mut rng, slot.elements(), INITIAL_DEVIATION),
        };
        card.upload(values, slot.shape)
    };
    slots(shape).iter().map(draw).collect()
}

/// Draws normal values by the Box-Muller transform.
fn normal(rng: &mut ChaCha8Rng, count: usize, deviation: f64) -> Vec<f32> {
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt() * deviation;
        let (sine, cosine) = (std::f64::consts::TAU * rng.random::<f64>()).sin_cos();
        values.extend([(radius * cosine) as f32, (radius * sine) as f32]);
    }
    values.truncate(count);
    values
}

#[cfg(test)]
mod tests;
