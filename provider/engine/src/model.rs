//! Owns the decoder's arithmetic: one forward pass for training, for prefill and for single tokens.
//!
//! ```text
//! tokens ─► embed ─► [ norm ─► attention ─► + ─► norm ─► gated SiLU ─► + ] x layers ─► norm ─► logits
//! ```
//! Activations are kept as `[batch * length, dim]`, so that every projection is one plain matrix
//! product. Never samples, never trains, never makes an index: [`TokenBatch`] looks
//! its ids up itself.

use burn::tensor::{Tensor, activation};

use crate::config::ModelConfig;
use crate::positions::Positions;
use crate::tokens::{TokenBatch, TokenError};
use crate::weights::LAYER_WEIGHTS;

/// Keys and values of one layer for all positions so far, `[batch, kv_heads, capacity, head]`.
struct LayerCache {
    keys: Tensor<4>,
    values: Tensor<4>,
}

/// The key-value cache of a text that is being continued.
pub(crate) struct Cache {
    layers: Vec<Option<LayerCache>>,
    length: usize,
    capacity: usize,
}

impl Cache {
    /// Makes an empty cache for at most `capacity` positions.
    pub(crate) fn new(config: &ModelConfig, capacity: usize) -> Self {
        Self {
            layers: (0..config.shape.layers).map(|_| None).collect(),
            length: 0,
            capacity,
        }
    }

    /// Returns the positions that the cache holds.
    pub(crate) fn length(&self) -> usize {
        self.length
    }

    /// Adds keys and values `[batch, kv_heads, new, head]` to a layer and returns all of them.
    fn extend(&mut self, layer: usize, keys: Tensor<4>, values: Tensor<4>) -> [Tensor<4>; 2] {
        let [batch, heads, new, head_dim] = keys.dims();
        let capacity = self.capacity;
        let range = self.length..self.length + new;
        assert!(
            range.end <= capacity,
            "the cache has room for what is added"
        );
        let slot = &mut self.layers[layer];
        let held = slot.take().unwrap_or_else(|| {
            let empty = Tensor::zeros([batch, heads, capacity, head_dim], &keys.device());
            LayerCache {
                keys: empty.clone(),
                values: empty,
            }
        });
        let place = [0..batch, 0..heads, range.clone(), 0..head_dim];
        let seen = [0..batch, 0..heads, 0..range.end, 0..head_dim];
        let held = slot.insert(LayerCache {
            keys: held.keys.slice_assign(place.clone(), keys),
            values: held.values.slice_assign(place, values),
        });
        [
            held.keys.clone().slice(seen.clone()),
            held.values.clone().slice(seen),
        ]
    }
}

/// A decoder's configuration with weights in the order of [`crate::weights::slots`].
pub(crate) struct Decoder<'a> {
    pub(crate) config: &'a ModelConfig,
    pub(crate) weights: &'a [Tensor<2>],
}

impl Decoder<'_> {
    /// Returns the scores of the next token after every position, `[batch * length, vocabulary]`.
    ///
    /// With a cache, `tokens` continue what it holds, and `positions` are those of `tokens`.
    pub(crate) fn logits(
        &self,
        tokens: &TokenBatch,
        positions: &Positions,
        cache: Option<&mut Cache>,
    ) -> Result<Tensor<2>, TokenError> {
        Ok(self.head(self.hidden(tokens, positions, cache)?))
    }

    /// Returns the residual stream after the last norm, `[batch * length, dim]`.
    pub(crate) fn hidden(
        &self,
        tokens: &TokenBatch,
        positions: &Positions,
        mut cache: Option<&mut Cache>,
    ) -> Result<Tensor<2>, TokenError> {
        let shape = &self.config.shape;
        let mut stream = tokens.rows_of(self.weights[0].clone())?;
        for layer in 0..shape.layers as usize {
            let weights = self.layer(layer);
            let normed = self.norm(stream.clone(), &weights[0]);
            let heads = self.heads(normed, weights, positions, tokens.rows());
            let mixed = self.attend(heads, positions, cache.as_deref_mut(), layer);
            stream = stream + mixed.matmul(weights[4].clone());
            let normed = self.norm(stream.clone(), &weights[5]);
            stream = stream + feed_forward(normed, weights);
        }
        if let Some(cache) = cache {
            cache.length += tokens.columns();
        }
        Ok(self.norm(stream, &self.weights[self.last_norm()]))
    }

    /// Multiplies hidden states with the output table.
    pub(crate) fn head(&self, hidden: Tensor<2>) -> Tensor<2> {
        let table = match self.config.shape.tied_embeddings {
            true => &self.weights[0],
            false => &self.weights[self.last_norm() + 1],
        };
        hidden.matmul(table.clone().transpose())
    }

    fn last_norm(&self) -> usize {
        1 + LAYER_WEIGHTS * self.config.shape.layers as usize
    }

    fn layer(&self, layer: usize) -> &[Tensor<2>] {
        let first = 1 + LAYER_WEIGHTS * layer;
        &self.weights[first..first + LAYER_WEIGHTS]
    }

    /// RMS norm: `x / sqrt(mean(x^2) + epsilon) * gain`.
    fn norm(&self, rows: Tensor<2>, gain: &Tensor<2>) -> Tensor<2> {
        let mean = rows.clone().square().mean_dim(1);
        let inverse = mean.add_scalar(self.config.norm_epsilon).sqrt().recip();
        rows * inverse * gain.clone()
    }

    /// Projects to queries, keys and values, `[batch, heads, length, head]`, turned to their positions.
    fn heads(
        &self,
        normed: Tensor<2>,
        weights: &[Tensor<2>],
        positions: &Positions,
        batch: usize,
    ) -> [Tensor<4>; 3] {
        let shape = &self.config.shape;
        let head_dim = shape.head_dim() as usize;
        let length = normed.dims()[0] / batch;
        let project = |weight: &Tensor<2>, heads: u32| -> Tensor<4> {
            let product = normed.clone().matmul(weight.clone());
            product.reshape([batch, length, heads as usize, head_dim])
        };
        let queries = positions.turn_queries(project(&weights[1], shape.heads));
        let keys = positions.turn_keys(project(&weights[2], shape.kv_heads));
        let values = project(&weights[3], shape.kv_heads);
        [queries, keys, values].map(|tensor| tensor.swap_dims(1, 2))
    }

    /// Grouped-query attention; returns `[batch * length, dim]`.
    ///
    /// The queries of a group stand under each other, so that keys and values are never repeated.
    fn attend(
        &self,
        [queries, keys, values]: [Tensor<4>; 3],
        positions: &Positions,
        cache: Option<&mut Cache>,
        layer: usize,
    ) -> Tensor<2> {
        let [batch, heads, length, head_dim] = queries.dims();
        let groups = keys.dims()[1];
        let [keys, values] = match cache {
            Some(cache) => cache.extend(layer, keys, values),
            None => [keys, values],
        };
        let grouped = [batch, groups, heads / groups * length, head_dim];
        let scores = queries.reshape(grouped).matmul(keys.swap_dims(2, 3));
        let weights = activation::softmax(positions.hide_future(scores), 3);
        let mixed = weights.matmul(values);
        let heads_apart = mixed.reshape([batch, heads, length, head_dim]);
        heads_apart
            .swap_dims(1, 2)
            .reshape([batch * length, heads * head_dim])
    }
}

/// The gated feed-forward layer: `(silu(x G) * (x U)) D`.
fn feed_forward(normed: Tensor<2>, weights: &[Tensor<2>]) -> Tensor<2> {
    let gate = activation::silu(normed.clone().matmul(weights[6].clone()));
    let up = normed.matmul(weights[7].clone());
    (gate * up).matmul(weights[8].clone())
}

#[cfg(test)]
mod tests;
