//! Owns one trial: a job and its files go to a fresh confined worker, and what comes back is gathered.
//!
//! Never judges what comes back, and leaves no file behind.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use engine::{FailureCause, FromWorker};
use market::job::JobSpec;
use market_node::blobs::{BlobError, BlobStore};
use sandbox::{PrivateFolder, Sandbox};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

use crate::agent::{self, AgentError, Assignment, WorkerEvent};

/// How long one trial may take after its worker is locked.
const PATIENCE: Duration = Duration::from_secs(120);

/// What all trials together may leave in their store until they are over.
const QUOTA_BYTES: u64 = 256 << 20;

/// The most bytes of one output that are read back.
const MAX_OUTPUT_BYTES: u64 = 32 << 20;

/// Events that wait for whoever gathers them.
const EVENTS: usize = 64;

/// The start of the name of every folder made here.
const PREFIX: &str = "nightshift-engine-check-";

/// A job with the content of its inputs, in the job's order.
pub(super) struct Trial {
    pub(super) job: JobSpec,
    pub(super) contents: Vec<Vec<u8>>,
}

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// The job was done.
    Done,
    /// The engine refused it in words before it said that it had started.
    Refused,
    /// The engine failed in words after it had started.
    BrokeOff,
    /// The card was lost.
    CardLost,
    /// The worker died without a last word, or broke the protocol.
    Died,
    /// It was still at work when patience ended.
    OutOfTime,
    /// No worker came up, or it was never given the job.
    Untried,
}

/// What was heard of a trial.
pub(super) struct Heard {
    pub(super) ending: Ending,
    /// The name of the driver's profile, once the worker was locked.
    pub(super) profile: Option<String>,
    /// The outputs by name.
    pub(super) outputs: BTreeMap<String, Vec<u8>>,
    /// The lines for people.
    pub(super) log: Vec<String>,
    started: bool,
    words: String,
}

impl Heard {
    pub(super) fn nothing(ending: Ending, words: impl Into<String>) -> Self {
        Self {
            ending,
            profile: None,
            outputs: BTreeMap::new(),
            log: Vec::new(),
            started: false,
            words: words.into(),
        }
    }

    /// Says in words how the trial ended.
    pub(super) fn in_words(&self) -> String {
        let words = &self.words;
        match self.ending {
            Ending::Done => "the job was done".to_owned(),
            Ending::Refused => format!("refused before any work: {words}"),
            Ending::BrokeOff => format!("it broke off while at work: {words}"),
            Ending::CardLost => format!("the card was lost: {words}"),
            Ending::Died => format!("the worker died: {words}"),
            Ending::OutOfTime => format!("still at work after {} s", PATIENCE.as_secs()),
            Ending::Untried => format!("it could not be tried: {words}"),
        }
    }
}

/// Why no trial can be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum PrepareError {
    /// There is no folder for the files.
    #[error("no folder for the files of the attacks: {0}")]
    Folder(#[from] io::Error),
    /// There is no store for what workers make.
    #[error("no store for what workers make: {0}")]
    Store(#[from] BlobError),
}

/// What trials are made with.
pub(super) struct Trials {
    sandbox: Sandbox,
    folder: PrivateFolder,
    blobs: BlobStore,
    runtime: Runtime,
}

impl Trials {
    /// Makes a folder of their own and everything else that trials need.
    pub(super) fn prepare(sandbox: Sandbox) -> Result<Self, PrepareError> {
        let folder = PrivateFolder::make(PREFIX)?;
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        runtime.enable_time();
        Ok(Self {
            sandbox,
            blobs: BlobStore::open(&folder.path().join("blobs"), QUOTA_BYTES)?,
            folder,
            runtime: runtime.build()?,
        })
    }

    /// Gives the job to a fresh worker and waits for its end.
    pub(super) fn run(&self, trial: &Trial) -> Heard {
        let mut inputs = Vec::new();
        for (index, (input, content)) in trial.job.inputs.iter().zip(&trial.contents).enumerate() {
            let path = self.folder.path().join(format!("input-{index}"));
            if let Err(error) = std::fs::write(&path, content) {
                return Heard::nothing(Ending::Untried, error.to_string());
            }
            inputs.push((input.name.clone(), path));
        }
        let assignment = Assignment::new(
            self.sandbox.clone(),
            (trial.job.clone(), inputs),
            self.blobs.clone(),
            self.folder.path().to_owned(),
        );
        self.runtime.block_on(self.attend(assignment))
    }

    async fn attend(&self, assignment: Assignment) -> Heard {
        let (sender, mut events) = mpsc::channel(EVENTS);
        let session = match agent::start(assignment, sender).await {
            Ok(session) => session,
            Err(error) => return Heard::nothing(Ending::Untried, error.to_string()),
        };
        let mut heard = Heard::nothing(Ending::Died, "");
        let gathering = async {
            while let Some(event) = events.recv().await {
                self.gather(event, &mut heard);
            }
        };
        if tokio::time::timeout(PATIENCE, gathering).await.is_err() {
            heard.ending = Ending::OutOfTime;
            session.kill();
        }
        heard
    }

    fn gather(&self, event: WorkerEvent, heard: &mut Heard) {
        match event {
            WorkerEvent::Locked(report) => heard.profile = Some(report.profile),
            WorkerEvent::Report(report) => note(report, heard),
            WorkerEvent::Output { name, hash, .. } => {
                if let Ok(content) = self.blobs.read(hash, MAX_OUTPUT_BYTES) {
                    heard.outputs.insert(name.to_string(), content);
                }
            }
            WorkerEvent::Ended(Ok(())) => {}
            WorkerEvent::Ended(Err(error)) => {
                heard.ending = match error {
                    AgentError::CardLost { .. } => Ending::CardLost,
                    AgentError::Died { .. } | AgentError::OutOfMemory => Ending::Died,
                    AgentError::OutOfTime => Ending::OutOfTime,
                    AgentError::Protocol(_)
                    | AgentError::TooMuchOutput { .. }
                    | AgentError::Store(_) => Ending::BrokeOff,
                    AgentError::Launch(_) | AgentError::Thread(_) | AgentError::Input(_) => {
                        Ending::Untried
                    }
                };
                heard.words = error.to_string();
            }
        }
    }
}

/// Notes what the engine says.
fn note(report: FromWorker, heard: &mut Heard) {
    match report {
        FromWorker::Started(_) => heard.started = true,
        FromWorker::Log(line) => heard.log.push(line),
        FromWorker::Done(_) => heard.ending = Ending::Done,
        FromWorker::Failed { reason, cause } => {
            heard.ending = match (cause, heard.started) {
                (FailureCause::CardLost, _) => Ending::CardLost,
                (FailureCause::Job, false) => Ending::Refused,
                (FailureCause::Job, true) | (FailureCause::BrokeOff, _) => Ending::BrokeOff,
            };
            heard.words = reason;
        }
        FromWorker::Metric(_) | FromWorker::Text(_) | FromWorker::Output { .. } => {}
    }
}
