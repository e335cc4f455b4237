//! Owns going on after a restart of this node: attempts that were open are taken up, and of openings that were
//! sent it is found out whether they became an agreement.
//!
//! Never locks money anew before that is known, so that all attempts of a run stay within its budget.

use std::collections::BTreeMap;
use std::time::Instant;

use market::lease::{Lease, Phase, Purpose};
use market::ledger::SignedTransaction;
use market::receipt::Outcome;
use market::{AgreementId, ChainId, NodeId};
use market_node::api::{JobView, RunEvent, RunId};
use market_node::recover::{Purchase, end_job, forget, watch_opening};
use tokio::sync::{oneshot, watch};

use super::attempt::{CLOSED, Work, share};
use super::sent::Sent;
use super::{Ended, Run};
use crate::buyer::{Buyer, RunError};
use crate::events::EventLog;
use crate::lease::{Began, Signs};
use crate::record::{RunRecord, new_attempt};
use crate::reserve::{Opened, Opening};
use crate::runs::Live;
use crate::standing::Machine;
use crate::verdict::AttemptEnd;

/// Why an attempt is lost that cannot go on.
const LOST: &str = "this node was restarted and could not take the work up again";

impl Run {
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
                        let end = self.start(lease, work, None).await;
                        if ended.is_closed() {
                            return; // The run knows this end already; nothing of it is shown any more.
                        }
                        if let Ok(end) = end.await {
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
        let reason = LOST.to_owned();
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

/// What an earlier run of this node left open.
#[derive(Debug)]
pub struct LeftOpen {
    /// The attempts that are not settled, each with its lease where that is on disk.
    pub jobs: Vec<(JobView, Option<Purchase>)>,
    /// The openings that were sent, each for its run, and whose fate is not known.
    pub openings: Vec<(RunId, SignedTransaction)>,
}

impl LeftOpen {
    /// Takes out what belongs to one run.
    fn take(&mut self, run: RunId) -> Self {
        let (jobs, rest) = std::mem::take(&mut self.jobs)
            .into_iter()
            .partition(|(job, _)| job.run == run);
        self.jobs = rest;
        let (openings, rest) = std::mem::take(&mut self.openings)
            .into_iter()
            .partition(|(of, _)| *of == run);
        self.openings = rest;
        Self { jobs, openings }
    }
}

/// Takes up everything that an earlier run of this node left open. Runs that are not over go on.
pub(crate) fn resume(buyer: &Buyer, mut left: LeftOpen) {
    let records = match buyer.runs.records() {
        Ok(records) => records,
        Err(error) => {
            tracing::error!(%error, "the list of runs cannot be read; what is open is closed");
            Vec::new()
        }
    };
    for record in records {
        let mut own = left.take(record.run);
        if record.outcome.is_some() {
            // Nothing more is bought for it, so what still opens is closed.
            left.openings.append(&mut own.openings);
        }
        if record.outcome.is_none() || !record.is_settled() || !own.jobs.is_empty() {
            resume_run(buyer, record, own);
        }
    }
    for (job, _) in left.jobs {
        let node = buyer.node.clone();
        tokio::spawn(async move {
            end_job(&node, job).await;
        });
    }
    for (_, opening) in left.openings {
        let node = buyer.node.clone();
        tokio::spawn(async move { watch_opening(&node, &opening).await });
    }
}

fn resume_run(buyer: &Buyer, record: RunRecord, left: LeftOpen) {
    let run = record.run;
    let log = open_events(buyer, run);
    let (cancel, cancelled) = watch::channel(record.is_cancelled);
    let open = with_unknown(&record, left.jobs, &buyer.node.chain());
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
    let bid = record.open_bid();
    let live = Live {
        record,
        log: log.clone(),
        cancel,
        is_kept: true,
        leases: BTreeMap::new(),
        blobs,
        standing: None,
    };
    match bid {
        None => buyer.runs.begin(live),
        // There are as many slots as there were; a record that was added by hand waits for the next start.
        Some(bid)
            if buyer
                .runs
                .begin_bid(live, Machine::new(bid.until))
                .is_none() =>
        {
            return tracing::error!(%run, "a bid finds no free place in the book");
        }
        Some(_) => {}
    }
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
    let openings = left.openings.into_iter().map(|(_, opening)| opening);
    tokio::spawn(Box::pin(handle().go_on(running, openings.collect())));
}

impl Run {
    /// Goes on with the attempt that runs, or once it is known what became of the openings that were sent.
    async fn go_on(self, running: Option<Ended>, openings: Vec<SignedTransaction>) {
        let sent = self.unknown(openings).await;
        let running = match running {
            // Its opening has used the nonce that the others carry.
            Some(running) => {
                sent.watch();
                Some(running)
            }
            None => match self.opened_meanwhile(sent).await {
                Ok(running) => running,
                Err(error) => return self.fail(error).await,
            },
        };
        if running.is_none() && !self.has_bought() && !self.bids() {
            let reason = "this node was restarted before anything was bought".to_owned();
            return self.give_up_unbought(RunEvent::Failed { reason }).await;
        }
        self.work(running).await;
    }

    /// Leaves out the openings whose agreement the run knows: they were noted and not yet forgotten.
    async fn unknown(&self, openings: Vec<SignedTransaction>) -> Sent {
        let (node, record) = (&self.buyer.node, self.record());
        let mut unknown = Vec::new();
        for transaction in openings {
            let id = transaction.id(&node.chain());
            let Some(opening) = Opening::of(node, transaction) else {
                // Nobody takes what does not verify, so it opens nothing.
                tracing::warn!(tx = %id, "an opening on disk does not verify and is forgotten");
                forget(node, id).await;
                continue;
            };
            let record = record.as_ref();
            match record.and_then(|record| record.attempt(opening.agreement())) {
                Some(_) => opening.forget().await,
                None => unknown.push(opening),
            }
        }
        Sent::of(unknown)
    }

    /// Waits until it is known what became of openings that this node sent before it was stopped, and takes up
    /// the agreement that one of them has become.
    async fn opened_meanwhile(&self, mut sent: Sent) -> Result<Option<Ended>, RunError> {
        if sent.is_empty() {
            return Ok(None);
        }
        let line = "this node was stopped while it reserved; it is looked up whether an agreement came of it";
        self.tell_wait(line.to_owned());
        let found = sent.settle().await;
        sent.watch();
        let Some((opening, opened)) = found else {
            return Ok(None);
        };
        if !opened.is_open() {
            return Ok(Some(
                self.lose_opened(opening, opened, CLOSED.to_owned()).await,
            ));
        }
        let chain = self.buyer.node.chain();
        match self.search().await {
            Ok(Some(search)) if search.job.id(&chain) == opening.terms().job => {
                share(&self.buyer, &search.job, opening.terms().payee.node);
                self.take_opened(&search, opening, opened).await.map(Some)
            }
            Ok(_) => Ok(Some(
                self.lose_opened(opening, opened, LOST.to_owned()).await,
            )),
            Err(error) => Ok(Some(
                self.lose_opened(opening, opened, error.to_string()).await,
            )),
        }
    }

    /// Notes an agreement whose work cannot begin any more, so that its cost counts, and settles it then. One that
    /// cannot be noted stays known by its opening, for the next start.
    pub(super) async fn lose_opened(
        &self,
        opening: Opening,
        opened: Opened,
        reason: String,
    ) -> Ended {
        let agreement = opening.agreement();
        let chain = self.buyer.node.chain();
        self.buyer.runs.change(self.run, |live| {
            let number = live.record.next_attempt();
            let mut view = new_attempt((number, 0), opening.terms(), &chain, opened.at);
            view.paid = opened.paid(view.paid);
            view.lost = Some(reason.clone());
            live.record.attempts.push(view);
        });
        self.keep_events();
        self.log.tell(RunEvent::Lost {
            reason: reason.clone(),
        });
        match self.buyer.runs.keep_attempt(self.run, agreement).await {
            Ok(()) => opening.forget().await,
            Err(error) => {
                tracing::error!(%error, %agreement, "an agreement that is closed could not be noted");
            }
        }
        self.abandon(agreement, reason.clone());
        already(AttemptEnd {
            outcome: Outcome::Lost,
            given_up: Some(reason),
            work_began: false,
            failure: None,
        })
    }
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

fn open_events(buyer: &Buyer, run: RunId) -> EventLog {
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
