//! Owns what depends on positions alone: the rotary tables and the causal mask of a stretch of text.
//!
//! Rotary positions follow Llama's Hugging Face form: the first half of a head pairs with the second
//! (`rotate_half`), with wavelengths `theta^(2i/head_dim)`. The queries' tables already hold attention's
//! scale `1/sqrt(head_dim)`. Never touches weights.

use burn::tensor::Tensor;

use crate::card::{Card, CardError};
use crate::config::ModelConfig;

/// What is added to a score that looks ahead: finite, so that no arithmetic on it makes a NaN.
const MASKED: f32 = -1e9;

/// A rotary table: what multiplies a head, and what multiplies its rotated half; `[1, positions, 1, head]`.
#[derive(Clone)]
pub(crate) struct Rotary {
    cosine: Tensor<4>,
    sine: Tensor<4>,
}

/// The position tables of a whole context, from which stretches are cut.
pub(crate) struct PositionTables {
    card: Card,
    query: Rotary,
    key: Rotary,
    rotation: Tensor<2>,
    heads_per_group: usize,
    context: usize,
}

/// The position data of one stretch of text.
pub(crate) struct Positions {
    query: Rotary,
    key: Rotary,
    rotation: Tensor<2>,
    mask: Option<Tensor<4>>,
}

impl PositionTables {
    /// Computes the tables for every position of the model's context.
    pub(crate) fn new(config: &ModelConfig, card: &Card) -> Result<Self, CardError> {
        let head_dim = config.shape.head_dim() as usize;
        let context = config.shape.context as usize;
        let scale = 1.0 / (head_dim as f64).sqrt();
        Ok(Self {
            card: card.clone(),
            query: Rotary::new(config, scale, card)?,
            key: Rotary::new(config, 1.0, card)?,
            rotation: rotation(head_dim, card)?,
            heads_per_group: (config.shape.heads / config.shape.kv_heads) as usize,
            context,
        })
    }

    /// Returns the positions that the model is made for.
    pub(crate) fn context(&self) -> usize {
        self.context
    }

    /// Cuts out `length` positions from `start`, which must lie within the context.
    pub(crate) fn stretch(&self, start: usize, length: usize) -> Result<Positions, CardError> {
        assert!(
            start + length <= self.context,
            "positions lie within the context"
        );
        let mask = (length > 1).then(|| self.mask(start, length));
        Ok(Positions {
            query: self.query.stretch(start, length),
            key: self.key.stretch(start, length),
            rotation: self.rotation.clone(),
            mask: mask.transpose()?,
        })
    }

    /// Builds `[1, 1, heads_per_group * length, start + length]`: 0 behind, [`MASKED`] ahead.
    fn mask(&self, start: usize, length: usize) -> Result<Tensor<4>, CardError> {
        let seen = start + length;
        let mut values = Vec::with_capacity(self.heads_per_group * length * seen);
        for _ in 0..self.heads_per_group {
            for row in 0..length {
                let visible = start + row;
                values.extend((0..seen).map(|key| if key <= visible { 0.0 } else { MASKED }));
            }
        }
        let shape = [1, 1, self.heads_per_group * length, seen];
        self.card.upload(values, shape)
    }
}

impl Rotary {
    fn new(config: &ModelConfig, scale: f64, card: &Card) -> Result<Self, CardError> {
        let head_dim = config.shape.head_dim() as usize;
        let context = config.shape.context as usize;
        let half = head_dim / 2;
        let mut cosines = Vec::with_capacity(context * head_dim);
        let mut sines = Vec::with_capacity(context * head_dim);
        for position in 0..context {
            for dimension in 0..head_dim {
                let exponent = (dimension % half) as f64 / half as f64;
                let angle = position as f64 * config.rope_theta.powf(-exponent);
                cosines.push((angle.cos() * scale) as f32);
                sines.push((angle.sin() * scale) as f32);
            }
        }
        let shape = [1, context, 1, head_dim];
        Ok(Self {
            cosine: card.upload(cosines, shape)?,
            sine: card.upload(sines, shape)?,
        })
    }

    fn stretch(&self, start: usize, length: usize) -> Self {
        let cut = |table: &Tensor<4>| table.clone().slice([0..1, start..start + length]);
        Self {
            cosine: cut(&self.cosine),
            sine: cut(&self.sine),
        }
    }
}

impl Positions {
    /// Turns queries `[batch, positions, heads, head]` to their positions and scales them.
    pub(crate) fn turn_queries(&self, queries: Tensor<4>) -> Tensor<4> {
        self.turn(queries, &self.query)
    }

    /// Turns keys `[batch, positions, heads, head]` to their positions.
    pub(crate) fn turn_keys(&self, keys: Tensor<4>) -> Tensor<4> {
        self.turn(keys, &self.key)
    }

    /// Hides what lies ahead in scores `[batch, groups, heads_per_group * length, seen]`.
    pub(crate) fn hide_future(&self, scores: Tensor<4>) -> Tensor<4> {
        match &self.mask {
            Some(mask) => scores + mask.clone(),
            None => scores,
        }
    }

    fn turn(&self, heads: Tensor<4>, table: &Rotary) -> Tensor<4> {
        let shape = heads.dims();
        let [batch, length, count, head_dim] = shape;
        let rows = heads.clone().reshape([batch * length * count, head_dim]);
        let rotated = rows.matmul(self.rotation.clone()).reshape(shape);
        heads * table.cosine.clone() + rotated * table.sine.clone()
    }
}

/// Returns the matrix R with `x R = (-x2, x1)` for `x = (x1, x2)`.
///
/// A product with it costs little and has a plain gradient on every backend, where cutting and
/// joining halves would copy.
fn rotation(head_dim: usize, card: &Card) -> Result<Tensor<2>, CardError> {
    let half = head_dim / 2;
    let mut values = vec![0.0_f32; head_dim * head_dim];
    for column in 0..head_dim {
        let (row, sign) = if column < half {
            (column + half, -1.0)
        } else {
            (column - half, 1.0)
        };
        if let Some(value) = values.get_mut(row * head_dim + column) {
            *value = sign;
        }
    }
    card.upload(values, [head_dim, head_dim])
}
