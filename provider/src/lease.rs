//! Owns carrying out what one lease decides on the selling side: inputs in, worker, outputs out, money.
//!
//! Never decides when work may run or what is due; the lease machine does.

mod bring_up;
mod money;

use std::path::PathBuf;

use engine::{EngineDevice, FromWorker, Summary};
use market::job::{ArtifactName, JobSpec};
use market::lease::{Artefact, Ending, Input, Output};
use market::ledger::Operation;
use market::progress::{Progress, StepMetric};
use market::receipt::Outcome;
use market::{AgreementId, Amount, BlobHash, ChannelId};
use market_node::lease::LeaseHandle;
use market_node::node::Node;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::agent::{AgentError, Session, WorkerEvent};
use crate::gauge::Gauge;
use crate::kill_switch::KillSwitch;
use crate::seller::layer_names;
use bring_up::BroughtUp;

/// Events of a worker that wait for the lease; a worker that makes more waits in its pipe.
const WORKER_EVENTS: usize = 64;

/// What the running job last said, for views.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct JobStage {
    pub(crate) progress: Option<(u64, u64)>,
    pub(crate) loss: Option<f32>,
}

/// What ended a job and lies with the machine, in the worker's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The card was lost.
    CardLost(String),
    /// No worker came up.
    NoWorker(String),
}

/// What a lease is carried out with.
pub(crate) struct LeaseShell {
    pub(crate) node: Node,
    pub(crate) gauge: Gauge,
    pub(crate) job: JobSpec,
    pub(crate) payer_node: market::NodeId,
    pub(crate) agreement: AgreementId,
    pub(crate) channel: ChannelId,
    pub(crate) lease: LeaseHandle,
    pub(crate) stage: watch::Sender<JobStage>,
    /// Hears what the channel paid once it is closed and this machine is free again.
    pub(crate) paid: Option<oneshot::Sender<Amount>>,
    /// Hears of what may meet the next job too.
    pub(crate) trouble: Option<oneshot::Sender<Trouble>>,
    /// What the owner ends the worker with.
    pub(crate) switch: KillSwitch,
}

/// What this lease is working on at the moment.
#[derive(Default)]
struct Work {
    session: Option<Session>,
    /// Whether the worker should stand still; it may come up only later.
    pace: Pace,
    inputs: Vec<(ArtifactName, PathBuf)>,
    /// Hashes of the outputs in the order in which they were made.
    outputs: Vec<BlobHash>,
    outcome: Option<Outcome>,
    steps: u64,
    /// Inputs and a worker on their way; dropping it calls both off.
    bring_up: JoinSet<BroughtUp>,
    switch: KillSwitch,
    /// What is asked of the ledger.
    money: JoinSet<()>,
    proving: Option<AbortHandle>,
    /// Whether its files were removed.
    is_cleared: bool,
}

/// Whether a worker may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Pace {
    #[default]
    Running,
    Frozen,
}

impl Work {
    fn set_pace(&mut self, pace: Pace) {
        self.pace = pace;
        if let Some(session) = &self.session {
            match pace {
                Pace::Running => session.resume(),
                Pace::Frozen => session.pause(),
            }
        }
    }

    /// Ends the worker, or its start, and waits for that.
    async fn stop(&mut self) {
        self.bring_up = JoinSet::new();
        // Killing waits a moment, so not on this thread. A worker that is only starting goes as well.
        let (session, switch) = (self.session.take(), self.switch.clone());
        let _gone = tokio::task::spawn_blocking(move || {
            switch.pull();
            drop(session);
        })
        .await;
    }
}

impl LeaseShell {
    /// Runs until the lease is over; returns how it ended, or `None` when it stopped without an end.
    pub(crate) async fn run(mut self, mut effects: mpsc::Receiver<Output>) -> Option<Ending> {
        let (events_in, mut events) = mpsc::channel(WORKER_EVENTS);
        let mut work = Work {
            steps: steps_of(&self.job),
            switch: self.switch.clone(),
            ..Work::default()
        };
        let ending = loop {
            tokio::select! {
                effect = effects.recv() => match effect {
                    Some(Output::Ended(ending)) => break Some(ending),
                    Some(Output::Paid(paid)) => self.is_paid(paid, &mut work).await,
                    Some(effect) => self.carry_out(effect, &mut work, &events_in).await,
                    None => break None,
                },
                Some(result) = work.bring_up.join_next() => match result {
                    Ok(brought) => self.brought_up(brought, &mut work).await,
                    Err(error) => self.job_failed(&mut work, &error.to_string()).await,
                },
                Some(event) = events.recv() => self.worker_event(event, &mut work).await,
            }
        };
        work.stop().await;
        if ending.is_none() {
            // The lease's own disk failed; a claim or close that is on its way must still arrive.
            work.money.detach_all();
        }
        self.clear_away(&mut work).await;
        ending
    }

    /// Makes room for the next lease, which may begin while this one waits for the payer's seal.
    async fn is_paid(&mut self, paid: Amount, work: &mut Work) {
        work.stop().await;
        self.clear_away(work).await;
        if let Some(hears) = self.paid.take() {
            let _stopped = hears.send(paid);
        }
    }

    /// Removes the inputs and the outputs that nobody else may fetch; once, because a later lease may bring the
    /// same ones in.
    async fn clear_away(&self, work: &mut Work) {
        if std::mem::replace(&mut work.is_cleared, true) {
            return;
        }
        for output in &work.outputs {
            self.node.permissions.unshare(*output, self.payer_node);
        }
        let inputs = self.job.inputs.iter().map(|input| input.hash);
        let hashes: Vec<BlobHash> = work.outputs.iter().copied().chain(inputs).collect();
        let (blobs, permissions) = (self.node.blobs.clone(), self.node.permissions.clone());
        let removed = tokio::task::spawn_blocking(move || {
            for hash in hashes {
                if !permissions.is_shared(hash)
                    && let Err(error) = blobs.remove(hash)
                {
                    tracing::warn!(%error, "a file of a job that is over stays");
                }
            }
        });
        let _stopping = removed.await;
    }

    async fn carry_out(&self, effect: Output, work: &mut Work, events: &mpsc::Sender<WorkerEvent>) {
        match effect {
            Output::ProveOpen => self.prove_open(work),
            Output::FetchInputs => self.fetch_inputs(work),
            Output::StartWorker => self.start_worker(work, events.clone()).await,
            Output::PauseWorker => work.set_pace(Pace::Frozen),
            Output::ResumeWorker => work.set_pace(Pace::Running),
            Output::StopWorker => {
                // What the worker still says of its death is no news.
                work.outcome.get_or_insert(Outcome::Cancelled);
                work.stop().await;
            }
            Output::Claim(voucher) => self.settle(Operation::Claim { voucher }, work),
            Output::CoopClose(voucher) => {
                let channel = self.channel;
                self.settle(Operation::CoopClose { channel, voucher }, work);
            }
            Output::Paid(_)
            | Output::Persist(_)
            | Output::Send(_)
            | Output::FetchArtefact(_)
            | Output::AskSettled
            | Output::PayerClose { .. }
            | Output::Silent { .. }
            | Output::Back
            | Output::Lost(_)
            | Output::Ended(_) => {}
        }
    }

    async fn job_failed(&self, work: &mut Work, reason: &str) {
        if self.switch.is_pulled() {
            // Its owner wanted the machine, or the lease had ended it already.
            return self.lease.input(Input::WorkerDone(Outcome::Yielded)).await;
        }
        tracing::warn!(agreement = %self.agreement.short(), reason, "the job failed");
        work.outcome = Some(Outcome::Failed);
        let reason = reason.to_owned();
        self.lease.report(Progress::Failed { reason });
        self.lease.input(Input::WorkerDone(Outcome::Failed)).await;
    }

    fn tell_trouble(&mut self, trouble: Trouble) {
        if let Some(hears) = self.trouble.take() {
            let _stopped = hears.send(trouble);
        }
    }

    async fn worker_event(&mut self, event: WorkerEvent, work: &mut Work) {
        match event {
            WorkerEvent::Locked(report) => {
                let layers = layer_names(&report);
                self.lease.report(Progress::Confined { layers });
            }
            WorkerEvent::Report(report) => self.report(report, work).await,
            WorkerEvent::Output { name, hash, bytes } => {
                self.node.permissions.share(hash, self.payer_node);
                let artefact = Artefact {
                    index: u32::try_from(work.outputs.len()).unwrap_or(u32::MAX),
                    name: name.to_string(),
                    hash,
                    bytes,
                };
                work.outputs.push(hash);
                self.lease.input(Input::ArtefactMade(artefact)).await;
            }
            WorkerEvent::Ended(result) => {
                work.session = None;
                if let Some(trouble) = trouble_of(&result, &self.gauge.workplace.device) {
                    self.tell_trouble(trouble);
                }
                let outcome = outcome_of(work.outcome, &result, &self.switch);
                if let (Err(error), Outcome::Failed, None) = (&result, outcome, work.outcome) {
                    let reason = error.to_string();
                    self.lease.report(Progress::Failed { reason });
                }
                self.lease.input(Input::WorkerDone(outcome)).await;
            }
        }
    }

    /// Passes a report of the engine on, in the market's words.
    async fn report(&self, report: FromWorker, work: &mut Work) {
        match report {
            FromWorker::Started(started) => {
                self.lease.input(Input::WorkerRunning).await;
                let (device, parameters) = (started.device, started.parameters);
                self.lease.report(Progress::Started { device, parameters });
            }
            FromWorker::Metric(metric) => self.metric(metric, work.steps),
            FromWorker::Log(line) => {
                self.lease.report(Progress::Log { line });
            }
            FromWorker::Text(bytes) => {
                let text = String::from_utf8_lossy(&bytes.0).into_owned();
                self.lease.report(Progress::Text { text });
            }
            FromWorker::Done(summary) => {
                work.outcome = Some(Outcome::Completed);
                self.summary(summary);
            }
            FromWorker::Failed { reason, .. } => {
                work.outcome = Some(Outcome::Failed);
                self.lease.report(Progress::Failed { reason });
            }
            FromWorker::Output { .. } => {}
        }
    }

    fn metric(&self, metric: engine::Metric, steps: u64) {
        let step = u64::from(metric.step);
        self.stage.send_replace(JobStage {
            progress: Some((step, steps)),
            loss: Some(metric.loss),
        });
        let report = StepMetric {
            step,
            steps,
            loss: metric.loss,
            tokens: metric.tokens,
            tokens_per_second: metric.tokens_per_s,
        };
        self.lease.report(Progress::Step(report));
    }

    fn summary(&self, summary: Summary) {
        let (tokens, seconds) = match summary {
            Summary::Train(train) => {
                let report = Progress::HeldOut {
                    step: train.steps.into(),
                    loss: train.loss_held_out,
                    unigram_entropy: train.unigram_entropy,
                };
                self.lease.report(report);
                (train.tokens, train.seconds)
            }
            Summary::Infer(infer) => (infer.tokens, infer.seconds),
        };
        self.lease.report(Progress::Summary { tokens, seconds });
    }
}

/// Tells how a job ended: by what was known of it before its worker was gone, or else by how the worker went.
fn outcome_of(
    known: Option<Outcome>,
    went: &Result<(), AgentError>,
    switch: &KillSwitch,
) -> Outcome {
    match (known, went) {
        (Some(outcome), _) => outcome,
        (None, Ok(())) => Outcome::Completed,
        (None, Err(_)) if switch.is_pulled() => Outcome::Yielded,
        (None, Err(_)) => Outcome::Failed,
    }
}

/// Says what trouble a worker's end shows for the next one. One that computes on the processor has no card to lose,
/// whatever it says: a job that took it over could stop the selling in that way.
fn trouble_of(went: &Result<(), AgentError>, device: &EngineDevice) -> Option<Trouble> {
    match (went, device) {
        (Err(AgentError::CardLost { words }), EngineDevice::Gpu { .. }) => {
            Some(Trouble::CardLost(words.clone()))
        }
        _ => None,
    }
}

fn steps_of(job: &JobSpec) -> u64 {
    match &job.kind {
        market::job::JobKind::Train(train) => train.steps.into(),
        market::job::JobKind::Infer(infer) => infer.max_tokens.into(),
    }
}

#[cfg(test)]
mod tests;
