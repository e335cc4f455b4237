//! Owns carrying out what one lease decides on the buying side: outputs in, reports on, money settled.
//!
//! Never decides what is paid; the lease machine does.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use market::lease::{Artefact, Ending, Input, Output, Phase};
use market::ledger::{ChannelState, Operation, SignedTransaction};
use market::progress::Progress;
use market::{AgreementId, BlobHash, ChannelId, NodeId};
use market_node::api::{RunEvent, transaction};
use market_node::blobs::Blob;
use market_node::lease::{LeaseHandle, ProgressBatch};
use market_node::lease_protocol::LeaseResponse;
use market_node::node::Node;
use tokio::sync::mpsc;

use crate::jobs::Jobs;

/// How often an output or the ledger is asked for again.
const RETRY: Duration = Duration::from_millis(500);

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
    pub(crate) lease: LeaseHandle,
    /// Where the person's stream goes; the job goes on when nobody listens.
    pub(crate) events: mpsc::Sender<RunEvent>,
    pub(crate) accepted_at: Instant,
}

impl LeaseShell {
    /// Runs until the lease is over.
    pub(crate) async fn run(
        self,
        mut effects: mpsc::Receiver<Output>,
        mut reports: mpsc::Receiver<ProgressBatch>,
    ) {
        let mut watch = self.lease.watch();
        let mut next_report = 0;
        let (stored_in, mut stored) = mpsc::channel(16);
        let ending = loop {
            tokio::select! {
                effect = effects.recv() => match effect {
                    Some(Output::Ended(ending)) => break Some(ending),
                    Some(effect) => self.carry_out(effect, &stored_in),
                    None => break None,
                },
                Some(batch) = reports.recv() => next_report = self.report(batch, next_report).await,
                Some(event) = stored.recv() => self.tell(event).await,
                Ok(()) = watch.changed() => self.show().await,
            }
        };
        // What arrived before the end is told before the end.
        while let Ok(batch) = reports.try_recv() {
            next_report = self.report(batch, next_report).await;
        }
        while let Ok(event) = stored.try_recv() {
            self.tell(event).await;
        }
        for input in &self.inputs {
            self.node.permissions.unshare(*input, self.provider);
        }
        self.finish(ending).await;
    }

    async fn tell(&self, event: RunEvent) {
        let _nobody_listens = self.events.send(event).await;
    }

    fn carry_out(&self, effect: Output, stored: &mpsc::Sender<RunEvent>) {
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
            | Output::Ended(_) => {}
        }
    }

    /// Fetches an output in the background until it is here, verified, and in the output folder.
    fn fetch(&self, artefact: Artefact, stored: mpsc::Sender<RunEvent>) {
        let (node, lease, provider) = (self.node.clone(), self.lease.clone(), self.provider);
        let path = self.output.join(&artefact.name);
        tokio::spawn(async move {
            let blob = Blob {
                hash: artefact.hash,
                size: artefact.bytes,
            };
            loop {
                let fetched = node
                    .blobs
                    .fetch(&node.network, provider, blob, &mut |_| {})
                    .await;
                let result = match fetched {
                    Ok(source) => place(&source, &path)
                        .await
                        .map_err(|error| error.to_string()),
                    Err(error) => Err(error.to_string()),
                };
                match result {
                    Ok(()) => break,
                    Err(error) => {
                        tracing::warn!(
                            name = artefact.name,
                            error,
                            "an output has not arrived yet"
                        );
                    }
                }
                if lease.snapshot().phase == Phase::Ended {
                    return;
                }
                tokio::time::sleep(RETRY).await;
            }
            let event = RunEvent::Output {
                name: artefact.name,
                hash: artefact.hash,
                bytes: artefact.bytes,
                path,
            };
            let _over = stored.send(event).await;
            lease
                .input(Input::ArtefactStored {
                    index: artefact.index,
                })
                .await;
        });
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
        tokio::spawn(async move {
            let transaction = match transaction(&node, operation) {
                Ok(transaction) => transaction,
                Err(error) => return tracing::error!(%error, "no transaction could be made"),
            };
            let signed =
                SignedTransaction::sign(&transaction, &node.identity.node_key, &node.chain())
                    .with_delegation(node.identity.delegation.clone());
            loop {
                match node.ledger.submit(&signed).await {
                    Ok(_) => return,
                    Err(error) if error.is_temporary() => {
                        tracing::debug!(%error, "the close is submitted again");
                    }
                    Err(error) => {
                        return tracing::warn!(%channel, %error, "the close was refused");
                    }
                }
                tokio::time::sleep(RETRY).await;
            }
        });
        self.ask_settled();
    }

    /// Passes reports on, each once, and acknowledges them. Returns the number of the next new one.
    async fn report(&self, batch: ProgressBatch, next: u64) -> u64 {
        let mut next = next;
        for (number, report) in (batch.first..).zip(batch.reports) {
            if number < next {
                continue; // Sent twice.
            }
            next = number + 1;
            if let Progress::Step(step) = &report {
                let progress = Some((step.step, step.steps));
                self.jobs
                    .update(self.agreement, |view| view.progress = progress);
            }
            let at_ms = u64::try_from(self.accepted_at.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.tell(RunEvent::Progress { at_ms, report }).await;
        }
        batch.reply.send(LeaseResponse::Acknowledged);
        next
    }

    /// Shows a change of the lease.
    async fn show(&self) {
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
            self.tell(RunEvent::Phase { phase }).await;
        }
        if before.paid != snapshot.promised {
            let promised = snapshot.promised;
            self.tell(RunEvent::Paid { promised }).await;
        }
    }

    async fn finish(&self, ending: Option<Ending>) {
        let Some(mut view) = self.jobs.running(self.agreement) else {
            return;
        };
        let Some(ending) = ending else {
            let reason = "the lease stopped on this side; see the log for the reason".to_owned();
            return self.tell(RunEvent::Failed { reason }).await;
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
        self.tell(RunEvent::Finished(Box::new(view))).await;
    }
}

/// Puts a verified blob into the output folder under its name, whole or not at all.
async fn place(source: &Path, path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        tokio::fs::create_dir_all(folder).await?;
    }
    let temporary = path.with_added_extension("part");
    tokio::fs::copy(source, &temporary).await?;
    tokio::fs::rename(&temporary, path).await
}
