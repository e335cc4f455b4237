//! Owns bringing a claim or a close of a channel to its end on the ledger, through outages and refusals.
//!
//! Never decides what is claimed or closed: the lease machine does, and `recover` after a restart. Neither
//! side has a second copy of this loop.

use std::time::Duration;

use market::ledger::{
    ChannelRecord, ChannelState, FinalityProof, Operation, Rejected, SignedTransaction,
};
use market::{Amount, ChannelId};

use crate::api::{ApiError, transaction};
use crate::ledger::client::LedgerError;
use crate::node::Node;

/// The pause after the first failure. It doubles with each further one, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What became of a claim or a close.
#[derive(Debug, Clone)]
pub enum Settlement {
    /// It is final.
    Final(Box<FinalityProof>),
    /// The channel was closed already, by whatever transaction or by its deadline.
    Closed {
        /// What the channel paid its payee in all, fees included.
        paid: Amount,
    },
    /// The ledger refuses it and there is nothing to repeat: a claim that adds nothing or is not allowed, or
    /// a payer's close of a channel whose window is open already.
    Refused(Rejected),
}

impl Settlement {
    /// Returns what the channel paid in all, if it is closed now.
    pub fn paid_at_close(&self) -> Option<Amount> {
        match self {
            Self::Closed { paid } => Some(*paid),
            Self::Final(proof) => {
                let channel = proof.receipt.channel.as_ref()?;
                (channel.state == ChannelState::Closed).then_some(channel.claimed)
            }
            Self::Refused(_) => None,
        }
    }
}

/// Makes an operation a transaction with a fresh nonce, signed by this node in its account's name.
///
/// # Errors
/// The system has no randomness.
pub fn sign(node: &Node, operation: Operation) -> Result<SignedTransaction, ApiError> {
    let transaction = transaction(node, operation)?;
    let signed = SignedTransaction::sign(&transaction, &node.identity.node_key, &node.chain());
    Ok(signed.with_delegation(node.identity.delegation.clone()))
}

/// Submits a claim or a close of `channel` until its fate is known.
///
/// While the ledger cannot be reached, the same transaction is submitted again, which never applies twice.
/// After a refusal the channel itself is asked; where it is still live, a close is signed anew. A close
/// that the ledger refuses for ever is tried for ever, with pauses of at most 30 seconds: drop the future
/// once the outcome is of no interest any more.
pub async fn settle(node: &Node, channel: ChannelId, operation: &Operation) -> Settlement {
    let mut pause = FIRST_PAUSE;
    let mut signed = None;
    loop {
        match attempt(node, channel, operation, &mut signed).await {
            Ok(Some(settlement)) => return settlement,
            Ok(None) => {}
            Err(error) => tracing::debug!(%channel, error, "the ledger is asked again"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Tries once. `signed` is kept while a transaction may still be on its way.
async fn attempt(
    node: &Node,
    channel: ChannelId,
    operation: &Operation,
    signed: &mut Option<SignedTransaction>,
) -> Result<Option<Settlement>, String> {
    let transaction = match signed {
        Some(transaction) => transaction,
        None => {
            let made = sign(node, operation.clone()).map_err(|error| error.to_string())?;
            signed.insert(made)
        }
    };
    let rejected = match node.ledger.submit(transaction).await {
        Ok(proof) => return Ok(Some(Settlement::Final(Box::new(proof)))),
        Err(LedgerError::Rejected(rejected)) => rejected,
        Err(error) => return Err(error.to_string()),
    };
    *signed = None;
    // This also brings the protocol clock up to date, which the next transaction's validity counts from.
    let found = node.ledger.channel(channel).await;
    let record = found.map_err(|error| error.to_string())?;
    let record = record.map(|found| found.record);
    match conclude(operation, &rejected, record.as_ref()) {
        Some(settlement) => Ok(Some(settlement)),
        None => {
            tracing::warn!(%channel, %rejected, "the ledger refused; it is asked again");
            Ok(None)
        }
    }
}

/// Tells what a refusal means for an operation, given the channel as the ledger has it; `None` when the
/// operation is to be signed anew and tried again.
fn conclude(
    operation: &Operation,
    rejected: &Rejected,
    record: Option<&ChannelRecord>,
) -> Option<Settlement> {
    let state = record.map(|record| record.state);
    if let (Some(ChannelState::Closed), Some(record)) = (state, record) {
        let paid = record.claimed;
        return Some(Settlement::Closed { paid });
    }
    // The last of these is a window that has just ended: the block that closes the channel is next.
    let may_change = matches!(
        rejected,
        Rejected::TooLate { .. }
            | Rejected::ValidTooLong { .. }
            | Rejected::BlockFull
            | Rejected::ChannelState { .. }
    );
    let pointless = match operation {
        _ if state.is_none() => !may_change,
        Operation::CoopClose { .. } => false,
        Operation::PayerClose { .. } => matches!(state, Some(ChannelState::Closing { .. })),
        _ => !may_change,
    };
    pointless.then(|| Settlement::Refused(rejected.clone()))
}

#[cfg(test)]
mod tests;
