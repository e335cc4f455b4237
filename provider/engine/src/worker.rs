//! Owns one job's life inside the worker: take the job and its inputs, run it, say how it ended.
//!
//! Call [`crate::warm_up`] before the process is locked and [`run`] after. Never reads a job byte before
//! that, never opens a file or a socket, and never runs a second job.

use std::io;

use market::job::{InferSpec, JobError, JobKind, JobSpec};
use market::wire::WireError;

use crate::checkpoint::Checkpoint;
use crate::device::EngineDevice;
use crate::generate::{Completion, GenerateError, Generator};
use crate::inputs::{InputError, Inputs};
use crate::outbox::{Outbox, OutputError};
use crate::protocol::{Blob, FromWorker, InferSummary, Pipe, Started, Summary, ToWorker};
use crate::train::{TrainError, train};
use crate::training_state::ResumeFiles;

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
}

/// Runs one job from the pipe to its end; the last message is `Done` or `Failed`.
pub fn run(pipe: &mut dyn Pipe, device: &EngineDevice) -> Result<Summary, RunError> {
    match run_job(pipe, device) {
        Ok(summary) => {
            pipe.send(&FromWorker::Done(summary).to_bytes())?;
            Ok(summary)
        }
        Err(error) => {
            let reason = error.to_string();
            // The pipe may be what failed; the error that is returned says so.
            let _ = pipe.send(&FromWorker::Failed { reason }.to_bytes());
            Err(error)
        }
    }
}

fn run_job(pipe: &mut dyn Pipe, device: &EngineDevice) -> Result<Summary, RunError> {
    let job = receive_job(pipe)?;
    let (needed, limit) = (job.memory_bytes(), job.limits.memory_bytes);
    if needed > limit {
        return Err(RunError::Memory { needed, limit });
    }
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
            let summary = train(spec, &text, resume, device, &mut outbox)?;
            Ok(Summary::Train(summary))
        }
        JobKind::Infer(spec) => {
            let checkpoint = Checkpoint {
                config: inputs.take(&spec.config)?,
                weights: inputs.take(&spec.weights)?,
            };
            let generator = Generator::load(&checkpoint, device)?;
            generator.check_memory(spec, limit)?;
            drop(checkpoint);
            Ok(Summary::Infer(infer(
                spec,
                &generator,
                device,
                &mut outbox,
            )?))
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
    device: &EngineDevice,
    outbox: &mut Outbox<'_>,
) -> Result<InferSummary, RunError> {
    let parameters = generator.config().shape.parameters();
    outbox.send(&FromWorker::Started(Started {
        device: device.describe(),
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
