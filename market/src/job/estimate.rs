//! Owns the estimates that follow from a job alone: memory and work, for eligibility and predicted time.
//!
//! Never measures. The figures are estimates in integers, the same on every machine; an adapter's speed
//! is somebody else's business.

use super::{JobKind, JobSpec, TrainSpec};

/// Bytes of one number in the engine, which computes in f32.
const NUMBER_BYTES: u64 = 4;

/// Memory that a worker needs before it holds any of the job: code, threads, allocator.
const WORKER_BYTES: u64 = 192 << 20;

impl JobSpec {
    /// Returns the memory in bytes that the job needs: worker, inputs, weights, optimiser, activations.
    ///
    /// Training holds weights, gradients and two moments, and keeps the activations of one step.
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
                2 * u128::from(bytes / NUMBER_BYTES) * u128::from(infer.tokens())
            }
        }
    }
}

/// Returns the bytes of weights, gradients, moments and one step's activations.
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
    let activations = train.tokens_per_step().saturating_mul(token);
    let weights = model.parameters().saturating_mul(6);
    weights
        .saturating_add(activations)
        .saturating_mul(NUMBER_BYTES)
}
