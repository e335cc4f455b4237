//! Owns the training loop of a job: steps, reports, measurements, checkpoints, and their order.
//!
//! The first report follows the first step at once, so that a consumer sees that work has begun; every
//! checkpoint leaves as soon as it is made. Never computes a gradient itself and never opens a file.

use std::time::Instant;

use market::job::{ArtifactName, CheckpointFile, MAX_CHECKPOINTS, TrainSpec};

use crate::card::{Card, CardError};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::outbox::{Outbox, OutputError};
use crate::protocol::{FromWorker, Metric, Started, TrainSummary};
use crate::text::{Text, TextError, unigram_entropy};
use crate::trainer::{StepError, StepReport, Trainer};
use crate::training_state::{ResumeFiles, StateError};

/// Why training ended early.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The text cannot be trained on.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The card has no room for the model.
    #[error(transparent)]
    Card(#[from] CardError),
    /// A step failed.
    #[error(transparent)]
    Step(#[from] StepError),
    /// A checkpoint could not be made.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint to go on from is refused, or the training's state could not be kept.
    #[error(transparent)]
    State(#[from] StateError),
    /// Something could not be sent.
    #[error(transparent)]
    Output(#[from] OutputError),
}

/// Runs a training job that has been validated to its end, from the beginning or from a checkpoint.
pub(crate) fn train(
    spec: &TrainSpec,
    bytes: &[u8],
    resume: Option<ResumeFiles>,
    card: &Card,
    outbox: &mut Outbox<'_>,
) -> Result<TrainSummary, TrainError> {
    let text = Text::split(bytes, spec)?;
    let mut trainer = Trainer::new(spec, card)?;
    let after = resume.map_or(Ok(0), |files| trainer.resume(&files))?;
    let entropy = unigram_entropy(text.training_part()) as f32;
    outbox.send(&FromWorker::Started(Started {
        device: card.describe(),
        parameters: spec.model.parameters(),
        unigram_entropy: Some(entropy),
    }))?;
    outbox.log(&format!(
        "{} bytes to train on, {} held out",
        text.training_part().len(),
        bytes.len() - text.training_part().len()
    ))?;
    if after > 0 {
        outbox.log(&format!(
            "going on after step {after} of {} from a checkpoint",
            spec.steps
        ))?;
    }
    let report = Run::new(spec, text, trainer, after).finish(outbox)?;
    let tokens = spec.tokens_per_step() * u64::from(spec.steps - after);
    Ok(TrainSummary {
        parameters: spec.model.parameters(),
        steps: spec.steps,
        tokens,
        loss_first: report.loss_first,
        loss_last: report.last.loss,
        loss_held_out: report.held_out,
        unigram_entropy: entropy,
        seconds: report.seconds,
        tokens_per_s: tokens as f32 / report.seconds.max(f32::EPSILON),
    })
}

/// What is known when the last step is done.
struct RunReport {
    loss_first: f32,
    last: StepReport,
    held_out: f32,
    seconds: f32,
}

/// A job's loop: the trainer, its text, and what has been reported so far.
struct Run<'job> {
    spec: &'job TrainSpec,
    text: Text<'job>,
    trainer: Trainer<'job>,
    began: Instant,
    reported_at: Instant,
    reported_step: u32,
    /// The step after which it began; 0 from the beginning.
    after: u32,
    /// Checkpoints made so far, and the step of the newest.
    saved: u32,
    saved_step: u32,
    metrics: Vec<u8>,
}

impl<'job> Run<'job> {
    fn new(spec: &'job TrainSpec, text: Text<'job>, trainer: Trainer<'job>, after: u32) -> Self {
        let now = Instant::now();
        Self {
            spec,
            text,
            trainer,
            began: now,
            reported_at: now,
            reported_step: after,
            after,
            saved: 0,
            saved_step: after,
            metrics: Vec::new(),
        }
    }

    fn finish(mut self, outbox: &mut Outbox<'_>) -> Result<RunReport, TrainError> {
        let first = self.step(self.after + 1, outbox)?;
        let mut latest = first;
        for step in self.after + 2..=self.spec.steps {
            latest = self.step(step, outbox)?;
        }
        let (last, held_out) = latest;
        let held_out = match held_out {
            Some(loss) => loss,
            None => self.trainer.held_out_loss(&self.text)?,
        };
        self.save_last(outbox)?;
        outbox.output(&artifact("metrics.jsonl"), &self.metrics)?;
        Ok(RunReport {
            loss_first: first.0.loss,
            last,
            held_out,
            seconds: self.began.elapsed().as_secs_f32(),
        })
    }

    /// Runs one step, then reports, measures and saves when it is time to.
    fn step(
        &mut self,
        step: u32,
        outbox: &mut Outbox<'_>,
    ) -> Result<(StepReport, Option<f32>), TrainError> {
        let windows = self.text.batch(step).map_err(StepError::from)?;
        let report = self.trainer.step(step, &windows)?;
        let last = step == self.spec.steps;
        let held_out = match last || is_due(step, self.spec.evaluate_every) {
            true => Some(self.trainer.held_out_loss(&self.text)?),
            false => None,
        };
        if step == self.after + 1 || held_out.is_some() || is_due(step, self.spec.log_every) {
            self.report(step, &report, held_out, outbox)?;
        }
        if !last && is_due(step, self.spec.checkpoint_every) && self.has_room_for(step) {
            self.save_step(step, outbox)?;
        }
        Ok((report, held_out))
    }

    fn report(
        &mut self,
        step: u32,
        report: &StepReport,
        held_out: Option<f32>,
        outbox: &mut Outbox<'_>,
    ) -> Result<(), TrainError> {
        let per_step = self.spec.tokens_per_step();
        let fresh = per_step * u64::from(step - self.reported_step);
        let waited = self.reported_at.elapsed().as_secs_f32();
        let metric = Metric {
            step,
            loss: report.loss,
            held_out,
            learning_rate: report.learning_rate,
            gradient_norm: report.gradient_norm,
            tokens: per_step * u64::from(step),
            tokens_per_s: fresh as f32 / waited.max(f32::EPSILON),
            seconds: self.began.elapsed().as_secs_f32(),
        };
        self.reported_at = Instant::now();
        self.reported_step = step;
        serde_json::to_writer(&mut self.metrics, &metric).expect("figures have a JSON form");
        self.metrics.push(b'\n');
        Ok(outbox.send(&FromWorker::Metric(metric))?)
    }

    /// Says whether the checkpoint of a step is one of those that an agreement delivers: the first quarter are
    /// made as the job asks, the others spread over the rest of the steps.
    fn has_room_for(&self, step: u32) -> bool {
        let left = MAX_CHECKPOINTS.saturating_sub(self.saved);
        let is_early = self.saved < MAX_CHECKPOINTS / 4;
        is_early || (left > 0 && step - self.saved_step >= (self.spec.steps - step) / left)
    }

    /// Sends the checkpoint of a step. The state comes last, and is left out where the job's limit has no
    /// room for it beside the weights that are still to come.
    fn save_step(&mut self, step: u32, outbox: &mut Outbox<'_>) -> Result<(), TrainError> {
        let checkpoint = Checkpoint::write(self.trainer.config(), self.trainer.weights())?;
        let name = |file: CheckpointFile| file.after(step);
        outbox.output(&name(CheckpointFile::Config), &checkpoint.config)?;
        outbox.output(&name(CheckpointFile::Weights), &checkpoint.weights)?;
        (self.saved, self.saved_step) = (self.saved + 1, step);
        let state = self.trainer.state(step)?;
        if outbox.left() >= self.bytes_to_come(step, &checkpoint, &state) {
            return Ok(outbox.output(&name(CheckpointFile::State), &state)?);
        }
        let line = "no room for the training's state under limits.output_bytes: another provider would go \
                    on from an older checkpoint or begin again";
        Ok(outbox.log(line)?)
    }

    /// Returns the bytes of the state and of all weights that follow it.
    fn bytes_to_come(&self, step: u32, checkpoint: &Checkpoint, state: &[u8]) -> u64 {
        let due = (self.spec.steps - step).checked_div(self.spec.checkpoint_every);
        let checkpoints = due.unwrap_or(0).min(MAX_CHECKPOINTS) + 1;
        let one = (checkpoint.config.len() + checkpoint.weights.len()) as u64;
        let weights = one.saturating_mul(checkpoints.into());
        weights.saturating_add(state.len() as u64)
    }

    /// Sends the model as it is at the end.
    fn save_last(&self, outbox: &mut Outbox<'_>) -> Result<(), TrainError> {
        let checkpoint = Checkpoint::write(self.trainer.config(), self.trainer.weights())?;
        let name = |file: CheckpointFile| artifact(file.file_name());
        outbox.output(&name(CheckpointFile::Config), &checkpoint.config)?;
        outbox.output(&name(CheckpointFile::Weights), &checkpoint.weights)?;
        Ok(())
    }
}

/// Says whether something that happens every `every` steps happens now; 0 means never.
fn is_due(step: u32, every: u32) -> bool {
    every > 0 && step.is_multiple_of(every)
}

fn artifact(name: &str) -> ArtifactName {
    name.parse()
        .expect("names made here have the form of names")
}

#[cfg(test)]
mod tests;
