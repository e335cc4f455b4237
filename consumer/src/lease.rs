//! Owns carrying out what one lease decides on the buying side: outputs in, reports on, money settled. It also
//! sees when nothing comes of a provider, and gives it up.
//!
//! Never decides what is paid; the lease machine does. Never waits for a reader of the run's events.

mod closing;
mod outputs;
mod reports;
mod signs;
mod words;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use market::job::CheckpointFile;
use market::lease::{Artefact, Input, Output, Phase};
use market::ledger::Operation;
use market::progress::Progress;
use market::{AgreementId, BlobHash, ChannelId, NodeId, Timestamp};
use market_node::api::{RunEvent, RunId};
use market_node::lease::{LeaseHandle, ProgressBatch, Snapshot};
use market_node::lease_protocol::LeaseResponse;
use market_node::node::Node;
use tokio::sync::{mpsc, oneshot};

pub(crate) use outputs::Announced;
pub(crate) use signs::Signs;

use self::outputs::{Delivery, News};
use crate::events::EventLog;
use crate::runs::Runs;
use crate::verdict::AttemptEnd;

/// How often it is looked whether anything comes of the provider.
const LOOK: Duration = Duration::from_secs(1);

/// News of outputs that wait to be told.
const NEWS: usize = 16;

/// How old the operator's newest word is before the person is told.
const OPERATOR_QUIET: Duration = Duration::from_secs(30);

/// Since when a run counts its time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Began {
    /// What had passed when this process took the run up.
    pub(crate) before: Duration,
    pub(crate) at: Instant,
}

impl Began {
    /// Returns the milliseconds since the request was accepted.
    fn elapsed_ms(self) -> u64 {
        let elapsed = self.before + self.at.elapsed();
        u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
    }
}

/// Which reports of the provider were told already.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    /// The number of the next new report.
    pub(crate) next: u64,
    /// Whether reports before the first batch may be missing: what was acknowledged before a restart need not have
    /// come to the disk.
    pub(crate) may_miss: bool,
}

/// What a bought job is carried out with.
pub(crate) struct LeaseShell {
    pub(crate) node: Node,
    pub(crate) runs: Runs,
    pub(crate) run: RunId,
    /// Where the person's stream comes from; the job goes on when nobody reads it.
    pub(crate) log: EventLog,
    pub(crate) provider: NodeId,
    pub(crate) agreement: AgreementId,
    pub(crate) channel: ChannelId,
    /// What the provider may fetch while the lease lasts.
    pub(crate) inputs: Vec<BlobHash>,
    pub(crate) output: PathBuf,
    pub(crate) announced: Announced,
    pub(crate) lease: LeaseHandle,
    pub(crate) began: Began,
    pub(crate) signs: Signs,
    pub(crate) told: Told,
    /// Hears once how the attempt ended, as soon as nothing more comes of it.
    pub(crate) ended: Option<oneshot::Sender<AttemptEnd>>,
    /// When that is told at the latest, once the channel is being closed from this side alone.
    pub(crate) tell_by: Option<Instant>,
}

impl LeaseShell {
    /// Runs until the lease is over and settled.
    pub(crate) async fn run(
        mut self,
        mut effects: mpsc::Receiver<Output>,
        mut reports: mpsc::Receiver<ProgressBatch>,
    ) {
        let mut watch = self.lease.watch();
        let (news_in, mut news) = mpsc::channel(NEWS);
        let mut look = tokio::time::interval(LOOK);
        let ending = loop {
            tokio::select! {
                effect = effects.recv() => match effect {
                    Some(Output::Ended(ending)) => break Some(ending),
                    Some(effect) => self.carry_out(effect, &news_in).await,
                    None => break None,
                },
                Some(batch) = reports.recv() => self.report(batch),
                Some(news) = news.recv() => self.hear(news).await,
                Ok(()) = watch.changed() => self.show(),
                _ = look.tick() => self.look().await,
            }
        };
        // What arrived before the end is told before the end.
        while let Ok(batch) = reports.try_recv() {
            self.report(batch);
        }
        for input in &self.inputs {
            self.node.permissions.unshare(*input, self.provider);
        }
        self.forget_outputs().await;
        self.finish(ending).await;
    }

    async fn carry_out(&mut self, effect: Output, news: &mpsc::Sender<News>) {
        match effect {
            Output::FetchArtefact(artefact) => self.fetch(artefact, news.clone()),
            Output::AskSettled => self.ask_settled(news.clone()),
            Output::Silent { since } => {
                let since_ms = self.now().saturating_since(since).as_millis();
                let since_ms = u64::try_from(since_ms).unwrap_or(u64::MAX);
                self.log.tell(RunEvent::Silent { since_ms });
            }
            Output::Back => self.log.tell(RunEvent::Back),
            Output::Lost(loss) => self.give_up(loss.to_string()),
            Output::PayerClose {
                sequence,
                cumulative,
            } => {
                let operation = Operation::PayerClose {
                    channel: self.channel,
                    sequence,
                    cumulative,
                };
                self.payer_close(operation, news.clone());
                self.closes_alone(cumulative).await;
            }
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
            | Output::Paid(_)
            | Output::Ended(_) => {}
        }
    }

    fn now(&self) -> Timestamp {
        let now = self.node.clock.now();
        now.unwrap_or(Timestamp::from_millis(0))
    }

    /// Brings an output in, in the background. A provider that announces one that is not taken is given up.
    fn fetch(&mut self, artefact: Artefact, news: mpsc::Sender<News>) {
        if let Err(unwanted) = self.announced.admit(&artefact) {
            return self.leave(unwanted.to_string());
        }
        self.signs.seen(Instant::now());
        let state = match CheckpointFile::parse(&artefact.name) {
            Some((step, CheckpointFile::State)) => self.runs.state_path(self.run, step),
            _ => None,
        };
        let part = format!(".{}.{}.part", self.agreement.short(), artefact.index);
        let (path, temporary) = match state {
            Some(path) => (path.clone(), path.with_file_name(part)),
            None => (self.output.join(&artefact.name), self.output.join(part)),
        };
        let delivery = Delivery {
            node: self.node.clone(),
            runs: self.runs.clone(),
            run: self.run,
            log: self.log.clone(),
            lease: self.lease.clone(),
            provider: self.provider,
            path,
            temporary,
            artefact,
            news,
        };
        tokio::spawn(delivery.run());
    }

    async fn hear(&mut self, news: News) {
        match news {
            News::Arriving => self.signs.seen(Instant::now()),
            News::Closing(due_at) => self.closing(due_at).await,
            News::Delivered => {
                self.signs.seen(Instant::now());
                self.signs.delivered(self.lease.snapshot().meter);
            }
            News::Corrupt(reason) => {
                if self.signs.corrupt() {
                    self.leave(format!("what the provider delivers is not right: {reason}"));
                }
            }
            News::NoRoom(reason) => {
                if self.signs.no_room(reason.clone(), Instant::now()) {
                    let line = format!(
                        "outputs wait, and the job pauses with them, until this machine can take them: {reason}"
                    );
                    self.log.tell(RunEvent::Note { line });
                }
            }
        }
    }

    /// Ends the work with a provider that still answers; what was done is paid as promised.
    fn leave(&mut self, reason: String) {
        if self.signs.given_up.is_some() {
            return;
        }
        self.give_up(reason);
        let lease = self.lease.clone();
        // Not in this task: the lease may be waiting for this task to take its next effect.
        tokio::spawn(async move { lease.input(Input::Cancel).await });
    }

    /// Notes why the provider is given up; the first reason counts.
    fn give_up(&mut self, reason: String) {
        if self.signs.given_up.is_none() {
            self.note_lost(reason.clone());
            self.signs.given_up = Some(reason);
        }
    }

    /// Notes in the run, and tells, that the provider is given up.
    fn note_lost(&self, reason: String) {
        let agreement = self.agreement;
        tracing::info!(%agreement, reason, "the provider is given up");
        let told = RunEvent::Lost {
            reason: reason.clone(),
        };
        self.log.tell(told);
        self.runs.change(self.run, |live| {
            if let Some(attempt) = live.record.attempt_mut(agreement) {
                attempt.lost = Some(reason);
            }
        });
    }

    /// Passes reports on, each once, and answers them. Those that come after the attempt's end was told are answered
    /// and not shown.
    fn report(&mut self, batch: ProgressBatch) {
        let next = match self.told.may_miss {
            true => self.told.next.max(batch.first),
            false => self.told.next,
        };
        let checked = match reports::check(batch.first, batch.reports, next) {
            Ok(checked) => checked,
            Err(reason) => {
                batch
                    .reply
                    .send(LeaseResponse::Rejected(reason.to_string()));
                return;
            }
        };
        // The run has heard the end of this attempt and may be showing another one.
        let is_shown = self.ended.as_ref().is_some_and(|ended| !ended.is_closed());
        let shown = if is_shown {
            checked.reports
        } else {
            Vec::new()
        };
        for (number, report) in shown {
            self.signs.reported(&report, Instant::now());
            if let Progress::Step(step) = &report {
                let progress = Some((step.step, step.steps));
                self.runs
                    .change(self.run, |live| live.record.progress = progress);
            }
            self.tell_progress(number, report);
        }
        if let Some((number, reason)) = checked.left_out.filter(|_| is_shown) {
            let line = format!("a report of the provider was left out: {reason}");
            self.tell_progress(number, Progress::Log { line });
        }
        // The provider numbers on from what was acknowledged, so what was left out counts as well.
        batch.reply.send(LeaseResponse::Acknowledged);
        self.told = Told {
            next: checked.next,
            may_miss: false,
        };
    }

    fn tell_progress(&mut self, number: u64, report: Progress) {
        let at_ms = self.began.elapsed_ms();
        let number = Some(number);
        self.log.tell(RunEvent::Progress {
            at_ms,
            agreement: Some(self.agreement),
            number,
            report,
        });
    }

    /// Shows a change of the lease.
    fn show(&mut self) {
        let snapshot = self.lease.snapshot();
        self.signs.changed(&snapshot, Instant::now());
        let agreement = self.agreement;
        let before = self.runs.change(self.run, |live| {
            let attempt = live.record.attempt_mut(agreement)?;
            let before = (attempt.phase, attempt.paid);
            attempt.phase = snapshot.phase.min(Phase::Closing);
            attempt.meter = snapshot.meter;
            attempt.paid = snapshot.promised;
            Some(before)
        });
        let Some(Some((phase, paid))) = before else {
            return;
        };
        if phase != snapshot.phase && snapshot.phase != Phase::Ended {
            let phase = snapshot.phase;
            self.log.tell(RunEvent::Phase { phase });
        }
        if paid != snapshot.promised {
            let promised = snapshot.promised;
            self.log.tell(RunEvent::Paid { promised });
        }
    }

    /// Looks whether anything comes of the provider, and says in one line what stands in the way.
    async fn look(&mut self) {
        if self.ended.is_none() {
            // The run goes on without this attempt, and has notes of its own.
            return;
        }
        if self.tell_by.is_some_and(|by| by <= Instant::now()) {
            return self.tell_unclosed().await;
        }
        let snapshot = self.lease.snapshot();
        if let Some(reason) = self.signs.hopeless(&snapshot, Instant::now()) {
            return self.leave(reason);
        }
        let note = self.note(&snapshot);
        let agreement = self.agreement;
        self.runs.change(self.run, |live| {
            let newest = live.record.attempts.last();
            if newest.is_some_and(|attempt| attempt.agreement == agreement) {
                live.record.note = note;
            }
        });
    }

    fn note(&self, snapshot: &Snapshot) -> Option<String> {
        if matches!(snapshot.phase, Phase::Closing | Phase::Ended) {
            return None;
        }
        if let Some(since) = snapshot.silent_since {
            let silent = self.now().saturating_since(since).as_secs();
            let patience = self.node.settings.lease.patience().as_secs();
            return Some(format!(
                "the provider has been silent for {silent} s; nothing more is signed, and after {patience} s \
                 it is given up"
            ));
        }
        if let Some(reason) = self.signs.room_problem(Instant::now()) {
            return Some(format!(
                "outputs wait until this machine can take them: {reason}"
            ));
        }
        let header = self.node.ledger.newest_header()?;
        let quiet = self.node.ledger.age(&header);
        (quiet >= OPERATOR_QUIET).then(|| words::operator_away(quiet, snapshot, self.now()))
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

    async fn keep(&self) {
        if let Err(error) = self.runs.keep_attempt(self.run, self.agreement).await {
            tracing::error!(%error, "where a run stands could not be noted");
        }
    }
}
