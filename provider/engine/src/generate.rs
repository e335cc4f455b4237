//! Owns the continuation of a prompt: load, read the prompt in pieces, then one token at a time.
//!
//! Never reads a file: a checkpoint's two files come as bytes and are checked before weights exist.

use std::time::Instant;

use burn::tensor::{Tensor, s};
use market::job::InferSpec;

use crate::card::{Card, CardError};
use crate::checkpoint::{Checkpoint, CheckpointError, read_weights};
use crate::config::ModelConfig;
use crate::model::{Cache, Decoder};
use crate::outbox::OutputError;
use crate::positions::PositionTables;
use crate::sample::Sampler;
use crate::tokens::{TokenBatch, TokenError};

/// Prompt tokens that are read at once, at most; fewer where attention's scores would take more than
/// [`SCORE_BYTES`] or a kernel would be too large.
const PREFILL_TOKENS: u64 = 256;

/// The most bytes that the scores of one layer may take while a prompt is read.
const SCORE_BYTES: u64 = 256 << 20;

/// Why a prompt could not be continued.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// The checkpoint is refused.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A token is outside the vocabulary.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Prompt and completion do not fit into the model's context.
    #[error(
        "the prompt has {prompt} tokens and {max_tokens} may be written, but the model's context is \
         {context}; use a shorter prompt or a lower infer.max_tokens"
    )]
    Context {
        /// Tokens of the prompt.
        prompt: usize,
        /// Tokens to write.
        max_tokens: u32,
        /// Positions that the model is made for.
        context: usize,
    },
    /// Weights and cache need more memory than the job may use.
    #[error("the model and its cache need {needed} bytes, more than the limit of {limit}")]
    Memory {
        /// Bytes needed.
        needed: u64,
        /// The job's limit.
        limit: u64,
    },
    /// The model's scores are not numbers.
    #[error("the model's scores are not finite")]
    NotFinite,
    /// The card refused, or did not return a result.
    #[error(transparent)]
    Card(#[from] CardError),
    /// Something could not be sent.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// What came of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Completion {
    /// The bytes that were written, without the prompt; may end within a character.
    pub text: Vec<u8>,
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub tokens: u64,
    /// Seconds spent reading the prompt.
    pub prefill_seconds: f32,
    /// Seconds spent writing.
    pub decode_seconds: f32,
}

/// A model that is ready to continue prompts.
pub struct Generator {
    config: ModelConfig,
    weights: Vec<Tensor<2>>,
    tables: PositionTables,
    card: Card,
}

impl Generator {
    /// Checks a checkpoint and copies its weights to the card.
    ///
    /// `positions` is what the cache will hold, and `limit` the host's memory in bytes; both files and what they will
    /// need are checked before anything is taken for them.
    pub(crate) fn load(
        checkpoint: &Checkpoint,
        positions: u64,
        limit: u64,
        card: &Card,
    ) -> Result<Self, GenerateError> {
        let config = ModelConfig::from_json(&checkpoint.config).map_err(CheckpointError::from)?;
        check_memory(&config, positions, limit, card)?;
        let weights = read_weights(&config, &checkpoint.weights, card)?;
        Ok(Self {
            tables: PositionTables::new(&config, card)?,
            config,
            weights,
            card: card.clone(),
        })
    }

    /// Returns the model's configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Continues the prompt and hands every token's bytes to `emit` as soon as it is chosen.
    pub fn generate(
        &self,
        spec: &InferSpec,
        emit: &mut dyn FnMut(&[u8]) -> Result<(), OutputError>,
    ) -> Result<Completion, GenerateError> {
        let prompt: Vec<i64> = spec.prompt.bytes().map(i64::from).collect();
        let capacity = self.capacity(prompt.len(), spec.max_tokens)?;
        let mut cache = Cache::new(&self.config, capacity);
        let mut sampler = Sampler::new(spec.temperature_milli, spec.seed);
        let began = Instant::now();
        let mut scores = self.prefill(&prompt, &mut cache)?;
        let prefill_seconds = began.elapsed().as_secs_f32();
        let began = Instant::now();
        let mut text = Vec::new();
        for written in 1..=spec.max_tokens {
            let token = sampler.choose(&scores).ok_or(GenerateError::NotFinite)?;
            let byte = u8::try_from(token).map_err(|_| self.out_of_range(token, text.len()))?;
            text.push(byte);
            emit(&[byte])?;
            if written < spec.max_tokens {
                scores = self.scores_after(&[i64::from(token)], &mut cache)?;
                self.card.check()?;
            }
        }
        Ok(Completion {
            tokens: text.len() as u64,
            text,
            prompt_tokens: prompt.len() as u64,
            prefill_seconds,
            decode_seconds: began.elapsed().as_secs_f32(),
        })
    }

    /// Returns the positions that prompt and completion need, if the model has as many.
    fn capacity(&self, prompt: usize, max_tokens: u32) -> Result<usize, GenerateError> {
        let context = self.tables.context();
        match prompt.checked_add(max_tokens as usize) {
            Some(capacity) if capacity <= context && prompt > 0 => Ok(capacity),
            _ => Err(GenerateError::Context {
                prompt,
                max_tokens,
                context,
            }),
        }
    }

    fn prefill(&self, prompt: &[i64], cache: &mut Cache) -> Result<Vec<f32>, GenerateError> {
        let mut scores = Vec::new();
        for piece in prompt.chunks(prefill_tokens(&self.config)) {
            scores = self.scores_after(piece, cache)?;
            self.card.check()?;
        }
        Ok(scores)
    }

    /// Appends tokens to what the cache holds and returns the scores of the token after them.
    fn scores_after(&self, tokens: &[i64], cache: &mut Cache) -> Result<Vec<f32>, GenerateError> {
        let decoder = Decoder {
            config: &self.config,
            weights: &self.weights,
        };
        let count = tokens.len();
        let batch = TokenBatch::new(tokens, count, self.config.shape.vocabulary)?;
        let positions = self.tables.stretch(cache.length(), count)?;
        let hidden = decoder.hidden(&batch, &positions, Some(cache))?;
        let last = hidden.slice(s![count - 1..count]);
        let data = decoder.head(last).try_into_data();
        let data = data.map_err(CardError::from)?;
        let scores = data.try_into_vec::<f32>();
        Ok(scores.map_err(CardError::failed)?)
    }

    fn out_of_range(&self, token: u32, position: usize) -> TokenError {
        TokenError::OutOfRange {
            token: i64::from(token),
            position,
            vocabulary: self.config.shape.vocabulary,
        }
    }
}

/// Returns the prompt tokens that are read at once.
fn prefill_tokens(config: &ModelConfig) -> usize {
    let tokens = config.shape.prefill_tokens(PREFILL_TOKENS, SCORE_BYTES);
    usize::try_from(tokens).unwrap_or(1)
}

/// Refuses a model that passes the card's budget, or whose weights (as file and as tensors) and cache pass `limit`
/// bytes of the host's memory.
fn check_memory(
    config: &ModelConfig,
    positions: u64,
    limit: u64,
    card: &Card,
) -> Result<(), GenerateError> {
    let shape = &config.shape;
    let positions = positions.min(shape.context.into());
    let on_card = shape.infer_bytes(positions, prefill_tokens(config) as u64);
    card.admit(on_card)?;
    let file = 4 * shape.parameters();
    let needed = match card.is_gpu() {
        true => file.saturating_mul(2),
        false => file.saturating_add(on_card),
    };
    match needed <= limit {
        true => Ok(()),
        false => Err(GenerateError::Memory { needed, limit }),
    }
}

#[cfg(test)]
mod tests;
