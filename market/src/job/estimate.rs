//! Owns the estimates that follow from a job alone: memory and work, for eligibility and predicted time.
//!
//! Never measures. The figures are estimates in integers, the same on every machine; an adapter's speed
//! is somebody else's business.

use super::{JobKind, JobSpec, ModelShape, SLICE_OPERATIONS, TrainSpec};

/// Bytes of one number in the engine, which computes in f32.
const NUMBER_BYTES: u64 = 4;

/// Memory that a worker needs before it holds any of the job: code, threads, allocator.
const WORKER_BYTES: u64 = 192 << 20;

impl JobSpec {
    /// Returns the memory in bytes that the job needs: worker, inputs, weights, optimiser, activations.
    ///
    /// Training holds weights, gradients and two moments, and keeps the activations of one slice of a step.
    /// Inference holds the weights file, the weights made from it, and the key-value cache, which is
    /// taken as large as the weights.
    pub fn memory_bytes(&self) -> u64 {
        let fixed = WORKER_BYTES.saturating_add(self.input_bytes());
        let working = match &self.kind {
            JobKind::Train(train) => train_bytes(train),
            JobKind::Infer(infer) => {
                let weights = self.input(&infer.weights).map_or(0, |input| input.bytes);
                weights.saturating_mul(2)
            }
        };
        fixed.saturating_add(working)
    }

    /// Returns the memory in bytes that the job needs on a card, as far as the job alone tells: what is computed with,
    /// without the worker and the inputs, which lie in the host's memory.
    ///
    /// Of inference only the weights are known before the model's sizes are: the engine adds cache, tables and one piece
    /// of the prompt once it has read them.
    pub fn card_bytes(&self) -> u64 {
        match &self.kind {
            JobKind::Train(train) => train_bytes(train).saturating_add(table_bytes(&train.model)),
            JobKind::Infer(infer) => self.input(&infer.weights).map_or(0, |input| input.bytes),
        }
    }

    /// Returns the floating-point operations of the job: `6 * N * tokens` for training and
    /// `2 * N * tokens` for inference, where N counts weights (for inference: four bytes of the
    /// weights' input each), plus attention's `2 * layers * dim * sequence` for each in training.
    pub fn flops(&self) -> u128 {
        match &self.kind {
            JobKind::Train(train) => {
                let model = &train.model;
                let attention = 2
                    * u128::from(model.layers)
                    * u128::from(model.dim)
                    * u128::from(train.sequence);
                6 * (u128::from(model.parameters()) + attention) * u128::from(train.tokens())
            }
            JobKind::Infer(infer) => {
                let bytes = self.input(&infer.weights).map_or(0, |input| input.bytes);
                2 * u128::from(bytes.div_ceil(NUMBER_BYTES)) * u128::from(infer.tokens())
            }
        }
    }
}

impl ModelShape {
    /// Returns the memory in bytes that inference needs on a card: weights, the cache of `positions` positions, the
    /// tables, and what is alive while `piece` tokens that attend to all of them go through one layer. Saturating.
    pub fn infer_bytes(&self, positions: u64, piece: u64) -> u64 {
        let [dim, ffn, heads, layers] =
            [self.dim, self.ffn_dim, self.heads, self.layers].map(u64::from);
        let cache = 2 * layers * u64::from(self.kv_width()) * positions;
        // A layer's cache is written into a copy, whole. Scores, their mask, and softmax's steps on them.
        let copy = 4 * u64::from(self.kv_width()) * positions;
        let alive = piece * (16 * dim + 6 * ffn + 6 * heads * positions);
        let numbers = self.parameters() + cache + copy + alive;
        NUMBER_BYTES
            .saturating_mul(numbers)
            .saturating_add(table_bytes(self))
    }

    /// Returns the tokens of a prompt that are read at once: at most `most`, fewer where the largest kernel would pass
    /// [`SLICE_OPERATIONS`] or attention's scores `score_bytes`; at least one.
    pub fn prefill_tokens(&self, most: u64, score_bytes: u64) -> u64 {
        let context = u64::from(self.context);
        let by_work = SLICE_OPERATIONS / self.largest_product(1, context).max(1);
        let by_scores = score_bytes / (NUMBER_BYTES * u64::from(self.heads) * context).max(1);
        most.min(by_work).min(by_scores).max(1)
    }
}

/// Returns the bytes of the position tables: cosines and sines for queries and for keys, and the turn of a head.
fn table_bytes(model: &ModelShape) -> u64 {
    let [context, head] = [model.context, model.head_dim()].map(u64::from);
    NUMBER_BYTES * head * (4 * context + head)
}

/// Returns the bytes of weights, gradients, moments and one slice's activations.
fn train_bytes(train: &TrainSpec) -> u64 {
    let model = &train.model;
    let [dim, ffn, heads, layers, vocabulary, sequence] = [
        model.dim,
        model.ffn_dim,
        model.heads,
        model.layers,
        model.vocabulary,
        train.sequence,
    ]
    .map(u64::from);
    // Per token and layer: about 16 tensors of the residual width, 6 of the feed-forward width and
    // 4 of the attention scores stay alive until the backward pass, which doubles the peak.
    let layer = 16 * dim + 6 * ffn + 4 * heads * sequence;
    let token = 2 * (layers * layer + 4 * vocabulary);
    let rows = u64::from(train.slice_rows());
    let activations = (rows * sequence).saturating_mul(token);
    let weights = model.parameters().saturating_mul(6);
    weights
        .saturating_add(activations)
        .saturating_mul(NUMBER_BYTES)
}
