//! Owns what precedes a job's work: its inputs, and a confined worker.
//!
//! Never lets the lease wait: both go on beside it and can be called off at any moment.

use std::path::PathBuf;
use std::time::Duration;

use market::NodeId;
use market::job::{self, ArtifactName};
use market::lease::Input;
use market_node::blobs::Blob;
use market_node::node::Node;
use sandbox::Limits;
use tokio::sync::mpsc;

use super::{LeaseShell, Pace, Work};
use crate::agent::{self, AgentError, Assignment, Session, WorkerEvent};

/// The least memory in which the engine starts, in bytes.
const LEAST_MEMORY_BYTES: u64 = 1 << 30;

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
        let limits = Limits {
            wall_clock: Duration::from_secs(self.job.limits.wall_clock_s.into()),
            memory_bytes: self.job.limits.memory_bytes.max(LEAST_MEMORY_BYTES),
            ..Limits::default()
        };
        let scratch = match self.node.home.folder("work") {
            Ok(folder) => folder,
            Err(error) => return self.job_failed(work, &error.to_string()).await,
        };
        let assignment = Assignment {
            sandbox: self.gauge.sandbox(limits),
            job: self.job.clone(),
            inputs: work.inputs.clone(),
            blobs: self.node.blobs.clone(),
            scratch,
        };
        work.bring_up
            .spawn(async move { BroughtUp::Worker(agent::start(assignment, events).await) });
    }

    pub(super) async fn brought_up(&self, brought: BroughtUp, work: &mut Work) {
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
            BroughtUp::Worker(Err(error)) => self.job_failed(work, &error.to_string()).await,
        }
    }
}

/// Fetches all inputs, each checked against its hash while it comes in.
async fn fetch(
    node: &Node,
    payer: NodeId,
    inputs: Vec<job::Input>,
) -> Result<Vec<(ArtifactName, PathBuf)>, String> {
    let mut files = Vec::with_capacity(inputs.len());
    for input in inputs {
        let blob = Blob {
            hash: input.hash,
            size: input.bytes,
        };
        let fetched = node
            .blobs
            .fetch(&node.network, payer, blob, &mut |_| {})
            .await;
        let path =
            fetched.map_err(|error| format!("input {} did not arrive: {error}", input.name))?;
        files.push((input.name, path));
    }
    Ok(files)
}
