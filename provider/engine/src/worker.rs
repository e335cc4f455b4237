//! Owns one job's life inside the worker: take the job and its inputs, run it, say how it ended.
//!
//! Call [`crate::warm_up`] before the process is locked and [`run`] after. Never reads a job byte before
//! that, never opens a file or a socket, and never runs a second job. A panic in a driver's library ends the job, in
//! words, and says so to the agent.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use market::job::{InferSpec, JobError, JobKind, JobSpec};
use market::wire::WireError;

use crate::card::{Card, CardError, Scrubbed};
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::generate::{Completion, GenerateError, Generator};
use crate::inputs::{InputError, Inputs};
use crate::outbox::{Outbox, OutputError};
use crate::protocol::{
    Blob, FailureCause, FromWorker, InferSummary, Pipe, Started, Summary, ToWorker,
};
use crate::train::{TrainError, train};
use crate::trainer::StepError;
use crate::training_state::{ResumeFiles, StateError};

/// Why a job failed.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The agent closed the pipe before the job began.
    #[error("the agent closed the pipe before the job began")]
    Closed,
    /// The pipe is broken.
    #[error("the pipe to the agent broke: {0}")]
    Pipe(#[from] io::Error),
    /// A message cannot be read.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The job is refused.
    #[error(transparent)]
    Job(#[from] JobError),
    /// A message came at a time when it means nothing.
    #[error("expected {expected} from the agent")]
    Unexpected {
        /// What should have come.
        expected: &'static str,
    },
    /// The job needs more memory than it may use.
    #[error("the job needs about {needed} bytes of memory; its limits.memory_bytes is {limit}")]
    Memory {
        /// The estimate.
        needed: u64,
        /// The limit.
        limit: u64,
    },
    /// An input is refused.
    #[error(transparent)]
    Input(#[from] InputError),
    /// Training ended early.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A prompt could not be continued.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// Something could not be sent.
    #[error(transparent)]
    Output(#[from] OutputError),
    /// The card refused, or failed.
    #[error(transparent)]
    Card(#[from] CardError),
    /// A library that computes gave up without an error.
    #[error("computing broke off: {0}")]
    BrokeOff(String),
}

impl RunError {
    /// Tells what a job's end says about the card.
    pub fn cause(&self) -> FailureCause {
        match self.card_error() {
            Some(CardError::Lost { .. }) => FailureCause::CardLost,
            _ if matches!(self, Self::BrokeOff(_)) => FailureCause::BrokeOff,
            _ => FailureCause::Job,
        }
    }

    /// Returns what the card said, where it was the card.
    fn card_error(&self) -> Option<&CardError> {
        match self {
            Self::Card(error)
            | Self::Generate(
                GenerateError::Card(error)
                | GenerateError::Checkpoint(CheckpointError::Card(error)),
            )
            | Self::Train(
                TrainError::Card(error)
                | TrainError::Step(StepError::Card(error))
                | TrainError::Checkpoint(CheckpointError::Card(error))
                | TrainError::State(StateError::File(CheckpointError::Card(error))),
            ) => Some(error),
            _ => None,
        }
    }
}

/// Runs one job from the pipe to its end; the last message is `Done` or `Failed`.
///
/// What the job leaves on the card is overwritten before `Done` is said, and after a failure where the card still works.
///
/// # Errors
/// The job's own, the card's or the pipe's; [`RunError::cause`] tells whether the card was lost.
pub fn run(pipe: &mut dyn Pipe, card: &Card) -> Result<Summary, RunError> {
    let outcome = guarded(card, || run_job(pipe, card)).and_then(|summary| {
        overwrite(pipe, card)?;
        Ok(summary)
    });
    match outcome {
        Ok(summary) => {
            pipe.send(&FromWorker::Done(summary).to_bytes())?;
            Ok(summary)
        }
        Err(error) => {
            let (reason, cause) = (error.to_string(), error.cause());
            // The pipe may be what failed; the error that is returned says so.
            let _ = pipe.send(&FromWorker::Failed { reason, cause }.to_bytes());
            if cause != FailureCause::CardLost {
                // The process ends now whatever this says, and its memory goes back to the driver.
                let _scrubbed = guarded(card, || Ok(card.scrub()?));
            }
            Err(error)
        }
    }
}

/// Overwrites what the job left on the card, and says how much that was.
fn overwrite(pipe: &mut dyn Pipe, card: &Card) -> Result<(), RunError> {
    let line = match guarded(card, || Ok(card.scrub()?)) {
        Ok(Scrubbed {
            overwritten,
            missed,
        }) => format!(
            "{overwritten} bytes of the card's memory were overwritten with zeros in place, {missed} after the driver had them"
        ),
        Err(lost) if lost.cause() == FailureCause::CardLost => return Err(lost),
        Err(error) => format!("the card's memory could not be overwritten: {error}"),
    };
    if card.is_gpu() {
        pipe.send(&FromWorker::Log(line).to_bytes())?;
    }
    Ok(())
}

/// Runs what may panic inside a driver's library, and makes an error of that: of the card where it was lost.
fn guarded<T>(card: &Card, work: impl FnOnce() -> Result<T, RunError>) -> Result<T, RunError> {
    let panicked = match catch_unwind(AssertUnwindSafe(work)) {
        Ok(outcome) => return outcome,
        Err(panicked) => panicked,
    };
    let asked = catch_unwind(AssertUnwindSafe(|| card.sync()));
    Err(match asked {
        Ok(Err(lost @ CardError::Lost { .. })) => lost.into(),
        _ => RunError::BrokeOff(words_of(panicked.as_ref())),
    })
}

/// Returns what a panic said, shortened.
fn words_of(panicked: &(dyn Any + Send)) -> String {
    let text = panicked.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panicked.downcast_ref::<&str>().copied());
    let text = text.unwrap_or("a panic without words");
    text.chars().take(400).collect()
}

fn run_job(pipe: &mut dyn Pipe, card: &Card) -> Result<Summary, RunError> {
    let job = receive_job(pipe)?;
    let (needed, limit) = (job.memory_bytes(), job.limits.memory_bytes);
    if needed > limit {
        return Err(RunError::Memory { needed, limit });
    }
    card.admit(job.card_bytes())?;
    let mut inputs = receive_inputs(pipe, &job)?;
    let mut outbox = Outbox::new(pipe, job.limits.output_bytes);
    match &job.kind {
        JobKind::Train(spec) => {
            let text = inputs.take(&spec.data)?;
            let resume = match &spec.resume {
                None => None,
                Some(resume) => Some(ResumeFiles {
                    weights: inputs.take(&resume.weights)?,
                    state: inputs.take(&resume.state)?,
                }),
            };
            let summary = train(spec, &text, resume, card, &mut outbox)?;
            Ok(Summary::Train(summary))
        }
        JobKind::Infer(spec) => {
            let checkpoint = Checkpoint {
                config: inputs.take(&spec.config)?,
                weights: inputs.take(&spec.weights)?,
            };
            let generator = Generator::load(&checkpoint, spec.tokens(), limit, card)?;
            drop(checkpoint);
            Ok(Summary::Infer(infer(spec, &generator, card, &mut outbox)?))
        }
    }
}

fn receive(pipe: &mut dyn Pipe) -> Result<ToWorker, RunError> {
    let message = pipe.receive()?.ok_or(RunError::Closed)?;
    Ok(ToWorker::from_bytes(&message)?)
}

fn receive_job(pipe: &mut dyn Pipe) -> Result<JobSpec, RunError> {
    match receive(pipe)? {
        ToWorker::Job(bytes) => Ok(JobSpec::from_bytes(&bytes.0)?),
        ToWorker::Input { .. } | ToWorker::Start => Err(RunError::Unexpected {
            expected: "the job",
        }),
    }
}

fn receive_inputs<'job>(pipe: &mut dyn Pipe, job: &'job JobSpec) -> Result<Inputs<'job>, RunError> {
    let mut inputs = Inputs::new(job)?;
    loop {
        match receive(pipe)? {
            ToWorker::Input {
                name,
                offset,
                bytes,
                last,
            } => {
                inputs.add(&name, offset, &bytes.0)?;
                if last {
                    inputs.finish(&name)?;
                }
            }
            ToWorker::Start => {
                inputs.check_complete()?;
                return Ok(inputs);
            }
            ToWorker::Job(_) => {
                return Err(RunError::Unexpected {
                    expected: "an input or the start",
                });
            }
        }
    }
}

fn infer(
    spec: &InferSpec,
    generator: &Generator,
    card: &Card,
    outbox: &mut Outbox<'_>,
) -> Result<InferSummary, RunError> {
    let parameters = generator.config().shape.parameters();
    outbox.send(&FromWorker::Started(Started {
        device: card.describe(),
        parameters,
        unigram_entropy: None,
    }))?;
    let completion = generator.generate(spec, &mut |bytes| {
        outbox.send(&FromWorker::Text(Blob(bytes.to_vec())))
    })?;
    let summary = InferSummary {
        parameters,
        prompt_tokens: completion.prompt_tokens,
        tokens: completion.tokens,
        seconds: completion.prefill_seconds + completion.decode_seconds,
        tokens_per_s: completion.tokens as f32 / completion.decode_seconds.max(f32::EPSILON),
    };
    let line = completion_line(spec, &completion, &summary);
    outbox.output(&"completion.txt".parse().expect("a name"), &completion.text)?;
    outbox.output(&"completion.jsonl".parse().expect("a name"), &line)?;
    Ok(summary)
}

/// Returns one line of JSON; bytes that are no text appear as U+FFFD there, and as they are in the
/// text output.
fn completion_line(spec: &InferSpec, completion: &Completion, summary: &InferSummary) -> Vec<u8> {
    let line = serde_json::json!({
        "prompt": spec.prompt,
        "completion": String::from_utf8_lossy(&completion.text),
        "prompt_tokens": summary.prompt_tokens,
        "tokens": summary.tokens,
        "temperature_milli": spec.temperature_milli,
        "seed": spec.seed,
        "seconds": summary.seconds,
        "tokens_per_s": summary.tokens_per_s,
    });
    format!("{line}\n").into_bytes()
}

#[cfg(test)]
mod tests;
