//! Owns what precedes a job's work: its inputs, and a confined worker.
//!
//! Never lets the lease wait: both go on beside it and can be called off at any moment.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use market::NodeId;
use market::job::{self, ArtifactName};
use market::lease::Input;
use market_node::blobs::{Blob, FetchError};
use market_node::disk::check_room;
use market_node::node::Node;
use sandbox::Limits;
use tokio::sync::mpsc;

use super::{LeaseShell, Pace, Trouble, Work};
use crate::agent::{self, AgentError, Assignment, Session, WorkerEvent};
use crate::gauge::LEAST_MEMORY_BYTES;

/// How soon an input is asked for again.
const INPUT_RETRY: Duration = Duration::from_secs(1);

/// The processor time that a worker can have used honestly by its deadline: all of every core, since its threads are
/// added up, and from its start, while the deadline is counted from LOCKED.
fn processor_time(wall_clock: Duration) -> Duration {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let from_its_start = wall_clock.saturating_add(agent::LOCK_TIMEOUT);
    from_its_start.saturating_mul(u32::try_from(cores).unwrap_or(u32::MAX))
}

/// The most bytes of a worker's reports: progress, metrics, text as it is made.
const REPORT_BYTES: u64 = 64 << 20;

/// The most bytes that a worker may write in all: its outputs in frames, each a little longer than what it carries, and
/// its reports.
fn pipe_bytes(output_bytes: u64) -> u64 {
    output_bytes
        .saturating_add(output_bytes / 8)
        .saturating_add(REPORT_BYTES)
        .min(1 << 50)
}

/// Something that a lease needs, or why it is not to be had.
pub(super) enum BroughtUp {
    Inputs(Result<Vec<(ArtifactName, PathBuf)>, String>),
    Worker(Result<Session, AgentError>),
}

impl LeaseShell {
    pub(super) fn fetch_inputs(&self, work: &mut Work) {
        let (node, payer, inputs) = (self.node.clone(), self.payer_node, self.job.inputs.clone());
        work.bring_up
            .spawn(async move { BroughtUp::Inputs(fetch(&node, payer, inputs).await) });
    }

    pub(super) async fn start_worker(&self, work: &mut Work, events: mpsc::Sender<WorkerEvent>) {
        // What the ask promises of the card's memory; on a processor it is memory like any other.
        let usable = self.gauge.report.figures.usable_memory_bytes.unwrap_or(0);
        let wall_clock = Duration::from_secs(self.job.limits.wall_clock_s.into());
        let limits = Limits {
            wall_clock,
            cpu_time: processor_time(wall_clock),
            memory_bytes: self.job.limits.memory_bytes.max(LEAST_MEMORY_BYTES),
            vram_bytes: usable.max(LEAST_MEMORY_BYTES),
            output_bytes: pipe_bytes(self.job.limits.output_bytes),
            ..Limits::default()
        };
        let scratch = match self.node.home.folder("work") {
            Ok(folder) => folder,
            Err(error) => return self.job_failed(work, &error.to_string()).await,
        };
        let assignment = Assignment {
            sandbox: self.gauge.workplace.sandbox(limits),
            job: self.job.clone(),
            inputs: work.inputs.clone(),
            blobs: self.node.blobs.clone(),
            scratch,
            switch: self.switch.clone(),
        };
        work.bring_up
            .spawn(async move { BroughtUp::Worker(agent::start(assignment, events).await) });
    }

    pub(super) async fn brought_up(&mut self, brought: BroughtUp, work: &mut Work) {
        match brought {
            BroughtUp::Inputs(Ok(inputs)) => {
                work.inputs = inputs;
                self.lease.input(Input::InputsReady).await;
            }
            BroughtUp::Inputs(Err(reason)) => self.job_failed(work, &reason).await,
            BroughtUp::Worker(Ok(session)) => {
                if work.pace == Pace::Frozen {
                    session.pause();
                }
                work.session = Some(session);
            }
            BroughtUp::Worker(Err(error)) => {
                if !self.switch.is_pulled() {
                    self.tell_trouble(Trouble::NoWorker(error.to_string()));
                }
                self.job_failed(work, &error.to_string()).await;
            }
        }
    }
}

/// Fetches all inputs, each checked against its hash while it comes in. A payer that is out of reach is asked
/// again for as long as this node is patient.
async fn fetch(
    node: &Node,
    payer: NodeId,
    inputs: Vec<job::Input>,
) -> Result<Vec<(ArtifactName, PathBuf)>, String> {
    let bytes = inputs.iter().map(|input| input.bytes).sum();
    let reserve = node.settings.disk.reserve_bytes();
    if let Err(low) = check_room(node.home.path(), reserve, bytes) {
        tracing::warn!(%low, "a job's inputs are not taken");
        return Err("the provider's disk has no room for the inputs".to_owned());
    }
    let mut files = Vec::with_capacity(inputs.len());
    for input in inputs {
        let path = fetch_one(node, payer, &input).await;
        let path = path.map_err(|error| format!("input {} did not arrive: {error}", input.name))?;
        files.push((input.name, path));
    }
    Ok(files)
}

async fn fetch_one(node: &Node, payer: NodeId, input: &job::Input) -> Result<PathBuf, FetchError> {
    let blob = Blob {
        hash: input.hash,
        size: input.bytes,
    };
    let mut failing_since = None;
    loop {
        // What has arrived stays, so that each try goes on where the last one stopped.
        let mut arrived = false;
        let mut progress = |_| arrived = true;
        let fetched = node
            .blobs
            .fetch(&node.network, payer, blob, &mut progress)
            .await;
        let error = match fetched {
            Ok(path) => return Ok(path),
            Err(error) => error,
        };
        if arrived {
            failing_since = None;
        }
        let since = *failing_since.get_or_insert_with(Instant::now);
        let out_of_patience = since.elapsed() >= node.settings.lease.patience();
        if out_of_patience || !may_pass(&error) {
            return Err(error);
        }
        tracing::debug!(name = %input.name, %error, "an input is asked for again");
        tokio::time::sleep(INPUT_RETRY).await;
    }
}

/// Tells whether asking the payer again may help.
fn may_pass(error: &FetchError) -> bool {
    matches!(
        error,
        FetchError::Call(_) | FetchError::NotShared(_) | FetchError::Unreadable { .. }
    )
}
