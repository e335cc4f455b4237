//! Owns what an inference job says: which model, which prompt, how much to write and how to choose.
//!
//! Never holds a float: the temperature is an integer in 1/10^3.

use serde::{Deserialize, Serialize};

use super::range::check;
use super::{ArtifactName, RangeError};

/// An inference job. In a job file only `prompt` must be given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InferSpec {
    /// The text to continue, 1 to 65,536 bytes.
    pub prompt: String,
    /// The input with the model's `config.json`.
    #[serde(default = "default_config")]
    pub config: ArtifactName,
    /// The input with the model's weights in safetensors form.
    #[serde(default = "default_weights")]
    pub weights: ArtifactName,
    /// Tokens to write, 1 to 1,048,576; prompt and completion must fit into the model's context.
    #[serde(default = "default_max_tokens")]
    pub max_tokens: u32,
    /// Sampling temperature in 1/10^3, 0 (always the likeliest token) to 10,000.
    #[serde(default = "default_temperature_milli")]
    pub temperature_milli: u32,
    /// Seed of the sampling, up to 2^63-1.
    #[serde(default)]
    pub seed: u64,
}

fn default_config() -> ArtifactName {
    "config.json".parse().expect("config.json is a name")
}

fn default_weights() -> ArtifactName {
    "model.safetensors"
        .parse()
        .expect("model.safetensors is a name")
}

fn default_max_tokens() -> u32 {
    128
}

fn default_temperature_milli() -> u32 {
    800
}

impl InferSpec {
    /// Makes a job that continues `prompt` with the usual file names and settings.
    pub fn new(prompt: impl Into<String>) -> Self {
        Self {
            prompt: prompt.into(),
            config: default_config(),
            weights: default_weights(),
            max_tokens: default_max_tokens(),
            temperature_milli: default_temperature_milli(),
            seed: 0,
        }
    }

    /// Returns the tokens that are read and written, at most.
    pub fn tokens(&self) -> u64 {
        u64::from(self.max_tokens).saturating_add(self.prompt.len() as u64)
    }

    /// Checks every range that the fields state.
    pub fn validate(&self) -> Result<(), RangeError> {
        check(
            "infer.prompt",
            self.prompt.len() as u64,
            1..=65_536,
            "bytes",
        )?;
        check(
            "infer.max_tokens",
            self.max_tokens.into(),
            1..=1 << 20,
            "tokens",
        )?;
        let temperature = u64::from(self.temperature_milli);
        check(
            "infer.temperature_milli",
            temperature,
            0..=10_000,
            "in 1/10^3",
        )?;
        check("infer.seed", self.seed, 0..=i64::MAX as u64, "")
    }
}
