//! Owns a model's configuration: the sizes and constants of a Llama, and their Hugging Face file.
//!
//! Never accepts a configuration that the model code would compute differently from what the file
//! means: unknown activations, biases or position scalings are refused, not ignored, and so is every field that is
//! not known at all. A field that occurs twice is refused; `serde_json` ends a file that nests deeper than 128 levels.

use market::job::{JobError, ModelShape};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// The most bytes that a `config.json` may have.
const MAX_BYTES: usize = 64 << 10;

/// What a Llama-style decoder computes with, weights aside.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ModelConfig {
    /// The sizes.
    pub shape: ModelShape,
    /// Base of the rotary positions' wavelengths; 1 to 10^9.
    pub rope_theta: f64,
    /// What RMS norm adds to the mean square; 10^-12 to 10^-2.
    pub norm_epsilon: f64,
}

/// Why a `config.json` is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file is larger than any configuration is.
    #[error("config.json has {actual} bytes, more than {MAX_BYTES}")]
    TooLarge {
        /// Bytes of the file.
        actual: usize,
    },
    /// The file is not JSON, or a field is missing or of the wrong type.
    #[error("config.json cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A field has a value that this engine does not compute.
    #[error("config.json: {field} is {value}, but this engine computes only {supported}")]
    Unsupported {
        /// The field.
        field: &'static str,
        /// Its value, shortened.
        value: String,
        /// What is supported.
        supported: &'static str,
    },
    /// A size is out of range.
    #[error("config.json: {0}")]
    Shape(#[from] JobError),
}

/// The fields of Hugging Face's file that matter here.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LlamaFile {
    architectures: Vec<String>,
    model_type: String,
    vocab_size: u32,
    hidden_size: u32,
    intermediate_size: u32,
    num_hidden_layers: u32,
    num_attention_heads: u32,
    num_key_value_heads: u32,
    #[serde(default)]
    head_dim: Option<u32>,
    max_position_embeddings: u32,
    rms_norm_eps: f64,
    #[serde(default = "default_rope_theta")]
    rope_theta: f64,
    #[serde(default)]
    rope_scaling: Option<serde_json::Value>,
    hidden_act: String,
    #[serde(default)]
    tie_word_embeddings: bool,
    #[serde(default)]
    attention_bias: bool,
    #[serde(default)]
    mlp_bias: bool,
    #[serde(default)]
    torch_dtype: Option<String>,
    #[serde(default)]
    bos_token_id: Option<u32>,
    #[serde(default)]
    eos_token_id: Option<u32>,
    // What other programs note beside, which changes nothing that is computed here.
    #[serde(default, skip_serializing)]
    _name_or_path: Option<IgnoredAny>,
    #[serde(default, skip_serializing, rename = "transformers_version")]
    _transformers_version: Option<IgnoredAny>,
    #[serde(default, skip_serializing, rename = "use_cache")]
    _use_cache: Option<IgnoredAny>,
    #[serde(default, skip_serializing, rename = "initializer_range")]
    _initializer_range: Option<IgnoredAny>,
    #[serde(default, skip_serializing, rename = "pretraining_tp")]
    _pretraining_tp: Option<IgnoredAny>,
    #[serde(default, skip_serializing, rename = "attention_dropout")]
    _attention_dropout: Option<IgnoredAny>,
    #[serde(default, skip_serializing, rename = "pad_token_id")]
    _pad_token_id: Option<IgnoredAny>,
    #[serde(default, skip_serializing, rename = "dtype")]
    _dtype: Option<IgnoredAny>,
}

fn default_rope_theta() -> f64 {
    10_000.0
}

impl ModelConfig {
    /// Gives a shape the usual constants: a rotary base of 10,000 and an epsilon of 10^-5.
    pub fn new(shape: ModelShape) -> Self {
        Self {
            shape,
            rope_theta: default_rope_theta(),
            norm_epsilon: 1e-5,
        }
    }

    /// Reads a `config.json` and checks every value before anything is allocated from it.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ConfigError> {
        if bytes.len() > MAX_BYTES {
            return Err(ConfigError::TooLarge {
                actual: bytes.len(),
            });
        }
        let file: LlamaFile = serde_json::from_slice(bytes)?;
        let config = Self {
            shape: file.shape(),
            rope_theta: file.rope_theta,
            norm_epsilon: file.rms_norm_eps,
        };
        config.shape.validate()?;
        file.check_supported(&config)?;
        Ok(config)
    }

    /// Writes the `config.json` that Hugging Face's `LlamaForCausalLM` reads.
    pub fn to_json(&self) -> Vec<u8> {
        let shape = &self.shape;
        let file = LlamaFile {
            architectures: vec!["LlamaForCausalLM".to_owned()],
            model_type: "llama".to_owned(),
            vocab_size: shape.vocabulary,
            hidden_size: shape.dim,
            intermediate_size: shape.ffn_dim,
            num_hidden_layers: shape.layers,
            num_attention_heads: shape.heads,
            num_key_value_heads: shape.kv_heads,
            head_dim: Some(shape.head_dim()),
            max_position_embeddings: shape.context,
            rms_norm_eps: self.norm_epsilon,
            rope_theta: self.rope_theta,
            rope_scaling: None,
            hidden_act: "silu".to_owned(),
            tie_word_embeddings: shape.tied_embeddings,
            attention_bias: false,
            mlp_bias: false,
            torch_dtype: Some("float32".to_owned()),
            bos_token_id: None,
            eos_token_id: None,
            _name_or_path: None,
            _transformers_version: None,
            _use_cache: None,
            _initializer_range: None,
            _pretraining_tp: None,
            _attention_dropout: None,
            _pad_token_id: None,
            _dtype: None,
        };
        serde_json::to_vec_pretty(&file).expect("plain fields have a JSON form")
    }
}

impl LlamaFile {
    fn shape(&self) -> ModelShape {
        ModelShape {
            dim: self.hidden_size,
            layers: self.num_hidden_layers,
            heads: self.num_attention_heads,
            kv_heads: self.num_key_value_heads,
            ffn_dim: self.intermediate_size,
            vocabulary: self.vocab_size,
            context: self.max_position_embeddings,
            tied_embeddings: self.tie_word_embeddings,
        }
    }

    /// Refuses what would be computed differently here; `config.shape` is already in range.
    fn check_supported(&self, config: &ModelConfig) -> Result<(), ConfigError> {
        let head_dim = config.shape.head_dim();
        let scaled = self.rope_scaling.as_ref().map(ToString::to_string);
        let checks: [(&'static str, bool, String, &'static str); 8] = [
            (
                "model_type",
                self.model_type == "llama",
                self.model_type.clone(),
                "llama",
            ),
            (
                "hidden_act",
                self.hidden_act == "silu",
                self.hidden_act.clone(),
                "silu",
            ),
            (
                "attention_bias",
                !self.attention_bias,
                "true".into(),
                "false",
            ),
            ("mlp_bias", !self.mlp_bias, "true".into(), "false"),
            (
                "rope_scaling",
                scaled.is_none(),
                scaled.unwrap_or_default(),
                "null",
            ),
            (
                "head_dim",
                self.head_dim.is_none_or(|width| width == head_dim),
                format!("{:?}", self.head_dim),
                "hidden_size / num_attention_heads",
            ),
            (
                "rope_theta",
                (1.0..=1e9).contains(&self.rope_theta),
                self.rope_theta.to_string(),
                "1 to 10^9",
            ),
            (
                "rms_norm_eps",
                (1e-12..=1e-2).contains(&self.rms_norm_eps),
                self.rms_norm_eps.to_string(),
                "10^-12 to 10^-2",
            ),
        ];
        match checks.into_iter().find(|(_, supported, ..)| !supported) {
            None => Ok(()),
            Some((field, _, value, supported)) => Err(ConfigError::Unsupported {
                field,
                value: value.chars().take(80).collect(),
                supported,
            }),
        }
    }
}

#[cfg(test)]
mod tests;
