//! Owns the shape of a model that is trained from scratch: a Llama-style decoder over bytes.
//!
//! Never holds weights and never allocates: sizes only, and what follows from them.

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::range::check;
use super::{JobError, RangeError};

/// Tokens of a model that reads and writes raw bytes.
pub const BYTE_VOCABULARY: u32 = 256;

/// The most floating-point operations that one kernel of the engine may be, 2^38 or 2.7 * 10^11: 0.03 s of a card that
/// sustains 10 TFLOP/s, 0.3 s of one that sustains 1. A batch is computed in slices of rows that keep this, and a model of
/// which one row does not is refused.
///
/// The largest kernel is a matrix product. Of the ranges alone, without this bound, it would be the feed-forward layer's
/// over a whole batch: `2 * 2^20 tokens * 8,192 * 32,768 = 5.6 * 10^14`.
pub const SLICE_OPERATIONS: u64 = 1 << 38;

/// The sizes of a Llama-style decoder: RMS norm, rotary positions, gated SiLU, grouped-query attention.
///
/// A job file gives either the name of a preset (`model = "demo-1m"`) or sizes, where each size
/// that is left out is the one of `demo-1m`. The canonical bytes always hold the sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ModelShape {
    /// Width of the residual stream, 16 to 8,192.
    pub dim: u32,
    /// Decoder layers, 1 to 128.
    pub layers: u32,
    /// Query heads, 1 to 128; divides `dim` into heads of an even width of at most 512.
    pub heads: u32,
    /// Key and value heads; divides `heads`.
    pub kv_heads: u32,
    /// Width of the gated feed-forward layer, 16 to 32,768.
    pub ffn_dim: u32,
    /// Tokens; [`BYTE_VOCABULARY`] and nothing else while models read bytes.
    pub vocabulary: u32,
    /// The most positions that the model is made for, 8 to 16,384.
    pub context: u32,
    /// Whether the output layer shares the embedding's weights.
    pub tied_embeddings: bool,
}

/// The name of a preset that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no model preset {name:?}; presets are demo-1m and small-10m")]
pub struct UnknownPreset {
    name: String,
}

impl ModelShape {
    /// About one million parameters: trains to readable text in about a minute on two processor cores.
    pub const DEMO_1M: Self = Self {
        dim: 128,
        layers: 5,
        heads: 4,
        kv_heads: 2,
        ffn_dim: 384,
        vocabulary: BYTE_VOCABULARY,
        context: 256,
        tied_embeddings: true,
    };

    /// About ten million parameters: for a real GPU, or an hour of patience without one.
    pub const SMALL_10M: Self = Self {
        dim: 384,
        layers: 6,
        heads: 6,
        kv_heads: 6,
        ffn_dim: 1024,
        vocabulary: BYTE_VOCABULARY,
        context: 1024,
        tied_embeddings: true,
    };

    /// Returns the preset called `name`.
    pub fn preset(name: &str) -> Result<Self, UnknownPreset> {
        match name {
            "demo-1m" => Ok(Self::DEMO_1M),
            "small-10m" => Ok(Self::SMALL_10M),
            _ => Err(UnknownPreset {
                name: name.chars().take(80).collect(),
            }),
        }
    }

    /// Returns the number of weights:
    /// `vocabulary*dim*(1 or 2) + dim + layers*(2*dim*dim + 2*dim*kv_width + 3*dim*ffn_dim + 2*dim)`.
    pub fn parameters(&self) -> u64 {
        let [dim, layers, ffn_dim] = [self.dim, self.layers, self.ffn_dim].map(u64::from);
        let kv_width = u64::from(self.kv_width());
        let attention = 2 * dim * dim + 2 * dim * kv_width;
        let layer = attention + 3 * dim * ffn_dim + 2 * dim;
        let tables = if self.tied_embeddings { 1 } else { 2 };
        u64::from(self.vocabulary) * dim * tables + layers * layer + dim
    }

    /// Returns the width of one head; 0 when there are no heads.
    pub fn head_dim(&self) -> u32 {
        self.dim.checked_div(self.heads).unwrap_or(0)
    }

    /// Returns the width of all key (or value) heads together.
    pub fn kv_width(&self) -> u32 {
        self.head_dim().saturating_mul(self.kv_heads)
    }

    /// Returns the floating-point operations of the largest matrix product over one row of `length` tokens, of which the
    /// last attends to `seen`: `2 * length * dim` times the widest of the residual stream, the feed-forward layer, the
    /// vocabulary and what is attended to. Its gradients are products of the same size. Saturating.
    pub fn largest_product(&self, length: u64, seen: u64) -> u64 {
        let sizes = [self.dim, self.ffn_dim, self.vocabulary].map(u64::from);
        let widest = sizes.into_iter().fold(seen, u64::max);
        let tokens = length.saturating_mul(2 * u64::from(self.dim));
        tokens.saturating_mul(widest)
    }

    /// Checks every range that the fields state, and that heads divide as they must.
    pub fn validate(&self) -> Result<(), JobError> {
        self.validate_ranges()?;
        if !self.dim.is_multiple_of(2 * self.heads) {
            return Err(JobError::DoesNotDivide {
                field: "twice model.heads",
                value: 2 * self.heads,
                of: "model.dim",
                of_value: self.dim,
                example: "heads = 4 with dim = 128",
            });
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return Err(JobError::DoesNotDivide {
                field: "model.kv_heads",
                value: self.kv_heads,
                of: "model.heads",
                of_value: self.heads,
                example: "kv_heads = 2 with heads = 4",
            });
        }
        Ok(())
    }

    fn validate_ranges(&self) -> Result<(), RangeError> {
        let bytes = u64::from(BYTE_VOCABULARY);
        check("model.dim", self.dim.into(), 16..=8_192, "numbers")?;
        check("model.layers", self.layers.into(), 1..=128, "layers")?;
        check("model.heads", self.heads.into(), 1..=128, "heads")?;
        check("model.kv_heads", self.kv_heads.into(), 1..=128, "heads")?;
        let head_dim = u64::from(self.head_dim());
        check("model.dim / model.heads", head_dim, 2..=512, "numbers")?;
        check("model.ffn_dim", self.ffn_dim.into(), 16..=32_768, "numbers")?;
        check(
            "model.vocabulary",
            self.vocabulary.into(),
            bytes..=bytes,
            "tokens",
        )?;
        check("model.context", self.context.into(), 8..=16_384, "tokens")
    }
}

impl Default for ModelShape {
    fn default() -> Self {
        Self::DEMO_1M
    }
}

/// The sizes as they stand in bytes and in a job file's table.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Sizes {
    dim: u32,
    layers: u32,
    heads: u32,
    kv_heads: u32,
    ffn_dim: u32,
    vocabulary: u32,
    context: u32,
    tied_embeddings: bool,
}

impl Default for Sizes {
    fn default() -> Self {
        let ModelShape {
            dim,
            layers,
            heads,
            kv_heads,
            ffn_dim,
            vocabulary,
            context,
            tied_embeddings,
        } = ModelShape::default();
        Self {
            dim,
            layers,
            heads,
            kv_heads,
            ffn_dim,
            vocabulary,
            context,
            tied_embeddings,
        }
    }
}

impl From<Sizes> for ModelShape {
    fn from(sizes: Sizes) -> Self {
        Self {
            dim: sizes.dim,
            layers: sizes.layers,
            heads: sizes.heads,
            kv_heads: sizes.kv_heads,
            ffn_dim: sizes.ffn_dim,
            vocabulary: sizes.vocabulary,
            context: sizes.context,
            tied_embeddings: sizes.tied_embeddings,
        }
    }
}

/// What a person may write for a model.
#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a preset's name, for example \"demo-1m\", or a table of sizes"
)]
enum Written {
    Preset(String),
    Sizes(Sizes),
}

impl<'de> Deserialize<'de> for ModelShape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return Sizes::deserialize(deserializer).map(Self::from);
        }
        match Written::deserialize(deserializer)? {
            Written::Preset(name) => Self::preset(&name).map_err(D::Error::custom),
            Written::Sizes(sizes) => Ok(sizes.into()),
        }
    }
}
