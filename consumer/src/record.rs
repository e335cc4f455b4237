//! Owns what is kept of one run: what was asked for, its agreements, what was delivered, how it ended.
//!
//! Pure: never reads the disk, a clock or the ledger.

mod bid;

use std::collections::BTreeSet;
use std::path::PathBuf;

use market::agreement::Terms;
use market::job::{CheckpointFile, Content, JobError, JobKind, JobSpec};
use market::lease::Phase;
use market::receipt::Outcome;
use market::{AgreementId, Amount, BlobHash, ChainId, NodeId, Timestamp};
use market_node::api::{
    ArtefactView, AttemptView, BudgetView, JobDetail, JobView, PendingRefund, RunId,
};
use serde::{Deserialize, Serialize};

use crate::job_file::{Budget, Needs, Source};

pub(crate) use bid::{BidEnd, BidRecord, InBook};

/// A run, as it lies on disk.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunRecord {
    pub(crate) run: RunId,
    /// `train` or `infer`.
    pub(crate) kind: String,
    /// What was asked for, from its beginning.
    pub(crate) job: JobSpec,
    pub(crate) budget: BudgetView,
    pub(crate) output: PathBuf,
    pub(crate) started_at: Timestamp,
    /// Its agreements, the oldest first.
    pub(crate) attempts: Vec<AttemptView>,
    /// What was delivered; one name stands once.
    pub(crate) artefacts: Vec<ArtefactView>,
    /// Training states that were delivered and are kept for going on; the newest, and those of a checkpoint
    /// that is not whole yet.
    pub(crate) states: Vec<(u32, Content)>,
    pub(crate) progress: Option<(u64, u64)>,
    pub(crate) is_cancelled: bool,
    /// How it ended, once it has.
    pub(crate) outcome: Option<Outcome>,
    /// What a person should know now.
    pub(crate) note: Option<String>,
    /// Where each of the job's inputs came from, in their order.
    pub(crate) sources: Vec<Source>,
    /// What it bids, where it does. Releases before bids did not write it, nor what follows.
    pub(crate) bid: Option<BidRecord>,
    /// What the job file wants of every provider.
    pub(crate) needs: Needs,
}

/// A whole delivered checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    pub(crate) step: u32,
    pub(crate) weights: Content,
    pub(crate) weights_path: PathBuf,
    pub(crate) state: Content,
}

impl RunRecord {
    /// The most bytes of an encoded record.
    pub(crate) const MAX_BYTES: usize = 2 << 20;

    /// Returns an attempt.
    pub(crate) fn attempt(&self, agreement: AgreementId) -> Option<&AttemptView> {
        let is_it = |attempt: &&AttemptView| attempt.agreement == agreement;
        self.attempts.iter().find(is_it)
    }

    /// Returns an attempt to change.
    pub(crate) fn attempt_mut(&mut self, agreement: AgreementId) -> Option<&mut AttemptView> {
        let is_it = |attempt: &&mut AttemptView| attempt.agreement == agreement;
        self.attempts.iter_mut().find(is_it)
    }

    /// Returns the number of the next attempt, from 1.
    pub(crate) fn next_attempt(&self) -> u32 {
        u32::try_from(self.attempts.len()).map_or(u32::MAX, |count| count.saturating_add(1))
    }

    /// Returns what all attempts have paid or can still be made to pay.
    pub(crate) fn paid(&self) -> Amount {
        sum(self.attempts.iter().map(|attempt| attempt.paid))
    }

    /// Returns what all attempts together may cost: the budget, or what the first one locked.
    pub(crate) fn cap(&self) -> Option<Amount> {
        let first = self.attempts.first().map(|attempt| attempt.deposit);
        self.budget.total.or(first)
    }

    /// Returns what another attempt may lock.
    pub(crate) fn remaining(&self) -> Amount {
        let cap = self.cap().unwrap_or(Amount::ZERO);
        cap.checked_sub(self.paid()).unwrap_or(Amount::ZERO)
    }

    /// Returns the budget of the next attempt.
    pub(crate) fn next_budget(&self) -> Budget {
        let total = match self.attempts.is_empty() {
            true => self.budget.total,
            false => Some(self.remaining()),
        };
        Budget {
            max_price: self.budget.max_price,
            total,
            delivery_ticks: self.budget.delivery_ticks,
        }
    }

    /// Returns the providers that this run does not try again: an attempt with them has ended.
    pub(crate) fn failed_providers(&self) -> BTreeSet<NodeId> {
        let ended = self.attempts.iter().filter(|attempt| has_ended(attempt));
        ended.map(|attempt| attempt.provider).collect()
    }

    /// Notes a delivered file in place of an older one of that name.
    pub(crate) fn delivered(&mut self, artefact: ArtefactView) {
        self.artefacts.retain(|known| known.name != artefact.name);
        self.artefacts.push(artefact);
    }

    /// Notes a training state, and returns the steps of those that are of no use any more.
    pub(crate) fn kept_state(&mut self, step: u32, state: Content) -> Vec<u32> {
        self.states.retain(|(known, _)| *known != step);
        self.states.push((step, state));
        self.superseded_states()
    }

    /// Forgets the states that are older than the newest whole checkpoint, and returns their steps.
    pub(crate) fn superseded_states(&mut self) -> Vec<u32> {
        let Some(newest) = self.checkpoint().map(|checkpoint| checkpoint.step) else {
            return Vec::new();
        };
        let (kept, gone) = std::mem::take(&mut self.states)
            .into_iter()
            .partition(|(step, _)| *step >= newest);
        self.states = kept;
        gone.into_iter().map(|(step, _)| step).collect()
    }

    /// Returns the newest checkpoint of which both the weights and the state were delivered.
    pub(crate) fn checkpoint(&self) -> Option<Checkpoint> {
        let whole = self.states.iter().filter_map(|(step, state)| {
            let name = CheckpointFile::Weights.after(*step);
            let is_it = |artefact: &&ArtefactView| artefact.name == name.as_str();
            let weights = self.artefacts.iter().find(is_it)?;
            Some(Checkpoint {
                step: *step,
                weights: Content {
                    hash: weights.hash,
                    bytes: weights.bytes,
                },
                weights_path: weights.path.clone(),
                state: *state,
            })
        });
        whole.max_by_key(|checkpoint| checkpoint.step)
    }

    /// Returns the files that a run which is not over needs of this node's blob store: its inputs, and those of
    /// the checkpoint that it goes on from.
    pub(crate) fn needed_blobs(&self) -> BTreeSet<BlobHash> {
        if self.outcome.is_some() {
            return BTreeSet::new();
        }
        let inputs = self.job.inputs.iter().map(|input| input.hash);
        let checkpoint = self.checkpoint();
        let states = checkpoint.map(|checkpoint| [checkpoint.weights.hash, checkpoint.state.hash]);
        inputs.chain(states.into_iter().flatten()).collect()
    }

    /// Returns the job that goes on from a checkpoint, or begins where there is none.
    ///
    /// # Errors
    /// The inputs would be larger than a job's may be.
    pub(crate) fn job_from(&self, checkpoint: Option<&Checkpoint>) -> Result<JobSpec, JobError> {
        match checkpoint {
            None => Ok(self.job.clone()),
            Some(checkpoint) => self.job.resuming(checkpoint.weights, checkpoint.state),
        }
    }

    /// Returns the share of the job's work that a checkpoint saves, as steps made and steps in all.
    pub(crate) fn steps_done(&self, checkpoint: Option<&Checkpoint>) -> (u64, u64) {
        match (&self.job.kind, checkpoint) {
            (JobKind::Train(train), Some(checkpoint)) => {
                (checkpoint.step.into(), train.steps.into())
            }
            (JobKind::Train(train), None) => (0, train.steps.into()),
            (JobKind::Infer(_), _) => (0, 1),
        }
    }

    /// Returns what is on its way back over all attempts.
    pub(crate) fn pending_refund(&self) -> Option<PendingRefund> {
        let pending = self
            .attempts
            .iter()
            .filter_map(|attempt| attempt.pending_refund);
        pending.reduce(|one, other| PendingRefund {
            amount: sum([one.amount, other.amount].into_iter()),
            due_at: one.due_at.max(other.due_at),
        })
    }

    /// Tells whether every channel of the run is settled.
    pub(crate) fn is_settled(&self) -> bool {
        let settled = |attempt: &AttemptView| attempt.phase == Phase::Ended;
        self.attempts.iter().all(settled)
    }

    /// Shows the run at a glance; `None` before its first agreement.
    pub(crate) fn view(&self, chain: &ChainId) -> Option<JobView> {
        let newest = self.attempts.last()?;
        let paid = self.paid();
        let settled = self.outcome.is_some() && self.is_settled();
        let before = sum(self
            .attempts
            .iter()
            .rev()
            .skip(1)
            .map(|attempt| attempt.paid));
        let deposit = sum([newest.deposit, before].into_iter());
        Some(JobView {
            run: self.run,
            attempts: newest.attempt,
            job: self.job.id(chain),
            agreement: newest.agreement,
            channel: newest.channel,
            kind: self.kind.clone(),
            provider: newest.provider,
            class: newest.class,
            price_per_hour: newest.rates.price_per_hour,
            phase: self.phase(newest),
            outcome: self.outcome,
            deposit,
            paid,
            refunded: settled.then(|| deposit.checked_sub(paid)).flatten(),
            pending_refund: self.pending_refund(),
            meter: newest.meter,
            progress: self.progress,
            output: self.output.clone(),
            receipt: newest.receipt,
            started_at: self.started_at,
            note: self.note.clone(),
        })
    }

    fn phase(&self, newest: &AttemptView) -> Phase {
        match (self.outcome, has_ended(newest)) {
            (Some(_), _) => Phase::Ended,
            (None, true) => Phase::Opening,
            (None, false) => newest.phase,
        }
    }

    /// Shows one attempt as a job of its own, which is what a restart finds.
    pub(crate) fn attempt_job(&self, agreement: AgreementId, chain: &ChainId) -> Option<JobView> {
        let attempt = self.attempt(agreement)?;
        let job = self.view(chain)?;
        Some(JobView {
            attempts: attempt.attempt,
            agreement,
            channel: attempt.channel,
            provider: attempt.provider,
            class: attempt.class,
            price_per_hour: attempt.rates.price_per_hour,
            phase: attempt.phase,
            outcome: attempt.outcome,
            deposit: attempt.deposit,
            paid: attempt.paid,
            refunded: attempt.refunded,
            pending_refund: attempt.pending_refund,
            meter: attempt.meter,
            receipt: attempt.receipt,
            started_at: attempt.started_at,
            note: None,
            ..job
        })
    }

    /// Shows everything that is known; `events` is the range of lines that are kept.
    pub(crate) fn detail(&self, chain: &ChainId, events: (u64, u64)) -> Option<JobDetail> {
        Some(JobDetail {
            job: self.view(chain)?,
            attempts: self.attempts.clone(),
            artefacts: self.artefacts.clone(),
            budget: self.budget,
            spec: self.job.clone(),
            sandbox_level: self.needs.sandbox,
            checkpoint_step: self.checkpoint().map(|checkpoint| checkpoint.step.into()),
            events,
        })
    }
}

/// Begins the view of an agreement that has just been opened.
pub(crate) fn new_attempt(
    (attempt, from_step): (u32, u64),
    terms: &Terms,
    chain: &ChainId,
    at: Timestamp,
) -> AttemptView {
    AttemptView {
        attempt,
        agreement: terms.id(chain),
        channel: terms.channel_id(chain),
        provider: terms.payee.node,
        class: terms.class,
        rates: terms.rates,
        phase: Phase::Preparing,
        outcome: None,
        lost: None,
        from_step,
        meter: market::agreement::Meter::default(),
        deposit: terms.deposit,
        paid: terms.rates.first_tick().unwrap_or(terms.deposit),
        refunded: None,
        pending_refund: None,
        receipt: false,
        started_at: at,
    }
}

/// Returns what is left of what an attempt locked.
pub(crate) fn unspent(attempt: &AttemptView) -> Amount {
    let left = attempt.deposit.checked_sub(attempt.paid);
    left.unwrap_or(Amount::ZERO)
}

/// Tells whether nothing more comes of an attempt, though its channel may not be settled yet.
pub(crate) fn has_ended(attempt: &AttemptView) -> bool {
    attempt.lost.is_some() || attempt.phase == Phase::Ended
}

/// Adds up, saturating at all the money that there can be.
fn sum(amounts: impl Iterator<Item = Amount>) -> Amount {
    let add = |total: Amount, amount| total.checked_add(amount);
    let mut amounts = amounts;
    let total = amounts.try_fold(Amount::ZERO, add);
    total.unwrap_or(market::amount::SUPPLY_CAP)
}

impl From<Budget> for BudgetView {
    fn from(budget: Budget) -> Self {
        Self {
            max_price: budget.max_price,
            total: budget.total,
            delivery_ticks: budget.delivery_ticks,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
