//! Owns one run from the request to its end: offers are sought, one is reserved, and where an attempt comes to
//! nothing through no fault of the job, it goes on with another provider within the same budget.
//!
//! ```text
//!   seek ─► reserve ─► attempt ─► decide ─► over
//!     ▲                             │
//!     └──────── elsewhere ◄─────────┘   from the newest whole checkpoint
//! ```
//! Never tries a provider twice that failed this run, and never lets all attempts together cost more than the
//! budget.

mod attempt;
mod begin;
mod refusers;
mod resume;
mod seek;
mod sent;
mod stand;
mod wait;

use std::path::PathBuf;

use market::Amount;
use market::job::JobSpec;
use market::lease::Input;
use market::receipt::Outcome;
use market_node::api::{RunEvent, RunId};
use market_node::lease::LeaseHandle;
use tokio::sync::{oneshot, watch};

pub(crate) use begin::Wish;
pub use resume::LeftOpen;
pub(crate) use resume::resume;

use self::seek::Sought;
use crate::buyer::{Buyer, RunError};
use crate::events::EventLog;
use crate::lease::Began;
use crate::record::{BidEnd, RunRecord, unspent};
use crate::verdict::{AttemptEnd, Means, Verdict, decide};

/// What a run's task works with.
pub(crate) struct Run {
    pub(crate) buyer: Buyer,
    pub(crate) run: RunId,
    pub(crate) log: EventLog,
    pub(crate) cancelled: watch::Receiver<bool>,
    pub(crate) began: Began,
}

/// The end of an attempt, as soon as it is known.
pub(crate) type Ended = oneshot::Receiver<AttemptEnd>;

impl Run {
    /// Works until the run is over, beginning with an attempt that an earlier run of this node left.
    pub(crate) async fn work(mut self, mut running: Option<Ended>) {
        loop {
            let ended = match running.take() {
                Some(ended) => ended,
                None => match self.find().await {
                    Ok(Sought::Open(ended)) => ended,
                    Ok(Sought::Cancelled) => return self.cancelled().await,
                    Err(error) => return self.fail(error).await,
                },
            };
            let Some(end) = self.attend(ended).await else {
                return; // The node is stopping; the next start goes on.
            };
            match decide(&end, self.means()) {
                Verdict::Over(outcome, line) => return self.finish(outcome, line).await,
                Verdict::Elsewhere(reason) => self.leave(&end, reason).await,
            }
        }
    }

    /// Finds somebody for the next attempt: a run that bids waits for the first as long as its bid stands.
    async fn find(&mut self) -> Result<Sought, RunError> {
        match self.bids() {
            true => self.stand().await,
            false => self.seek().await,
        }
    }

    /// Waits for the end of an attempt, and passes a wish to cancel on.
    async fn attend(&mut self, mut ended: Ended) -> Option<AttemptEnd> {
        let mut is_told = false;
        loop {
            tokio::select! {
                end = &mut ended => return end.ok(),
                () = wanted(&mut self.cancelled), if !is_told => {
                    is_told = true;
                    self.cancel().await;
                }
            }
        }
    }

    fn record(&self) -> Option<RunRecord> {
        self.buyer.runs.live(self.run).map(|live| live.record)
    }

    /// Ends the leases of a run that is not wanted any more.
    async fn cancel(&self) {
        let leases = self.buyer.runs.change(self.run, |live| {
            live.leases.values().cloned().collect::<Vec<LeaseHandle>>()
        });
        for lease in leases.unwrap_or_default() {
            lease.input(Input::Cancel).await;
        }
    }

    /// Returns what the run may still do.
    fn means(&self) -> Means {
        let record = self.record();
        let newest = record.as_ref().and_then(|record| record.attempts.last());
        let tick = newest.and_then(|attempt| attempt.rates.first_tick());
        Means {
            is_cancelled: record.as_ref().is_some_and(|record| record.is_cancelled),
            remaining: record.as_ref().map_or(Amount::ZERO, RunRecord::remaining),
            locked: newest.map_or(Amount::ZERO, unspent),
            tick: tick.unwrap_or(Amount::ZERO),
            attempts: newest.map_or(0, |attempt| attempt.attempt),
        }
    }

    /// Notes that an attempt came to nothing. One that was given up has been told of already.
    async fn leave(&self, end: &AttemptEnd, reason: String) {
        if end.given_up.is_none() {
            let reason = reason.clone();
            self.log.tell(RunEvent::Lost { reason });
        }
        self.buyer.runs.change(self.run, |live| {
            if let Some(newest) = live.record.attempts.last_mut() {
                newest.lost.get_or_insert(reason);
            }
        });
        self.keep().await;
    }

    /// Ends a run that was stopped before anything, or anything more, was bought.
    async fn cancelled(self) {
        if self.has_bought() {
            return self.finish(Outcome::Cancelled, None).await;
        }
        if self.bids() {
            return self.end_bid(BidEnd::Cancelled, unbought()).await;
        }
        self.give_up_unbought(unbought()).await;
    }

    /// Ends a run that has bought nothing; it is not listed any more.
    async fn give_up_unbought(self, event: RunEvent) {
        self.log.tell(event);
        self.log.close();
        self.buyer.runs.forget(self.run).await;
    }

    fn has_bought(&self) -> bool {
        let record = self.record();
        record.is_some_and(|record| !record.attempts.is_empty())
    }

    /// Ends a run for which nobody was found.
    async fn fail(self, error: RunError) {
        if self.has_bought() {
            let line = format!("no other provider goes on: {error}");
            return self.finish(Outcome::Lost, Some(line)).await;
        }
        if self.bids() {
            let end = match &error {
                RunError::Unsold { .. } => BidEnd::Unsold,
                _ => BidEnd::Failed,
            };
            return self.end_bid(end, failed(error)).await;
        }
        self.give_up_unbought(failed(error)).await;
    }

    /// Ends a run that bought something.
    async fn finish(self, outcome: Outcome, line: Option<String>) {
        let runs = &self.buyer.runs;
        let chain = self.buyer.node.chain();
        let ended = runs.change(self.run, |live| {
            live.record.outcome = Some(outcome);
            live.record.note = line;
            let states = std::mem::take(&mut live.record.states);
            (live.record.view(&chain), states)
        });
        self.keep().await;
        let (view, states) = ended.unwrap_or_default();
        for (step, _) in states {
            runs.remove_state(self.run, step).await;
        }
        if let Some(view) = view {
            self.log.tell(RunEvent::Finished(Box::new(view)));
        }
        self.log.close();
        self.buyer.rate_sellers().await;
        runs.forget_settled(self.run).await;
    }

    async fn keep(&self) {
        if let Err(error) = self.buyer.runs.keep(self.run).await {
            tracing::error!(%error, run = %self.run, "where a run stands could not be noted");
        }
    }

    /// Returns the job of the next attempt, from the newest checkpoint that is still whole, and its step.
    async fn next_job(&self, record: &RunRecord) -> (JobSpec, u32) {
        let Some(checkpoint) = record.checkpoint() else {
            return (record.job.clone(), 0);
        };
        let paths = [
            Some(checkpoint.weights_path.clone()),
            self.buyer.runs.state_path(self.run, checkpoint.step),
        ];
        let blobs = self.buyer.node.blobs.clone();
        let wanted = [checkpoint.weights.hash, checkpoint.state.hash];
        self.buyer
            .runs
            .change(self.run, |live| live.blobs.extend(wanted));
        let imported = tokio::task::spawn_blocking(move || {
            let import = |path: Option<PathBuf>| {
                let blob = path.and_then(|path| blobs.import_path(&path).ok());
                blob.map(|blob| blob.hash)
            };
            paths.map(import)
        });
        let found = imported.await.unwrap_or_default();
        // What is not wanted leaves with the rest.
        self.buyer.runs.change(self.run, |live| {
            live.blobs.extend(found.into_iter().flatten());
        });
        let reason = match record.job_from(Some(&checkpoint)) {
            Ok(job) if found == wanted.map(Some) => return (job, checkpoint.step),
            Ok(_) => "is not as it was delivered".to_owned(),
            Err(error) => format!("is more than a job may begin with ({error})"),
        };
        let line = format!(
            "the checkpoint after step {} {reason}, so the job begins again",
            checkpoint.step
        );
        self.log.tell(RunEvent::Note { line });
        (record.job.clone(), 0)
    }
}

/// Returns the event of a run that was stopped before it bought anything.
fn unbought() -> RunEvent {
    RunEvent::Failed {
        reason: "cancelled before anything was bought".to_owned(),
    }
}

/// Returns when the person wants the run stopped; never where the run is forgotten.
async fn wanted(cancelled: &mut watch::Receiver<bool>) {
    if cancelled.wait_for(|wanted| *wanted).await.is_err() {
        std::future::pending().await
    }
}

/// Returns the event of a run that bought nothing.
pub(crate) fn failed(error: RunError) -> RunEvent {
    match error {
        RunError::NoOffer(summary) => RunEvent::NothingFits { summary },
        error @ RunError::Unsold { .. } => RunEvent::NothingFits {
            summary: error.to_string(),
        },
        error => RunEvent::Failed {
            reason: error.to_string(),
        },
    }
}
