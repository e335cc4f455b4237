//! Owns carrying out what one lease decides on the buying side: outputs in, reports on, money settled.
//!
//! Never decides what is paid; the lease machine does. Never waits for the person's stream.

mod feed;
mod outputs;
mod reports;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use market::lease::{Artefact, Ending, Input, Output, Phase};
use market::ledger::{ChannelState, Operation};
use market::progress::Progress;
use market::{AgreementId, BlobHash, ChannelId, NodeId};
use market_node::api::RunEvent;
use market_node::lease::{LeaseHandle, ProgressBatch};
use market_node::lease_protocol::LeaseResponse;
use market_node::node::Node;
use market_node::recover::forget_purchase;
use market_node::settle::settle;
use tokio::sync::mpsc;

pub(crate) use feed::Feed;
pub(crate) use outputs::Announced;

use self::outputs::Delivery;
use crate::jobs::Jobs;

/// How often the ledger is asked again.
const RETRY: Duration = Duration::from_millis(500);

/// Outputs that have arrived and wait to be told.
const STORED: usize = 16;

/// What a bought job is carried out with.
pub(crate) struct LeaseShell {
    pub(crate) node: Node,
    pub(crate) jobs: Jobs,
    pub(crate) provider: NodeId,
    pub(crate) agreement: AgreementId,
    pub(crate) channel: ChannelId,
    /// What the provider may fetch while the lease lasts.
    pub(crate) inputs: Vec<BlobHash>,
    pub(crate) output: PathBuf,
    pub(crate) announced: Announced,
    pub(crate) lease: LeaseHandle,
    /// Where the person's stream goes; the job goes on when nobody listens.
    pub(crate) feed: Feed,
    pub(crate) accepted_at: Instant,
}

impl LeaseShell {
    /// Runs until the lease is over.
    pub(crate) async fn run(
        mut self,
        mut effects: mpsc::Receiver<Output>,
        mut reports: mpsc::Receiver<ProgressBatch>,
    ) {
        let mut watch = self.lease.watch();
        let mut next_report = 0;
        let (stored_in, mut stored) = mpsc::channel(STORED);
        let ending = loop {
            tokio::select! {
                effect = effects.recv() => match effect {
                    Some(Output::Ended(ending)) => break Some(ending),
                    Some(effect) => self.carry_out(effect, &stored_in),
                    None => break None,
                },
                Some(batch) = reports.recv() => next_report = self.report(batch, next_report),
                Some(event) = stored.recv() => self.feed.tell(event),
                Ok(()) = watch.changed() => self.show(),
                () = self.feed.advance() => {}
            }
        };
        // What arrived before the end is told before the end.
        while let Ok(batch) = reports.try_recv() {
            next_report = self.report(batch, next_report);
        }
        while let Ok(event) = stored.try_recv() {
            self.feed.tell(event);
        }
        for input in &self.inputs {
            self.node.permissions.unshare(*input, self.provider);
        }
        self.forget_outputs().await;
        self.finish(ending).await;
        self.feed.drain().await;
    }

    fn carry_out(&mut self, effect: Output, stored: &mpsc::Sender<RunEvent>) {
        match effect {
            Output::FetchArtefact(artefact) => self.fetch(artefact, stored.clone()),
            Output::AskSettled => self.ask_settled(),
            Output::PayerClose {
                sequence,
                cumulative,
            } => self.payer_close(Operation::PayerClose {
                channel: self.channel,
                sequence,
                cumulative,
            }),
            Output::Persist(_)
            | Output::Send(_)
            | Output::ProveOpen
            | Output::FetchInputs
            | Output::StartWorker
            | Output::PauseWorker
            | Output::ResumeWorker
            | Output::StopWorker
            | Output::Claim(_)
            | Output::CoopClose(_)
            | Output::Silent { .. }
            | Output::Back
            | Output::Lost(_)
            | Output::Ended(_) => {}
        }
    }

    /// Brings an output in, in the background. One that is not taken ends the job.
    fn fetch(&mut self, artefact: Artefact, stored: mpsc::Sender<RunEvent>) {
        if let Err(unwanted) = self.announced.admit(&artefact) {
            let reason = format!("the job is cancelled: {unwanted}");
            tracing::warn!(agreement = %self.agreement, reason, "an output is not taken");
            self.tell_progress(Progress::Failed { reason });
            let lease = self.lease.clone();
            // Not in this task: the lease may be waiting for this task to take its next effect.
            tokio::spawn(async move { lease.input(Input::Cancel).await });
            return;
        }
        let part = format!(".{}.{}.part", self.agreement.short(), artefact.index);
        let delivery = Delivery {
            node: self.node.clone(),
            lease: self.lease.clone(),
            provider: self.provider,
            path: self.output.join(&artefact.name),
            temporary: self.output.join(part),
            artefact,
            stored,
        };
        tokio::spawn(delivery.run());
    }

    /// Asks the ledger in the background until the channel is closed.
    fn ask_settled(&self) {
        let (ledger, lease, channel) = (self.node.ledger.clone(), self.lease.clone(), self.channel);
        tokio::spawn(async move {
            loop {
                match ledger.channel(channel).await {
                    Ok(Some(found)) if found.record.state == ChannelState::Closed => {
                        let paid = found.record.claimed;
                        return lease.input(Input::Settled { paid }).await;
                    }
                    Ok(_) => {}
                    Err(error) => tracing::debug!(%error, "the ledger is asked again"),
                }
                if lease.snapshot().phase == Phase::Ended {
                    return;
                }
                tokio::time::sleep(RETRY).await;
            }
        });
    }

    /// Closes alone, in the background, and waits for the end of the window.
    fn payer_close(&self, operation: Operation) {
        let (node, channel) = (self.node.clone(), self.channel);
        let mut watch = self.lease.watch();
        tokio::spawn(async move {
            let over = watch.wait_for(|snapshot| snapshot.phase == Phase::Ended);
            tokio::select! {
                _settled = settle(&node, channel, &operation) => {
                    tracing::info!(%channel, "closing from this side");
                }
                _ = over => {}
            }
        });
        self.ask_settled();
    }

    /// Passes reports on, each once, and answers them. Returns the number of the next new one.
    fn report(&mut self, batch: ProgressBatch, next: u64) -> u64 {
        let checked = match reports::check(batch.first, batch.reports, next) {
            Ok(checked) => checked,
            Err(reason) => {
                batch
                    .reply
                    .send(LeaseResponse::Rejected(reason.to_string()));
                return next;
            }
        };
        for report in checked.reports {
            if let Progress::Step(step) = &report {
                let progress = Some((step.step, step.steps));
                self.jobs
                    .update(self.agreement, |view| view.progress = progress);
            }
            self.tell_progress(report);
        }
        if let Some(reason) = checked.left_out {
            let line = format!("a report of the provider was left out: {reason}");
            self.tell_progress(Progress::Log { line });
        }
        // The provider numbers on from what was acknowledged, so what was left out counts as well.
        batch.reply.send(LeaseResponse::Acknowledged);
        checked.next
    }

    fn tell_progress(&mut self, report: Progress) {
        let at_ms = u64::try_from(self.accepted_at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.feed.tell(RunEvent::Progress { at_ms, report });
    }

    /// Shows a change of the lease.
    fn show(&mut self) {
        let snapshot = self.lease.snapshot();
        let before = self.jobs.running(self.agreement);
        self.jobs.update(self.agreement, |view| {
            view.phase = snapshot.phase;
            view.meter = snapshot.meter;
            view.paid = snapshot.promised;
        });
        let Some(before) = before else { return };
        if before.phase != snapshot.phase {
            let phase = snapshot.phase;
            self.feed.tell(RunEvent::Phase { phase });
        }
        if before.paid != snapshot.promised {
            let promised = snapshot.promised;
            self.feed.tell(RunEvent::Paid { promised });
        }
    }

    /// Removes the outputs from the blob store: they lie in the output folder. One that is an input of another
    /// job stays.
    async fn forget_outputs(&self) {
        let hashes = self.lease.snapshot().artefacts.into_iter();
        let hashes: Vec<BlobHash> = hashes
            .map(|artefact| artefact.hash)
            .filter(|hash| !self.node.permissions.is_shared(*hash))
            .collect();
        let blobs = self.node.blobs.clone();
        let removal = tokio::task::spawn_blocking(move || {
            for hash in hashes {
                if let Err(error) = blobs.remove(hash) {
                    tracing::warn!(%error, "an output stays in the blob store");
                }
            }
        });
        let _stopping = removal.await;
    }

    async fn finish(&mut self, ending: Option<Ending>) {
        let Some(mut view) = self.jobs.running(self.agreement) else {
            return;
        };
        let Some(ending) = ending else {
            let reason = "the lease stopped on this side; see the log for the reason".to_owned();
            return self.feed.tell(RunEvent::Failed { reason });
        };
        view.phase = Phase::Ended;
        view.meter = self.lease.snapshot().meter;
        view.outcome = Some(ending.outcome);
        view.paid = ending.paid;
        view.refunded = view.deposit.checked_sub(ending.paid);
        view.receipt = ending
            .receipt
            .is_some_and(|receipt| receipt.payer.is_some());
        if let Err(error) = self.jobs.end(view.clone()).await {
            tracing::error!(%error, "the job's end could not be noted");
        }
        forget_purchase(&self.node, self.agreement).await;
        self.feed.tell(RunEvent::Finished(Box::new(view)));
    }
}
