//! Owns beginning an attempt once its channel is open, and taking one up again after a restart of this node.
//!
//! Never begins work that the disk does not know of.

use std::time::Instant;

use market::job::JobSpec;
use market::lease::{Input, Lease, Phase, Purpose, Role};
use market::receipt::Outcome;
use market::{AgreementId, ChainId, NodeId, Timestamp};
use market_node::api::{JobView, RunEvent};
use market_node::recover::{Purchase, end_job};
use tokio::sync::{mpsc, oneshot};

use super::seek::Search;
use super::{Ended, Run};
use crate::buyer::{Buyer, RunError};
use crate::events::EventLog;
use crate::lease::{Announced, Began, LeaseShell, Signs, Told};
use crate::record::{RunRecord, new_attempt};
use crate::reserve::Opening;
use crate::verdict::AttemptEnd;

/// Batches of reports that wait for one job.
const REPORTS: usize = 16;

impl Run {
    /// Starts the lease of a channel that is open since `at`.
    pub(super) async fn open(
        &self,
        search: &Search,
        opening: Opening,
        at: Timestamp,
    ) -> Result<Ended, RunError> {
        let (node, runs) = (&self.buyer.node, &self.buyer.runs);
        let chain = node.chain();
        let terms = opening.terms().clone();
        let from_step = u64::from(search.from_step);
        let number = search.record.next_attempt();
        let view = new_attempt((number, from_step), &terms, &chain, at);
        let (agreement, channel, deposit) = (view.agreement, view.channel, view.deposit);
        let provider = terms.payee.node;
        let now = node.clock.now().unwrap_or(at);
        let key = node.identity.node_key.clone();
        let rates = (terms.rates, terms.deposit);
        let lease =
            Lease::new(Role::Payer, terms, chain, key, now).with_timing(node.lease_timing());
        runs.change(self.run, |live| {
            live.record.attempts.push(view);
            live.record.note = None;
        });
        let patience = node.settings.lease.patience();
        let bounds = (search.job.input_bytes(), search.job.limits.wall_clock());
        let work = Work {
            agreement,
            provider,
            job: search.job.clone(),
            signs: Signs::new(rates, bounds, patience, Instant::now()),
        };
        self.keep_events();
        if let Err(error) = runs.keep_attempt(self.run, agreement).await {
            self.abandon(agreement, error.to_string());
            unshare(&self.buyer, &work.job, provider);
            return Err(error.into());
        }
        let ended = self.start(lease, work, Some(at)).await;
        opening.forget().await;
        self.log.tell(RunEvent::Opened {
            agreement,
            channel,
            deposit,
        });
        if number > 1 {
            let attempt = number;
            self.log.tell(RunEvent::Moved { attempt, from_step });
        }
        Ok(ended)
    }

    /// Closes, in the background, an attempt that could not be noted and so did not begin.
    fn abandon(&self, agreement: AgreementId, reason: String) {
        let chain = self.buyer.node.chain();
        let job = self.buyer.runs.change(self.run, |live| {
            live.record.attempt_mut(agreement)?.lost = Some(reason.clone());
            live.record.attempt_job(agreement, &chain)
        });
        if let Some(job) = job.flatten() {
            let (runs, run) = (self.buyer.runs.clone(), self.run);
            tokio::spawn(async move { runs.settle_alone(run, job, reason).await });
        }
    }

    /// Puts the events on disk from the first agreement on.
    fn keep_events(&self) {
        let Some(path) = self.buyer.runs.events_path(self.run) else {
            return;
        };
        if self.log.is_kept() {
            return;
        }
        if let Err(error) = self.log.keep_at(&path) {
            tracing::warn!(%error, run = %self.run, "the events of a run stay in memory");
        }
    }

    /// Runs a lease in tasks of its own; `opened_at` of a new one starts it.
    async fn start(&self, lease: Lease, work: Work, opened_at: Option<Timestamp>) -> Ended {
        let (node, runs) = (&self.buyer.node, &self.buyer.runs);
        let channel = lease.terms().channel_id(&node.chain());
        let (reports_in, reports) = mpsc::channel(REPORTS);
        let parts = node.lease_parts();
        let (lease, effects) =
            market_node::lease::spawn(parts, lease, Role::Payer, Some(reports_in)).await;
        if let Some(at) = opened_at {
            lease.input(Input::Opened { at }).await;
        }
        let agreement = work.agreement;
        let known = runs.change(self.run, |live| {
            live.leases.insert(agreement, lease.clone());
            let record = &live.record;
            (record.output.clone(), record.is_cancelled, record.progress)
        });
        let (output, is_cancelled, progress) = known.unwrap_or_default();
        let told = match opened_at {
            Some(_) => Told {
                next: Some(0),
                step: 0,
            },
            None => Told {
                next: None,
                step: progress.map_or(0, |(step, _)| step),
            },
        };
        if is_cancelled {
            lease.input(Input::Cancel).await;
        }
        let (ended_in, ended) = oneshot::channel();
        let mut announced = Announced::new(work.job.limits.output_bytes);
        announced.note_delivered(&lease.snapshot());
        let shell = LeaseShell {
            node: node.clone(),
            runs: runs.clone(),
            run: self.run,
            log: self.log.clone(),
            provider: work.provider,
            agreement,
            channel,
            inputs: work.job.inputs.iter().map(|input| input.hash).collect(),
            output,
            announced,
            lease,
            began: self.began,
            signs: work.signs,
            told,
            ended: Some(ended_in),
            tell_by: None,
        };
        tokio::spawn(shell.run(effects, reports));
        ended
    }

    /// Takes an attempt up that an earlier run of this node left open, and passes its end on.
    async fn take_up(
        &self,
        job: JobView,
        purchase: Option<Purchase>,
        ended: oneshot::Sender<AttemptEnd>,
    ) {
        let agreement = job.agreement;
        match purchase {
            Some(purchase) if self.was_given_up(&purchase, agreement) => {}
            Some(purchase) => {
                let record = purchase.record.clone();
                match purchase.resume(&self.buyer.node).await {
                    Ok(lease) => {
                        let work = self
                            .work_of(agreement, record.terms.payee.node, &lease)
                            .await;
                        let work = match work {
                            Some(mut work) => {
                                work.signs = work.signs.resumed(record.delivered_meter);
                                work
                            }
                            None => return self.lose(job, ended).await,
                        };
                        if let Ok(end) = self.start(lease, work, None).await.await {
                            let _nobody_waits = ended.send(end);
                        }
                        return;
                    }
                    Err(error) => tracing::error!(%agreement, %error, "a lease cannot go on"),
                }
            }
            None => tracing::warn!(%agreement, "nothing on disk lets a lease go on"),
        }
        self.lose(job, ended).await;
    }

    /// Returns what a lease works on that goes on after a restart.
    async fn work_of(
        &self,
        agreement: AgreementId,
        provider: NodeId,
        lease: &Lease,
    ) -> Option<Work> {
        let record = self.record()?;
        let attempt = record.attempt(agreement)?;
        let from_step = attempt.from_step;
        let checkpoint = record.checkpoint();
        let from = checkpoint.filter(|checkpoint| u64::from(checkpoint.step) == from_step);
        let job = record.job_from(from.as_ref()).ok()?;
        if attempt.meter.running_ms == 0 {
            self.bring_inputs(&record).await;
        }
        share(&self.buyer, &job, provider);
        let terms = lease.terms();
        let patience = self.buyer.node.settings.lease.patience();
        let rates = (terms.rates, terms.deposit);
        let bounds = (job.input_bytes(), job.limits.wall_clock());
        let signs = Signs::new(rates, bounds, patience, Instant::now());
        Some(Work {
            agreement,
            provider,
            job,
            signs,
        })
    }

    /// Makes sure that a provider finds what it may still be fetching: a start clears the blob store.
    async fn bring_inputs(&self, record: &RunRecord) {
        match self.buyer.check_inputs(&record.job, &record.sources).await {
            Ok(lines) => lines
                .into_iter()
                .for_each(|line| tracing::info!(run = %self.run, line)),
            Err(error) => {
                let line = error.to_string();
                self.log.tell(RunEvent::Note { line });
            }
        }
        let _brought_in = self.next_job(record).await;
    }

    /// Tells whether an attempt was given up while its lease still wanted to work: it is only closed.
    fn was_given_up(&self, purchase: &Purchase, agreement: AgreementId) -> bool {
        let record = self.record();
        let attempt = record.as_ref().and_then(|record| record.attempt(agreement));
        let is_lost = attempt.is_some_and(|attempt| attempt.lost.is_some());
        is_lost && purchase.record.purpose == Purpose::Work
    }

    /// Says that an attempt cannot go on, and settles it.
    async fn lose(&self, job: JobView, ended: oneshot::Sender<AttemptEnd>) {
        let reason = "this node was restarted and could not take the work up again".to_owned();
        let agreement = job.agreement;
        let is_new = self.buyer.runs.change(self.run, |live| {
            let attempt = live.record.attempt_mut(agreement)?;
            let is_new = attempt.lost.is_none();
            attempt.lost.get_or_insert_with(|| reason.clone());
            is_new.then_some(())
        });
        if is_new.flatten().is_some() {
            let reason = reason.clone();
            self.log.tell(RunEvent::Lost { reason });
        }
        let _nobody_waits = ended.send(AttemptEnd {
            outcome: Outcome::Lost,
            given_up: Some(reason.clone()),
            work_began: true,
            failure: None,
        });
        self.buyer.runs.settle_alone(self.run, job, reason).await;
    }
}

/// What one lease works on.
struct Work {
    agreement: AgreementId,
    provider: NodeId,
    job: JobSpec,
    signs: Signs,
}

/// Lets a provider fetch a job's inputs.
pub(super) fn share(buyer: &Buyer, job: &JobSpec, provider: NodeId) {
    for input in &job.inputs {
        buyer.node.permissions.share(input.hash, provider);
    }
}

/// Takes one [`share`] back.
pub(super) fn unshare(buyer: &Buyer, job: &JobSpec, provider: NodeId) {
    for input in &job.inputs {
        buyer.node.permissions.unshare(input.hash, provider);
    }
}

/// Takes up everything that an earlier run of this node left open: `jobs` are the attempts that are not
/// settled. Runs that are not over go on.
pub(crate) fn resume(buyer: &Buyer, mut jobs: Vec<(JobView, Option<Purchase>)>) {
    let records = match buyer.runs.records() {
        Ok(records) => records,
        Err(error) => {
            tracing::error!(%error, "the list of runs cannot be read; what is open is closed");
            Vec::new()
        }
    };
    for record in records {
        let is_its = |(job, _): &(JobView, Option<Purchase>)| job.run == record.run;
        let (open, rest) = std::mem::take(&mut jobs).into_iter().partition(is_its);
        jobs = rest;
        let open: Vec<(JobView, Option<Purchase>)> = open;
        if record.outcome.is_none() || !record.is_settled() || !open.is_empty() {
            resume_run(buyer, record, open);
        }
    }
    for (job, _) in jobs {
        let node = buyer.node.clone();
        tokio::spawn(async move {
            end_job(&node, job).await;
        });
    }
}

fn resume_run(buyer: &Buyer, record: RunRecord, open: Vec<(JobView, Option<Purchase>)>) {
    let run = record.run;
    let log = open_events(buyer, run);
    let (cancel, cancelled) = tokio::sync::watch::channel(record.is_cancelled);
    let open = with_unknown(&record, open, &buyer.node.chain());
    let newest = record
        .attempts
        .last()
        .filter(|newest| newest.lost.is_none());
    let mut running = newest.and_then(AttemptEnd::kept).map(already);
    let newest = newest.map(|newest| newest.agreement);
    let is_over = record.outcome.is_some();
    let now = buyer.node.clock.now();
    let before = now.map_or_else(Default::default, |now| {
        now.saturating_since(record.started_at)
    });
    let blobs = record.job.inputs.iter().map(|input| input.hash).collect();
    buyer.runs.begin(crate::runs::Live {
        record,
        log: log.clone(),
        cancel,
        leases: std::collections::BTreeMap::new(),
        blobs,
    });
    let handle = || Run {
        buyer: buyer.clone(),
        run,
        log: log.clone(),
        cancelled: cancelled.clone(),
        began: Began {
            before,
            at: Instant::now(),
        },
    };
    for (job, purchase) in open {
        let (ended_in, ended) = oneshot::channel();
        if newest == Some(job.agreement) && running.is_none() {
            running = Some(ended);
        }
        let task = handle();
        tokio::spawn(async move { task.take_up(job, purchase, ended_in).await });
    }
    if is_over {
        return log.close();
    }
    let line = "this node was restarted; the run goes on".to_owned();
    log.tell(RunEvent::Note { line });
    tokio::spawn(Box::pin(handle().work(running)));
}

/// Adds the attempts that are not settled by the run's own record, and of which nothing else is kept.
fn with_unknown(
    record: &RunRecord,
    mut open: Vec<(JobView, Option<Purchase>)>,
    chain: &ChainId,
) -> Vec<(JobView, Option<Purchase>)> {
    for attempt in &record.attempts {
        let agreement = attempt.agreement;
        let is_open = open.iter().any(|(job, _)| job.agreement == agreement);
        if !is_open && attempt.phase != Phase::Ended {
            let job = record.attempt_job(agreement, chain);
            open.extend(job.map(|job| (job, None)));
        }
    }
    open
}

/// Returns an end that has been told already.
fn already(end: AttemptEnd) -> Ended {
    let (ended_in, ended) = oneshot::channel();
    let _here = ended_in.send(end);
    ended
}

fn open_events(buyer: &Buyer, run: market_node::api::RunId) -> EventLog {
    let path = buyer.runs.events_path(run);
    let opened = path.map(|path| EventLog::open(&path));
    match opened {
        Some(Ok(log)) => log,
        Some(Err(error)) => {
            tracing::warn!(%error, %run, "the events of a run cannot go on in their file");
            EventLog::new()
        }
        None => EventLog::new(),
    }
}
