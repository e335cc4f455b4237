//! Owns what a selling lease asks of the ledger: proof that the channel is open, claims and the close.
//!
//! Never lets the lease wait: all of it goes on beside it and comes back as inputs.

use std::time::Duration;

use market::lease::{Input, Timing};
use market::ledger::{ChannelState, Operation, Rejected};
use market::{Amount, ChainId};
use market_node::settle::{Settlement, settle};

use super::{LeaseShell, Work};

/// How often the ledger is asked again while it cannot be reached or is behind.
const LEDGER_RETRY: Duration = Duration::from_secs(1);

impl LeaseShell {
    /// Asks the ledger until it proves what the channel's state is now.
    pub(super) fn prove_open(&self, work: &mut Work) {
        let is_asking = |task: &tokio::task::AbortHandle| !task.is_finished();
        if work.proving.as_ref().is_some_and(is_asking) {
            return;
        }
        let (ledger, lease, channel) = (self.node.ledger.clone(), self.lease.clone(), self.channel);
        let limit = Timing::default().proof_age;
        let task = work.money.spawn(async move {
            loop {
                match ledger.channel(channel).await {
                    Ok(Some(found)) => match found.record.state {
                        ChannelState::Open if found.age <= limit => {
                            let at = found.proof.certified.header.time;
                            return lease.input(Input::ProvedOpen { at }).await;
                        }
                        ChannelState::Open => {
                            tracing::debug!(%channel, age = ?found.age, "a proof is too old");
                        }
                        ChannelState::Closing { .. } => {
                            return lease.input(Input::ChannelClosing).await;
                        }
                        ChannelState::Closed => {
                            let paid = found.record.claimed;
                            return lease.input(Input::Settled { paid }).await;
                        }
                    },
                    Ok(None) => tracing::warn!(%channel, "the operator does not know the channel"),
                    Err(error) => tracing::debug!(%error, "no proof of the channel yet"),
                }
                tokio::time::sleep(LEDGER_RETRY).await;
            }
        });
        work.proving = Some(task);
    }

    /// Claims or closes. A channel that turns out to be closed ends the lease, whatever was asked.
    pub(super) fn settle(&self, operation: Operation, work: &mut Work) {
        while work.money.try_join_next().is_some() {} // Those that are done leave room.
        let (node, lease, channel) = (self.node.clone(), self.lease.clone(), self.channel);
        work.money.spawn(async move {
            let settlement = settle(&node, channel, &operation).await;
            if let Some(paid) = settlement.paid_at_close() {
                lease.input(Input::Settled { paid }).await;
            } else if let Settlement::Refused(reason) = settlement {
                tracing::warn!(%channel, %reason, "the ledger refused a claim");
                if let Some(cumulative) = refused_claim(&operation, &reason, &node.chain()) {
                    lease.input(Input::ClaimRefused { cumulative }).await;
                }
            }
        });
    }
}

/// Returns the total of a claim that was refused though it has not been paid.
fn refused_claim(operation: &Operation, reason: &Rejected, chain: &ChainId) -> Option<Amount> {
    let Operation::Claim { voucher } = operation else {
        return None;
    };
    let is_paid = matches!(reason, Rejected::NothingDue { .. });
    let verified = voucher.verify(chain).ok().filter(|_| !is_paid)?;
    Some(verified.value.cumulative)
}

#[cfg(test)]
mod tests;
