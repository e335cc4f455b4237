//! Owns the end of an attempt on the buying side: whether what a provider calls complete is whole, closing alone
//! where that must be, and what is told of money on its way back.
//!
//! Never tells a date that the ledger has not given, and never lets a run wait long for the ledger's word.

use std::time::{Duration, Instant};

use market::lease::{Ending, Input, Phase};
use market::ledger::{ChannelState, Operation};
use market::receipt::Outcome;
use market::{Amount, Timestamp};
use market_node::api::{PendingRefund, RunEvent};
use market_node::recover::forget_purchase;
use market_node::settle::settle;
use tokio::sync::mpsc;

use super::LeaseShell;
use super::outputs::{self, News};
use crate::runs::Live;
use crate::verdict::AttemptEnd;

/// How often the ledger is asked again.
const RETRY: Duration = Duration::from_millis(500);

/// How long the end of an attempt waits for the ledger to say that its channel closes.
const CLOSE_WAIT: Duration = Duration::from_secs(5);

impl LeaseShell {
    /// Asks the ledger in the background until the channel is closed.
    pub(super) fn ask_settled(&self, news: mpsc::Sender<News>) {
        let (ledger, lease, channel) = (self.node.ledger.clone(), self.lease.clone(), self.channel);
        tokio::spawn(async move {
            let mut is_told = false;
            loop {
                match ledger.channel(channel).await {
                    Ok(Some(found)) => match found.record.state {
                        ChannelState::Closed => {
                            let paid = found.record.claimed;
                            return lease.input(Input::Settled { paid }).await;
                        }
                        ChannelState::Closing { deadline_ms } if !is_told => {
                            is_told = true;
                            let header = &found.proof.certified.header;
                            let due_at = due_at((header.time, header.uptime_ms), deadline_ms);
                            let _over = news.send(News::Closing(due_at)).await;
                        }
                        ChannelState::Closing { .. } | ChannelState::Open => {}
                    },
                    Ok(None) => {}
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
    pub(super) fn payer_close(&self, operation: Operation, news: mpsc::Sender<News>) {
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
        self.ask_settled(news);
    }

    /// Notes that this side closes alone, having promised `paid`. The end is told once the ledger has the close.
    pub(super) async fn closes_alone(&mut self, paid: Amount) {
        let agreement = self.agreement;
        self.runs.change(self.run, |live| {
            if let Some(attempt) = live.record.attempt_mut(agreement) {
                (attempt.paid, attempt.phase) = (paid, Phase::Closing);
            }
        });
        self.keep().await;
        self.tell_by
            .get_or_insert_with(|| Instant::now() + CLOSE_WAIT);
    }

    /// Notes and tells what comes back when the ledger's window ends; and that nothing more comes of the attempt,
    /// where this side closes.
    pub(super) async fn closing(&mut self, due_at: Timestamp) {
        let agreement = self.agreement;
        let pending = self.runs.change(self.run, |live| {
            let attempt = live.record.attempt_mut(agreement)?;
            if attempt.pending_refund.is_some() {
                return None; // Told before a restart.
            }
            let amount = attempt.deposit.checked_sub(attempt.paid)?;
            attempt.pending_refund = Some(PendingRefund { amount, due_at });
            attempt.pending_refund
        });
        if let Some(PendingRefund { amount, due_at }) = pending.flatten() {
            self.log.tell(RunEvent::PendingRefund { amount, due_at });
        }
        if self.tell_by.is_some() {
            self.judge_alone();
        }
        self.keep().await;
        if self.tell_by.is_some() {
            self.tell_end(self.own_outcome());
        }
    }

    /// Tells the end of an attempt whose close the ledger does not have yet.
    pub(super) async fn tell_unclosed(&mut self) {
        let window = self.node.membership.genesis.challenge_ms / 1_000;
        let line = format!(
            "closing the agreement waits for the operator; what is left of its deposit comes back {window} s after \
             the operator has the close"
        );
        self.log.tell(RunEvent::Note { line });
        self.judge_alone();
        self.keep().await;
        self.tell_end(self.own_outcome());
    }

    fn own_outcome(&self) -> Outcome {
        let outcome = self.lease.snapshot().outcome;
        outcome.unwrap_or(Outcome::Lost)
    }

    fn judge_alone(&mut self) {
        self.judge(self.own_outcome());
    }

    /// Compares what the provider says of the end with what arrived, unless the end was told already.
    fn judge(&mut self, outcome: Outcome) {
        if self.ended.is_none() {
            return;
        }
        let (agreement, snapshot) = (self.agreement, self.lease.snapshot());
        let missing = self.runs.change(self.run, |live| {
            outputs::missing(&live.record.job.kind, &snapshot)
        });
        let was_given_up = self.signs.given_up.is_some();
        self.signs.ended(outcome, missing.flatten());
        match (&self.signs.given_up, was_given_up) {
            (Some(reason), false) => self.note_lost(reason.clone()),
            (None, true) => {
                self.runs.change(self.run, |live| {
                    if let Some(attempt) = live.record.attempt_mut(agreement) {
                        attempt.lost = None;
                    }
                });
            }
            (Some(_), true) | (None, false) => {}
        }
    }

    fn tell_end(&mut self, outcome: Outcome) {
        let Some(ended) = self.ended.take() else {
            return;
        };
        let _nobody_waits = ended.send(AttemptEnd {
            outcome,
            given_up: self.signs.given_up.clone(),
            work_began: self.signs.work_began,
            failure: self.signs.failure.clone(),
        });
    }

    /// Notes how the attempt ended and what it cost.
    pub(super) async fn finish(mut self, ending: Option<Ending>) {
        let Some(ending) = ending else {
            let reason = "the lease stopped on this side; the log says why".to_owned();
            self.give_up(reason.clone());
            self.tell_end(Outcome::Lost);
            let (chain, agreement) = (self.node.chain(), self.agreement);
            let find = |live: &mut Live| live.record.attempt_job(agreement, &chain);
            // Nobody works under it any more, so its deposit comes back.
            if let Some(job) = self.runs.change(self.run, find).flatten() {
                self.runs.settle_alone(self.run, job, reason).await;
            }
            return;
        };
        self.judge(ending.outcome);
        let outcome = match self.signs.given_up {
            Some(_) => Outcome::Lost,
            None => ending.outcome,
        };
        let (agreement, meter) = (self.agreement, self.lease.snapshot().meter);
        self.runs.change(self.run, |live| {
            live.leases.remove(&agreement);
            let Some(attempt) = live.record.attempt_mut(agreement) else {
                return;
            };
            (attempt.phase, attempt.meter) = (Phase::Ended, meter);
            attempt.outcome = Some(outcome);
            attempt.paid = ending.paid;
            attempt.refunded = attempt.deposit.checked_sub(ending.paid);
            attempt.pending_refund = None;
            let receipt = ending.receipt.as_ref();
            attempt.receipt = receipt.is_some_and(|receipt| receipt.payer.is_some());
        });
        self.keep().await;
        forget_purchase(&self.node, self.agreement).await;
        self.tell_end(ending.outcome);
        self.runs.forget_settled(self.run).await;
    }
}

/// Returns when a window ends in protocol time, given where a block stands in protocol time and on the uptime
/// clock.
fn due_at((time, uptime_ms): (Timestamp, u64), deadline_ms: u64) -> Timestamp {
    let left = deadline_ms.saturating_sub(uptime_ms);
    time.saturating_add(Duration::from_millis(left))
}

#[cfg(test)]
mod tests;
