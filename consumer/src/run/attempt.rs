//! Owns beginning an attempt once its channel is open.
//!
//! Never begins work that the disk does not know of.

use std::time::Instant;

use market::job::JobSpec;
use market::lease::{Input, Lease, Role};
use market::{AgreementId, NodeId, Timestamp};
use market_node::api::RunEvent;
use tokio::sync::{mpsc, oneshot};

use super::seek::Search;
use super::{Ended, Run};
use crate::buyer::{Buyer, RunError};
use crate::lease::{Announced, LeaseShell, Signs, Told};
use crate::record::new_attempt;
use crate::reserve::{Opened, Opening};

/// Why an agreement is lost that is closed before work under it began.
pub(super) const CLOSED: &str =
    "the provider closed the agreement before this node knew that it was open";

/// Batches of reports that wait for one job.
const REPORTS: usize = 16;

impl Run {
    /// Begins the attempt of an opening that is final; where its channel was closed meanwhile, notes what it cost.
    pub(super) async fn take_opened(
        &self,
        search: &Search,
        opening: Opening,
        opened: Opened,
    ) -> Result<Ended, RunError> {
        if opened.is_open() {
            return self.open(search, opening, opened.at).await;
        }
        unshare(&self.buyer, &search.job, opening.terms().payee.node);
        Ok(self.lose_opened(opening, opened, CLOSED.to_owned()).await)
    }

    /// Starts the lease of a channel that is open since `at`.
    async fn open(
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
    pub(super) fn abandon(&self, agreement: AgreementId, reason: String) {
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
    pub(super) fn keep_events(&self) {
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
    pub(super) async fn start(
        &self,
        lease: Lease,
        work: Work,
        opened_at: Option<Timestamp>,
    ) -> Ended {
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
            (record.output.clone(), record.is_cancelled)
        });
        let (output, is_cancelled) = known.unwrap_or_default();
        let told = match opened_at {
            Some(_) => Told {
                next: 0,
                may_miss: false,
            },
            None => Told {
                next: self.log.next_report(agreement),
                may_miss: true,
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
}

/// What one lease works on.
pub(super) struct Work {
    pub(super) agreement: AgreementId,
    pub(super) provider: NodeId,
    pub(super) job: JobSpec,
    pub(super) signs: Signs,
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
