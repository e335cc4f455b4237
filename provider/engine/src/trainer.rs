//! Owns one training step: loss, gradient, clipping, AdamW, and the measurement on held-out text.
//!
//! On the processor a batch is computed in parts on threads, because Flex splits only matrix products
//! over cores. Never decides when to stop, report or save; that is the loop's business. The same seed
//! gives the same bits on the same device: parts do not depend on the number of cores, and their
//! gradients are added in order.

use std::thread::{self, ScopedJoinHandle};

use burn::optim::{AdamW, AdamWConfig, AdamWState, Optimizer};
use burn::tensor::{Tensor, activation};

use market::job::TrainSpec;

use crate::card::{Card, CardError};
use crate::checkpoint::read_weights;
use crate::config::ModelConfig;
use crate::model::Decoder;
use crate::positions::{PositionTables, Positions};
use crate::text::{Text, Windows};
use crate::tokens::{TokenBatch, TokenError};
use crate::training_state::{self, ResumeFiles, StateError, TrainingState};
use crate::weights::{Role, initial, slots};

/// AdamW's averages of the gradient and of its square, and what keeps it from dividing by zero.
const BETA_1: f32 = 0.9;
const BETA_2: f32 = 0.95;
const EPSILON: f32 = 1e-8;

/// Parts of a batch on the processor; the same on every machine, since it decides the order of sums.
/// More than two cost more work than they spread: their matrix products become too small.
const PROCESSOR_PARTS: usize = 2;

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    /// A token is outside the vocabulary.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The loss or the gradient is no longer a number.
    #[error(
        "training diverged at step {step}: loss {loss}, gradient norm {gradient_norm}; use a lower \
         train.learning_rate_micros or more train.warm_up_steps"
    )]
    Diverged {
        /// The step.
        step: u32,
        /// Its loss.
        loss: f32,
        /// Norm of its gradient.
        gradient_norm: f32,
    },
    /// The card did not return a result.
    #[error(transparent)]
    Card(#[from] CardError),
}

/// What one step showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct StepReport {
    /// Mean loss before the update, in nats a token.
    pub(crate) loss: f32,
    /// Norm of the whole gradient before clipping.
    pub(crate) gradient_norm: f32,
    /// The learning rate that was used.
    pub(crate) learning_rate: f32,
}

/// A model in training.
pub(crate) struct Trainer<'spec> {
    spec: &'spec TrainSpec,
    config: ModelConfig,
    weights: Vec<Tensor<2>>,
    roles: Vec<Role>,
    moments: Vec<Option<AdamWState<2>>>,
    decayed: AdamW,
    undecayed: AdamW,
    positions: Positions,
    card: Card,
    /// Rows that are computed at once.
    slice_rows: usize,
    parts: usize,
}

/// What one part of a batch adds: its share of the mean loss, and that share's gradients.
struct PartGradients {
    loss: f32,
    gradients: Vec<Option<Tensor<2>>>,
}

impl<'spec> Trainer<'spec> {
    /// Draws the first weights of a job that has been validated.
    pub(crate) fn new(spec: &'spec TrainSpec, card: &Card) -> Result<Self, CardError> {
        let parts = match card.is_gpu() {
            true => 1,
            false => PROCESSOR_PARTS,
        };
        let config = ModelConfig::new(spec.model);
        let roles: Vec<Role> = slots(&spec.model).iter().map(|slot| slot.role).collect();
        let adam = AdamWConfig::new()
            .with_beta_1(BETA_1)
            .with_beta_2(BETA_2)
            .with_epsilon(EPSILON);
        let decay = spec.weight_decay_milli as f32 / 1e3;
        let weights = initial(&spec.model, spec.seed, card)?;
        let tables = PositionTables::new(&config, card)?;
        Ok(Self {
            spec,
            config,
            weights,
            moments: roles.iter().map(|_| None).collect(),
            roles,
            decayed: adam.clone().with_weight_decay(decay).build(),
            undecayed: adam.with_weight_decay(0.0).build(),
            positions: tables.stretch(0, spec.sequence as usize)?,
            card: card.clone(),
            slice_rows: spec.slice_rows() as usize,
            parts,
        })
    }

    /// Goes on from a checkpoint of a job that has been validated, on the device that the trainer was made
    /// for. Returns the step after which it was made. Both files are checked whole before either is used.
    pub(crate) fn resume(&mut self, files: &ResumeFiles) -> Result<u32, StateError> {
        let weights = read_weights(&self.config, &files.weights, &self.card)?;
        let state = TrainingState::read(&self.config, &files.state, &self.card)?;
        if state.step >= self.spec.steps {
            return Err(StateError::Step {
                step: state.step.to_string(),
                steps: self.spec.steps,
            });
        }
        self.weights = weights;
        self.moments = state.moments.into_iter().map(Some).collect();
        Ok(state.step)
    }

    /// Returns what going on exactly after `step` needs beside the weights, as a file.
    pub(crate) fn state(&self, step: u32) -> Result<Vec<u8>, StateError> {
        training_state::write(&self.config, &self.moments, step)
    }

    /// Returns the model's configuration.
    pub(crate) fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Returns the weights as they are now, in the order of [`slots`].
    pub(crate) fn weights(&self) -> &[Tensor<2>] {
        &self.weights
    }

    /// Trains on one batch; `step` counts from 1.
    pub(crate) fn step(&mut self, step: u32, windows: &Windows) -> Result<StepReport, StepError> {
        let (loss, gradients) = self.gradients(windows)?;
        let report = StepReport {
            loss,
            gradient_norm: norm(&gradients)?,
            learning_rate: learning_rate(self.spec, step) as f32,
        };
        if !report.loss.is_finite() || !report.gradient_norm.is_finite() {
            return Err(StepError::Diverged {
                step,
                loss: report.loss,
                gradient_norm: report.gradient_norm,
            });
        }
        self.update(gradients, &report);
        Ok(report)
    }

    /// Returns the mean loss of a batch and its gradients, slice after slice, so that no kernel is larger than one
    /// of a slice and no more is held of the card than a slice needs.
    fn gradients(&self, windows: &Windows) -> Result<(f32, Vec<Option<Tensor<2>>>), StepError> {
        let mut total: Option<PartGradients> = None;
        for (slice, share) in windows.slices(self.slice_rows)? {
            for part in self.slice_gradients(&slice, share)? {
                let part = part?;
                total = Some(match total {
                    Some(total) => total.plus(part),
                    None => part,
                });
            }
            self.card.check()?;
        }
        let total = total.expect("a batch has at least one part");
        Ok((total.loss, total.gradients))
    }

    /// Computes one slice, on the processor in parts on threads; `share` is its share of the batch.
    fn slice_gradients(
        &self,
        slice: &Windows,
        share: f32,
    ) -> Result<Vec<Result<PartGradients, StepError>>, StepError> {
        if self.parts == 1 {
            // A card keeps memory of its own for every thread that asks, so all work comes from one.
            return Ok(vec![self.part_gradients(slice, share)]);
        }
        let parts = slice.split(self.parts)?;
        let compute =
            |(part, of_slice): &(Windows, f32)| self.part_gradients(part, of_slice * share);
        let compute = &compute;
        Ok(thread::scope(|scope| {
            let threads: Vec<_> = parts
                .iter()
                .map(|part| scope.spawn(move || compute(part)))
                .collect();
            threads.into_iter().map(joined).collect()
        }))
    }

    /// Computes one part with its own copy of the graph; `share` is its share of the batch.
    fn part_gradients(&self, part: &Windows, share: f32) -> Result<PartGradients, StepError> {
        let weights: Vec<Tensor<2>> = self.weights.iter().cloned().map(tracked).collect();
        let decoder = Decoder {
            config: &self.config,
            weights: &weights,
        };
        let logits = decoder.logits(&part.inputs, &self.positions, None)?;
        let loss = mean_loss(logits, &part.targets)?.mul_scalar(share);
        let mut gradients = loss.backward();
        Ok(PartGradients {
            gradients: weights
                .iter()
                .map(|weight| weight.grad_remove(&mut gradients))
                .collect(),
            loss: scalar(loss.inner())?,
        })
    }

    /// Returns the mean loss on the held-out text in nats a token.
    pub(crate) fn held_out_loss(&self, text: &Text<'_>) -> Result<f32, StepError> {
        let decoder = Decoder {
            config: &self.config,
            weights: &self.weights,
        };
        let (mut total, mut tokens) = (0.0, 0.0);
        for windows in text.held_out() {
            for (slice, _) in windows?.slices(self.slice_rows)? {
                let count = (slice.inputs.rows() * slice.inputs.columns()) as f64;
                let logits = decoder.logits(&slice.inputs, &self.positions, None)?;
                total += f64::from(scalar(mean_loss(logits, &slice.targets)?)?) * count;
                tokens += count;
                self.card.check()?;
            }
        }
        Ok((total / tokens) as f32)
    }

    /// Clips the gradient as a whole and moves every weight.
    fn update(&mut self, gradients: Vec<Option<Tensor<2>>>, report: &StepReport) {
        let clip = self.spec.clip_milli as f32 / 1e3;
        let scale = match clip > 0.0 && report.gradient_norm > clip {
            true => clip / report.gradient_norm,
            false => 1.0,
        };
        for (index, gradient) in gradients.into_iter().enumerate() {
            let Some(gradient) = gradient else { continue };
            let gradient = match scale < 1.0 {
                true => gradient.mul_scalar(scale),
                false => gradient,
            };
            let optimizer = match self.roles[index] {
                Role::Norm => &self.undecayed,
                Role::Table | Role::Projection | Role::ResidualProjection => &self.decayed,
            };
            let (moved, moments) = optimizer.step(
                f64::from(report.learning_rate),
                self.weights[index].clone(),
                gradient,
                self.moments[index].take(),
            );
            self.weights[index] = moved;
            self.moments[index] = moments;
        }
    }
}

impl PartGradients {
    fn plus(self, other: Self) -> Self {
        let pairs = self.gradients.into_iter().zip(other.gradients);
        let add = |pair: (Option<Tensor<2>>, Option<Tensor<2>>)| match pair {
            (Some(one), Some(other)) => Some(one + other),
            (one, other) => one.or(other),
        };
        Self {
            loss: self.loss + other.loss,
            gradients: pairs.map(add).collect(),
        }
    }
}

/// Waits for a part; a panic inside Burn is an error of the device.
fn joined<T>(part: ScopedJoinHandle<'_, Result<T, StepError>>) -> Result<T, StepError> {
    let panicked = |_| Err(CardError::failed("a training thread panicked").into());
    part.join().unwrap_or_else(panicked)
}

/// Makes a weight one whose gradient is kept.
fn tracked(weight: Tensor<2>) -> Tensor<2> {
    weight.autodiff().require_grad()
}

/// Returns the learning rate of a step that counts from 1: a line up to the highest over the warm-up,
/// then half a cosine down to the last.
pub(crate) fn learning_rate(spec: &TrainSpec, step: u32) -> f64 {
    let highest = f64::from(spec.learning_rate_micros) / 1e6;
    let lowest = highest * f64::from(spec.final_learning_rate_bps) / 1e4;
    if step <= spec.warm_up_steps {
        return highest * f64::from(step) / f64::from(spec.warm_up_steps);
    }
    let falling = f64::from((spec.steps - spec.warm_up_steps).max(1));
    let progress = (f64::from(step - spec.warm_up_steps) / falling).min(1.0);
    let cosine = (1.0 + (std::f64::consts::PI * progress).cos()) / 2.0;
    lowest + (highest - lowest) * cosine
}

/// Returns the mean cross-entropy of scores `[tokens, vocabulary]`, in nats a token.
fn mean_loss(logits: Tensor<2>, targets: &TokenBatch) -> Result<Tensor<1>, TokenError> {
    let scores = targets.scores_in(activation::log_softmax(logits, 1))?;
    Ok(scores.mean().neg())
}

/// Returns the norm of all gradients as one vector.
fn norm(gradients: &[Option<Tensor<2>>]) -> Result<f32, StepError> {
    let squares = gradients.iter().flatten();
    let sums = squares.map(|gradient| gradient.clone().square().sum());
    match sums.reduce(|total, sum| total + sum) {
        Some(total) => Ok(scalar(total)?.sqrt()),
        None => Ok(0.0),
    }
}

/// Waits for a single number.
fn scalar(tensor: Tensor<1>) -> Result<f32, StepError> {
    let data = tensor.try_into_data().map_err(CardError::from)?;
    let value = data.iter::<f32>().next();
    value.ok_or_else(|| CardError::failed("an empty result").into())
}

#[cfg(test)]
mod tests;
