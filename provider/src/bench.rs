//! Owns the bench's work: the same two constant jobs in a confined worker and in an unconfined one, and the end of a
//! worker at work.
//!
//! Never gives an unconfined worker anything but these jobs, which it makes itself.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use engine::{Blob, Card, FromWorker, MAX_FRAME_BYTES, Pipe, Summary, ToWorker};
use market::job::{
    ArtifactName, InferSpec, Input, JobKind, JobSpec, Limits, ModelShape, TrainSpec,
};
use sandbox::{FrameError, LaunchError, Output, Sandbox, Worker};
use serde::{Deserialize, Serialize};

/// The argument, behind the device, by which an unconfined worker does the work; a confined one is given it.
pub const WORK_ARGUMENT: &str = "bench-work";

/// How long a worker may take to lock itself.
const LOCK_TIMEOUT: Duration = Duration::from_secs(120);

/// Large enough that a step takes tens of milliseconds, small enough that a pair takes seconds.
const SHAPE: ModelShape = ModelShape {
    dim: 128,
    layers: 2,
    heads: 4,
    kv_heads: 2,
    ffn_dim: 256,
    vocabulary: 256,
    context: 256,
    tied_embeddings: true,
};
const STEPS: u32 = 30;
const TOKENS: u32 = 200;

/// Steps of a training that nobody waits for the end of: an hour and more.
#[cfg(target_os = "linux")]
const MANY_STEPS: u32 = 100_000;

/// How long a worker may outlive the wish to end it before that is an error.
#[cfg(target_os = "linux")]
const END_TIMEOUT: Duration = Duration::from_secs(10);

/// Steps after which a worker counts as at work: the first is longer than the others.
#[cfg(target_os = "linux")]
const STEPS_UNTIL_AT_WORK: usize = 4;

const TEXT: &[u8] = b"the same words again, so that nothing but the walls differs. ";

/// What the work took.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Worked {
    /// Seconds a training step.
    pub step_s: f64,
    /// Seconds a token of inference.
    pub token_s: f64,
    /// The largest resident memory of the worker that trained, in bytes; 0 where it cannot be told.
    pub peak_bytes: u64,
}

/// Why the work was not done.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// The worker did not come up.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// A message was lost.
    #[error("the worker's pipe: {0}")]
    Pipe(#[from] FrameError),
    /// The engine failed, or said something else than was expected.
    #[error("the worker did not do the bench's job: {0}")]
    Engine(String),
}

/// What a job came to.
struct Done {
    summary: Summary,
    outputs: BTreeMap<String, Vec<u8>>,
}

/// Does the work in two confined workers, one a job.
///
/// # Errors
/// A worker did not come up, or its job failed.
pub fn confined(sandbox: &Sandbox) -> Result<Worked, WorkError> {
    let mut peak_bytes = 0;
    let worked = work(|job, contents| {
        let (done, peak) = in_worker(sandbox, job, contents)?;
        peak_bytes = peak_bytes.max(peak);
        Ok(done)
    })?;
    Ok(Worked {
        peak_bytes,
        ..worked
    })
}

/// Does the work in this process, which is an unconfined worker.
///
/// # Errors
/// A job failed.
pub(crate) fn unconfined(card: &Card) -> Result<Worked, WorkError> {
    let worked = work(|job, contents| {
        let mut script = Script {
            messages: messages(job, contents).into(),
            said: Vec::new(),
        };
        engine::run(&mut script, card).map_err(|error| WorkError::Engine(error.to_string()))?;
        finish(script.said)
    })?;
    Ok(Worked {
        peak_bytes: peak_bytes(std::process::id()),
        ..worked
    })
}

fn work(
    mut run: impl FnMut(&JobSpec, &[Vec<u8>]) -> Result<Done, WorkError>,
) -> Result<Worked, WorkError> {
    let (job, contents) = training(STEPS);
    let trained = run(&job, &contents)?;
    let (job, contents) = inference(&trained.outputs)?;
    let inferred = run(&job, &contents)?;
    match (trained.summary, inferred.summary) {
        (Summary::Train(train), Summary::Infer(infer)) => Ok(Worked {
            step_s: f64::from(train.seconds) / f64::from(train.steps.max(1)),
            token_s: 1.0 / f64::from(infer.tokens_per_s.max(f32::EPSILON)),
            peak_bytes: 0,
        }),
        _ => Err(WorkError::Engine(
            "one kind of job did another's".to_owned(),
        )),
    }
}

fn name(text: &str) -> ArtifactName {
    text.parse()
        .expect("names made here have the form of names")
}

fn training(steps: u32) -> (JobSpec, Vec<Vec<u8>>) {
    let mut spec = TrainSpec::new(name("data.txt"));
    spec.model = SHAPE;
    (spec.steps, spec.warm_up_steps, spec.batch, spec.sequence) = (steps, 1, 4, 64);
    let text = TEXT.repeat(100);
    job(JobKind::Train(spec), vec![("data.txt", text)])
}

fn inference(outputs: &BTreeMap<String, Vec<u8>>) -> Result<(JobSpec, Vec<Vec<u8>>), WorkError> {
    let mut spec = InferSpec::new("the same");
    spec.max_tokens = TOKENS;
    let mut files = Vec::new();
    for file in ["config.json", "model.safetensors"] {
        let content = outputs
            .get(file)
            .ok_or_else(|| WorkError::Engine(format!("training made no {file}")))?;
        files.push((file, content.clone()));
    }
    Ok(job(JobKind::Infer(spec), files))
}

fn job(kind: JobKind, files: Vec<(&str, Vec<u8>)>) -> (JobSpec, Vec<Vec<u8>>) {
    let inputs = files
        .iter()
        .map(|(file, content)| Input::of(name(file), content));
    let job = JobSpec {
        inputs: inputs.collect(),
        kind,
        limits: Limits::default(),
    };
    (job, files.into_iter().map(|(_, content)| content).collect())
}

/// What the agent would send: the job, its inputs, the start.
fn messages(job: &JobSpec, contents: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut messages = vec![ToWorker::Job(Blob(job.to_bytes())).to_bytes()];
    for (input, content) in job.inputs.iter().zip(contents) {
        let mut offset = 0;
        for piece in content.chunks(engine::CHUNK_BYTES) {
            let message = ToWorker::Input {
                name: input.name.clone(),
                offset: offset as u64,
                bytes: Blob(piece.to_vec()),
                last: offset + piece.len() == content.len(),
            };
            messages.push(message.to_bytes());
            offset += piece.len();
        }
    }
    messages.push(ToWorker::Start.to_bytes());
    messages
}

/// Puts together what a worker said.
fn finish(said: Vec<FromWorker>) -> Result<Done, WorkError> {
    let mut outputs: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for message in said {
        match message {
            FromWorker::Output { name, bytes, .. } => {
                let output = outputs.entry(name.to_string()).or_default();
                output.extend_from_slice(&bytes.0);
            }
            FromWorker::Done(summary) => return Ok(Done { summary, outputs }),
            FromWorker::Failed { reason, .. } => return Err(WorkError::Engine(reason)),
            _ => {}
        }
    }
    Err(WorkError::Engine("it ended without a last word".to_owned()))
}

fn in_worker(
    sandbox: &Sandbox,
    job: &JobSpec,
    contents: &[Vec<u8>],
) -> Result<(Done, u64), WorkError> {
    let (worker, mut output, feeder) = begin(sandbox, job, contents)?;
    let (mut said, mut peak) = (Vec::new(), 0);
    while let Some(message) = next(&mut output)? {
        // Few messages carry an output, and the last do: to look takes a core for a millisecond.
        if matches!(message, FromWorker::Output { .. }) {
            let family = sandbox::family_of(worker.id());
            peak = family
                .into_iter()
                .map(peak_bytes)
                .max()
                .unwrap_or(0)
                .max(peak);
        }
        said.push(message);
    }
    worker.kill();
    let _ = feeder.join();
    Ok((finish(said)?, peak))
}

/// Starts a confined worker and gives it a job. What feeds it returns the pipe, which is open as long as it is kept.
fn begin(
    sandbox: &Sandbox,
    job: &JobSpec,
    contents: &[Vec<u8>],
) -> Result<(Worker, Output, JoinHandle<File>), WorkError> {
    let mut worker = sandbox.launch()?.wait_locked(LOCK_TIMEOUT)?;
    let (Some(mut input), Some(output)) = (worker.take_stdin(), worker.take_stdout()) else {
        unreachable!("a worker just made has its pipes")
    };
    let messages = messages(job, contents);
    let feeder = std::thread::spawn(move || {
        // A worker that does not take it all says why, or ends.
        let _ = messages
            .iter()
            .try_for_each(|message| sandbox::write_frame(&mut input, message));
        input
    });
    Ok((worker, output, feeder))
}

/// Reads what a worker says next; `None` once it has ended.
fn next(output: &mut Output) -> Result<Option<FromWorker>, WorkError> {
    let Some(frame) = sandbox::read_frame(output, MAX_FRAME_BYTES)? else {
        return Ok(None);
    };
    let message = FromWorker::from_bytes(&frame);
    let message = message.map_err(|error| WorkError::Engine(error.to_string()))?;
    Ok(Some(message))
}

/// The end of a worker at work.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    /// When the end was wished for.
    pub wished: Instant,
    /// How long after that every process of the worker was gone.
    pub gone: Duration,
    /// How many processes that were.
    pub processes: usize,
}

/// Lets a confined worker train, and ends it in the middle of a step: about `part` of one, 0 to 1, after a step ended.
/// `at_work` is called while it trains.
///
/// # Errors
/// The worker did not come up, its training failed, or a process of it outlives the wish by ten seconds.
#[cfg(target_os = "linux")]
pub fn end_at_work(
    sandbox: &Sandbox,
    part: f64,
    at_work: impl FnOnce(),
) -> Result<Ending, WorkError> {
    let (mut job, contents) = training(MANY_STEPS);
    if let JobKind::Train(spec) = &mut job.kind {
        spec.log_every = 1;
    }
    let (worker, mut output, feeder) = begin(sandbox, &job, &contents)?;
    let mut steps = Vec::new();
    while steps.len() < STEPS_UNTIL_AT_WORK {
        match next(&mut output)? {
            Some(FromWorker::Metric(_)) => steps.push(Instant::now()),
            Some(FromWorker::Failed { reason, .. }) => return Err(WorkError::Engine(reason)),
            Some(_) => {}
            None => {
                let words = "it ended before it was at work".to_owned();
                return Err(WorkError::Engine(words));
            }
        }
    }
    at_work();
    // Each is seen to end by itself: to have asked for the end shows nothing.
    let family = sandbox::family_of(worker.id());
    let watch =
        sandbox::Watch::over(&family).map_err(|error| WorkError::Engine(error.to_string()))?;
    if let [.., before, last] = steps.as_slice() {
        std::thread::sleep(until_part(part, *last - *before, last.elapsed()));
    }
    let wished = Instant::now();
    worker.kill();
    let is_gone = watch.gone_within(END_TIMEOUT);
    let gone = wished.elapsed();
    watch.end();
    let _ = feeder.join();
    if !is_gone {
        let words = format!("a process of it outlived the wish by {END_TIMEOUT:?}");
        return Err(WorkError::Engine(words));
    }
    Ok(Ending {
        wished,
        gone,
        processes: family.len(),
    })
}

/// As on Linux, where alone there are workers.
///
/// # Errors
/// No worker comes up.
#[cfg(not(target_os = "linux"))]
pub fn end_at_work(
    sandbox: &Sandbox,
    _part: f64,
    _at_work: impl FnOnce(),
) -> Result<Ending, WorkError> {
    let _none = sandbox.launch()?;
    Err(WorkError::Engine(
        "no worker can be watched here".to_owned(),
    ))
}

/// Returns how long it is until `part` of a step is done, where steps of this length follow each other and the last one
/// ended so long ago.
#[cfg(target_os = "linux")]
fn until_part(part: f64, step: Duration, ended_before: Duration) -> Duration {
    let (step, ended_before) = (step.as_secs_f64(), ended_before.as_secs_f64());
    let wait = (part.clamp(0.0, 1.0) * step - ended_before).rem_euclid(step);
    Duration::try_from_secs_f64(wait).unwrap_or(Duration::ZERO)
}

/// Reads the largest resident memory that a process has had, in bytes; 0 where it cannot be told.
fn peak_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}

/// The engine's messages from a list. What it says goes out as a confined worker's words do, so that both are slowed by
/// whoever listens.
struct Script {
    messages: VecDeque<Vec<u8>>,
    said: Vec<FromWorker>,
}

impl Pipe for Script {
    fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        Ok(self.messages.pop_front())
    }

    fn send(&mut self, message: &[u8]) -> io::Result<()> {
        sandbox::write_frame(&mut io::stdout(), message).map_err(io::Error::other)?;
        let message = FromWorker::from_bytes(message).map_err(io::Error::other)?;
        self.said.push(message);
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
