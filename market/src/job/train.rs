//! Owns what a training job says: the model, the data, the schedule, and what is reported when.
//!
//! Never holds a float: rates are integers in the unit that the field's name ends with.

use serde::{Deserialize, Serialize};

use super::range::check;
use super::{ArtifactName, JobError, ModelShape, RangeError, Resume, SLICE_OPERATIONS};

/// The most checkpoints that one agreement makes before the last step; each is three files, and an agreement
/// delivers at most 256.
pub const MAX_CHECKPOINTS: u32 = 80;

/// A training job. In a job file only `data` must be given; the rest defaults to the demo's recipe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainSpec {
    /// The input with the text, read as bytes.
    pub data: ArtifactName,
    /// The model to train from scratch.
    #[serde(default)]
    pub model: ModelShape,
    /// Optimiser steps, 1 to 10,000,000.
    #[serde(default = "default_steps")]
    pub steps: u32,
    /// Sequences in a step, 1 to 4,096.
    #[serde(default = "default_batch")]
    pub batch: u32,
    /// Tokens in a sequence, 8 to the model's context.
    #[serde(default = "default_sequence")]
    pub sequence: u32,
    /// Highest learning rate in 1/10^6, 1 to 1,000,000 (that is 1.0).
    #[serde(default = "default_learning_rate_micros")]
    pub learning_rate_micros: u32,
    /// Last learning rate as a share of the highest in 1/10^4, 0 to 10,000; a cosine leads to it.
    #[serde(default = "default_final_learning_rate_bps")]
    pub final_learning_rate_bps: u16,
    /// Steps over which the learning rate rises from 0 in a line, 0 to `steps`.
    #[serde(default = "default_warm_up_steps")]
    pub warm_up_steps: u32,
    /// AdamW's weight decay in 1/10^3, 0 to 1,000; not applied to norms.
    #[serde(default = "default_weight_decay_milli")]
    pub weight_decay_milli: u32,
    /// Norm to which the whole gradient is clipped in 1/10^3, 0 (never) to 1,000,000.
    #[serde(default = "default_clip_milli")]
    pub clip_milli: u32,
    /// Seed of the first weights and of the order of the data, up to 2^63-1.
    #[serde(default = "default_seed")]
    pub seed: u64,
    /// Share at the end of the text that is never trained on in 1/10^4, 1 to 5,000.
    #[serde(default = "default_held_out_bps")]
    pub held_out_bps: u16,
    /// Steps between measurements on the held-out text; 0 measures at the end only.
    #[serde(default)]
    pub evaluate_every: u32,
    /// Steps between checkpoints; 0 makes one at the end only. A job that would make more than
    /// [`MAX_CHECKPOINTS`] makes them at wider steps.
    #[serde(default = "default_checkpoint_every")]
    pub checkpoint_every: u32,
    /// Steps between metrics, 1 to 10,000, so that a job makes at most 100,000 reports; the first and
    /// the last step are always reported.
    #[serde(default = "default_log_every")]
    pub log_every: u32,
    /// The checkpoint to go on from; the job file never sets it.
    #[serde(default)]
    pub resume: Option<Resume>,
}

fn default_steps() -> u32 {
    400
}

fn default_batch() -> u32 {
    4
}

fn default_sequence() -> u32 {
    128
}

fn default_learning_rate_micros() -> u32 {
    3_000
}

fn default_final_learning_rate_bps() -> u16 {
    1_000
}

fn default_warm_up_steps() -> u32 {
    20
}

fn default_weight_decay_milli() -> u32 {
    100
}

fn default_clip_milli() -> u32 {
    1_000
}

fn default_seed() -> u64 {
    42
}

fn default_held_out_bps() -> u16 {
    500
}

fn default_checkpoint_every() -> u32 {
    100
}

fn default_log_every() -> u32 {
    5
}

impl TrainSpec {
    /// Makes the demo's recipe for the input called `data`.
    pub fn new(data: ArtifactName) -> Self {
        Self {
            data,
            model: ModelShape::default(),
            steps: default_steps(),
            batch: default_batch(),
            sequence: default_sequence(),
            learning_rate_micros: default_learning_rate_micros(),
            final_learning_rate_bps: default_final_learning_rate_bps(),
            warm_up_steps: default_warm_up_steps(),
            weight_decay_milli: default_weight_decay_milli(),
            clip_milli: default_clip_milli(),
            seed: default_seed(),
            held_out_bps: default_held_out_bps(),
            evaluate_every: 0,
            checkpoint_every: default_checkpoint_every(),
            log_every: default_log_every(),
            resume: None,
        }
    }

    /// Returns the tokens that one step trains on.
    pub fn tokens_per_step(&self) -> u64 {
        u64::from(self.batch).saturating_mul(self.sequence.into())
    }

    /// Returns the tokens that all steps train on, saturating.
    pub fn tokens(&self) -> u64 {
        self.tokens_per_step().saturating_mul(self.steps.into())
    }

    /// Returns the floating-point operations of the largest kernel over one sequence.
    pub fn row_operations(&self) -> u64 {
        let sequence = u64::from(self.sequence);
        self.model.largest_product(sequence, sequence)
    }

    /// Returns the sequences that are computed at once: as many of the batch as keep every kernel within
    /// [`SLICE_OPERATIONS`], at least one. The same on every machine, since it decides the order of sums.
    pub fn slice_rows(&self) -> u32 {
        let fitting = SLICE_OPERATIONS / self.row_operations().max(1);
        let fitting = u32::try_from(fitting).unwrap_or(u32::MAX);
        fitting.min(self.batch).max(1)
    }

    /// Checks every range that the fields state.
    pub fn validate(&self) -> Result<(), JobError> {
        self.model.validate()?;
        self.validate_size()?;
        self.validate_recipe()?;
        Ok(())
    }

    fn validate_size(&self) -> Result<(), RangeError> {
        let context = u64::from(self.model.context);
        check("train.steps", self.steps.into(), 1..=10_000_000, "steps")?;
        check("train.batch", self.batch.into(), 1..=4_096, "sequences")?;
        check(
            "train.sequence",
            self.sequence.into(),
            8..=context,
            "tokens",
        )?;
        check(
            "batch * sequence",
            self.tokens_per_step(),
            8..=1 << 20,
            "tokens",
        )?;
        check(
            "train.sequence with the model's sizes",
            self.row_operations(),
            1..=SLICE_OPERATIONS,
            "operations in one kernel",
        )?;
        check(
            "train.held_out_bps",
            self.held_out_bps.into(),
            1..=5_000,
            "in 1/10^4",
        )?;
        let steps = u64::from(self.steps);
        check(
            "train.warm_up_steps",
            self.warm_up_steps.into(),
            0..=steps,
            "steps",
        )?;
        check(
            "train.log_every",
            self.log_every.into(),
            1..=10_000,
            "steps",
        )?;
        // Measurements on held-out text are reported as well.
        let reports =
            self.steps / self.log_every + self.steps.checked_div(self.evaluate_every).unwrap_or(0);
        let most = 0..=100_000;
        check(
            "train.steps / train.log_every",
            reports.into(),
            most,
            "reports",
        )
    }

    fn validate_recipe(&self) -> Result<(), RangeError> {
        let rate = u64::from(self.learning_rate_micros);
        check(
            "train.learning_rate_micros",
            rate,
            1..=1_000_000,
            "in 1/10^6",
        )?;
        let last = u64::from(self.final_learning_rate_bps);
        check(
            "train.final_learning_rate_bps",
            last,
            0..=10_000,
            "in 1/10^4",
        )?;
        let decay = u64::from(self.weight_decay_milli);
        check("train.weight_decay_milli", decay, 0..=1_000, "in 1/10^3")?;
        check(
            "train.clip_milli",
            self.clip_milli.into(),
            0..=1_000_000,
            "in 1/10^3",
        )?;
        check("train.seed", self.seed, 0..=i64::MAX as u64, "")
    }
}
