//! Owns what a running job tells the person who pays for it.
//!
//! Never touches money or order: the figures here are for display and measurement, so floats are fine.

use serde::{Deserialize, Serialize};

/// The most bytes of text in one line of a log or one piece of generated text.
pub const MAX_TEXT_BYTES: usize = 4 << 10;

/// One thing that a running job reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// The worker is confined; nothing of the job was read before.
    Confined {
        /// The layers in force, each as observed inside the worker.
        layers: Vec<String>,
    },
    /// The model is built or loaded and the work begins.
    Started {
        /// What computes, in words, for example `Flex on the CPU`.
        device: String,
        /// Trainable parameters of the model.
        parameters: u64,
    },
    /// A training step was made.
    Step(StepMetric),
    /// The held-out part of the text was evaluated.
    HeldOut {
        /// The step after which it was.
        step: u64,
        /// Mean negative log-likelihood in nats a token.
        loss: f32,
        /// Entropy of the text's byte distribution in nats a byte: what a model without context reaches.
        unigram_entropy: f32,
    },
    /// Generated text, in order.
    Text {
        /// The next piece.
        text: String,
    },
    /// A line for the log.
    Log {
        /// The line.
        line: String,
    },
    /// All work is done.
    Summary {
        /// Tokens trained on, or generated.
        tokens: u64,
        /// Seconds of work, without bringing inputs in.
        seconds: f32,
    },
    /// The job itself cannot be done.
    Failed {
        /// What is wrong with it and what to change.
        reason: String,
    },
}

/// The figures of one training step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepMetric {
    /// Steps made so far, from 1.
    pub step: u64,
    /// Steps in all.
    pub steps: u64,
    /// Training loss in nats a token.
    pub loss: f32,
    /// Tokens trained on so far.
    pub tokens: u64,
    /// Recent speed in tokens a second.
    pub tokens_per_second: f32,
}

#[cfg(test)]
mod tests;
