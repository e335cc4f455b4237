//! Owns carrying out what one lease decides on the selling side: inputs in, worker, outputs out, money.
//!
//! Never decides when work may run or what is due; the lease machine does.

use std::path::PathBuf;
use std::time::Duration;

use engine::{FromWorker, Summary};
use market::job::{ArtifactName, JobSpec};
use market::lease::{Artefact, Ending, Input, Output};
use market::ledger::{ChannelState, Operation, SignedTransaction};
use market::progress::{MAX_TEXT_BYTES, Progress, StepMetric};
use market::receipt::Outcome;
use market::voucher::Voucher;
use market::{AgreementId, BlobHash, ChannelId, Signed};
use market_node::api::transaction;
use market_node::blobs::Blob;
use market_node::lease::LeaseHandle;
use market_node::node::Node;
use tokio::sync::{mpsc, watch};

use crate::agent::{self, Assignment, Session, WorkerEvent};
use crate::gauge::Gauge;
use crate::seller::layer_names;
use sandbox::Limits;

/// Events of a worker that wait for the lease; a worker that makes more waits in its pipe.
const WORKER_EVENTS: usize = 64;

/// How often the ledger is asked again while it cannot be reached.
const LEDGER_RETRY: Duration = Duration::from_secs(1);

/// What the running job last said, for views.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct JobStage {
    pub(crate) progress: Option<(u64, u64)>,
    pub(crate) loss: Option<f32>,
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
}

/// What this lease is working on at the moment.
#[derive(Default)]
struct Work {
    session: Option<Session>,
    inputs: Vec<(ArtifactName, PathBuf)>,
    /// Hashes of the outputs in the order in which they were made.
    outputs: Vec<BlobHash>,
    outcome: Option<Outcome>,
    steps: u64,
}

impl LeaseShell {
    /// Runs until the lease is over; returns how it ended, or `None` when the node stops.
    pub(crate) async fn run(self, mut effects: mpsc::Receiver<Output>) -> Option<Ending> {
        let (events_in, mut events) = mpsc::channel(WORKER_EVENTS);
        let mut work = Work {
            steps: steps_of(&self.job),
            ..Work::default()
        };
        let ending = loop {
            tokio::select! {
                effect = effects.recv() => match effect {
                    Some(Output::Ended(ending)) => break Some(ending),
                    Some(effect) => self.carry_out(effect, &mut work, &events_in).await,
                    None => break None,
                },
                Some(event) = events.recv() => self.worker_event(event, &mut work).await,
            }
        };
        for output in work.outputs {
            self.node.permissions.unshare(output, self.payer_node);
        }
        ending
    }

    async fn carry_out(&self, effect: Output, work: &mut Work, events: &mpsc::Sender<WorkerEvent>) {
        match effect {
            Output::ProveOpen => self.prove_open(),
            Output::FetchInputs => self.fetch_inputs(work).await,
            Output::StartWorker => self.start_worker(work, events).await,
            Output::PauseWorker => work.session.iter().for_each(Session::pause),
            Output::ResumeWorker => work.session.iter().for_each(Session::resume),
            Output::StopWorker => {
                // Dropping a session kills its worker; that waits a moment, so not on this thread.
                let session = work.session.take();
                let _gone = tokio::task::spawn_blocking(move || drop(session)).await;
            }
            Output::Claim(voucher) => self.submit(Operation::Claim { voucher }, After::GoOn),
            Output::CoopClose(voucher) => self.coop_close(voucher),
            Output::Persist(_)
            | Output::Send(_)
            | Output::FetchArtefact(_)
            | Output::AskSettled
            | Output::PayerClose { .. }
            | Output::Ended(_) => {}
        }
    }

    /// Asks the ledger in the background until it proves that the channel is open.
    fn prove_open(&self) {
        let (ledger, lease, channel) = (self.node.ledger.clone(), self.lease.clone(), self.channel);
        tokio::spawn(async move {
            loop {
                match ledger.channel(channel).await {
                    Ok(Some(found)) if found.record.state == ChannelState::Open => {
                        let at = found.proof.certified.header.time;
                        return lease.input(Input::ProvedOpen { at }).await;
                    }
                    Ok(_) => return tracing::warn!(%channel, "the channel is not open"),
                    Err(error) => tracing::debug!(%error, "no proof of the channel yet"),
                }
                tokio::time::sleep(LEDGER_RETRY).await;
            }
        });
    }

    async fn fetch_inputs(&self, work: &mut Work) {
        for input in &self.job.inputs {
            let blob = Blob {
                hash: input.hash,
                size: input.bytes,
            };
            let (blobs, network) = (&self.node.blobs, &self.node.network);
            match blobs
                .fetch(network, self.payer_node, blob, &mut |_| {})
                .await
            {
                Ok(path) => work.inputs.push((input.name.clone(), path)),
                Err(error) => {
                    let reason = format!("input {} did not arrive: {error}", input.name);
                    self.lease.report(Progress::Failed { reason }).await;
                    self.lease.input(Input::WorkerDone(Outcome::Failed)).await;
                    return;
                }
            }
        }
        self.lease.input(Input::InputsReady).await;
    }

    async fn start_worker(&self, work: &mut Work, events: &mpsc::Sender<WorkerEvent>) {
        let limits = Limits {
            wall_clock: Duration::from_secs(self.job.limits.wall_clock_s.into()),
            memory_bytes: self.job.limits.memory_bytes.max(1 << 30),
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
        match agent::start(assignment, events.clone()).await {
            Ok(session) => work.session = Some(session),
            Err(error) => self.job_failed(work, &error.to_string()).await,
        }
    }

    async fn job_failed(&self, work: &mut Work, reason: &str) {
        tracing::warn!(agreement = %self.agreement.short(), reason, "the job failed");
        work.outcome = Some(Outcome::Failed);
        let reason = shorten(reason);
        self.lease.report(Progress::Failed { reason }).await;
        self.lease.input(Input::WorkerDone(Outcome::Failed)).await;
    }

    async fn worker_event(&self, event: WorkerEvent, work: &mut Work) {
        match event {
            WorkerEvent::Locked(report) => {
                let layers = layer_names(&report);
                self.lease.report(Progress::Confined { layers }).await;
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
                let outcome = match (&result, work.outcome) {
                    (_, Some(outcome)) => outcome,
                    (Ok(()), None) => Outcome::Completed,
                    (Err(_), None) => Outcome::Failed,
                };
                if let (Err(error), None) = (&result, work.outcome) {
                    let reason = shorten(&error.to_string());
                    self.lease.report(Progress::Failed { reason }).await;
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
                self.lease
                    .report(Progress::Started { device, parameters })
                    .await;
            }
            FromWorker::Metric(metric) => self.metric(metric, work.steps).await,
            FromWorker::Log(line) => {
                let line = shorten(&line);
                self.lease.report(Progress::Log { line }).await;
            }
            FromWorker::Text(bytes) => {
                let text = String::from_utf8_lossy(&bytes.0).into_owned();
                self.lease.report(Progress::Text { text }).await;
            }
            FromWorker::Done(summary) => {
                work.outcome = Some(Outcome::Completed);
                self.summary(summary).await;
            }
            FromWorker::Failed { reason } => {
                work.outcome = Some(Outcome::Failed);
                let reason = shorten(&reason);
                self.lease.report(Progress::Failed { reason }).await;
            }
            FromWorker::Output { .. } => {}
        }
    }

    async fn metric(&self, metric: engine::Metric, steps: u64) {
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
        self.lease.report(Progress::Step(report)).await;
    }

    async fn summary(&self, summary: Summary) {
        let (tokens, seconds) = match summary {
            Summary::Train(train) => {
                let report = Progress::HeldOut {
                    step: train.steps.into(),
                    loss: train.loss_held_out,
                    unigram_entropy: train.unigram_entropy,
                };
                self.lease.report(report).await;
                (train.tokens, train.seconds)
            }
            Summary::Infer(infer) => (infer.tokens, infer.seconds),
        };
        self.lease
            .report(Progress::Summary { tokens, seconds })
            .await;
    }

    fn coop_close(&self, voucher: Option<Signed<Voucher>>) {
        let channel = self.channel;
        let operation = Operation::CoopClose { channel, voucher };
        self.submit(operation, After::Settled);
    }

    /// Submits in the background until the ledger has answered: a close must not be lost to a short outage.
    fn submit(&self, operation: Operation, after: After) {
        let (node, lease, channel) = (self.node.clone(), self.lease.clone(), self.channel);
        tokio::spawn(async move {
            let transaction = match transaction(&node, operation) {
                Ok(transaction) => transaction,
                Err(error) => return tracing::error!(?error, "no transaction could be made"),
            };
            let signed =
                SignedTransaction::sign(&transaction, &node.identity.node_key, &node.chain())
                    .with_delegation(node.identity.delegation.clone());
            loop {
                match node.ledger.submit(&signed).await {
                    Ok(proof) => {
                        let paid = proof
                            .receipt
                            .channel
                            .as_ref()
                            .map(|channel| channel.claimed);
                        if let (After::Settled, Some(paid)) = (after, paid) {
                            lease.input(Input::Settled { paid }).await;
                        }
                        return;
                    }
                    Err(error) if error.is_temporary() => {
                        tracing::debug!(%error, "the ledger is asked again");
                    }
                    Err(error) => {
                        return tracing::error!(%channel, %error, "the ledger refused a claim");
                    }
                }
                tokio::time::sleep(LEDGER_RETRY).await;
            }
        });
    }
}

/// What follows a transaction.
#[derive(Clone, Copy)]
enum After {
    GoOn,
    Settled,
}

fn steps_of(job: &JobSpec) -> u64 {
    match &job.kind {
        market::job::JobKind::Train(train) => train.steps.into(),
        market::job::JobKind::Infer(infer) => infer.max_tokens.into(),
    }
}

fn shorten(text: &str) -> String {
    let mut end = text.len().min(MAX_TEXT_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}
