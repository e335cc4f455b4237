//! Owns what this node knows of its own delegation on the ledger: whether its account has taken it back.
//!
//! Never stops anything: those who open something ask first, and what is open is settled without a delegation.

use std::sync::Arc;
use std::time::Duration;

use market::ledger::Key;
use market::{AccountId, ChainId, NodeId, Timestamp};
use tokio::sync::watch;

use crate::identity::Identity;
use crate::ledger::LedgerClient;
use crate::ledger::client::LedgerError;

/// How often a node looks whether it was revoked while nobody asks.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// How soon it looks again when there was no answer; twice as late each time, up to [`LOOK_EVERY`].
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// This node may not act for its account any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "account {account} has revoked this node on the ledger, so it opens nothing more for it; what is open is paid and \
     refunded all the same. To let it deal again, run `nightshift wallet delegate` in this home, with the account's \
     key, and start the node again"
)]
pub struct Revoked {
    /// The account that took its delegation back.
    pub account: AccountId,
    /// This node.
    pub node: NodeId,
    /// The latest end of a delegation that is revoked.
    pub until: Timestamp,
}

/// Asks the ledger up to which end delegations of `account` to `node` are revoked. A revocation is proved; that
/// there is none is the operator's word.
///
/// # Errors
/// The ledger gives no answer that convinces.
pub async fn revoked_until(
    ledger: &LedgerClient,
    account: AccountId,
    node: NodeId,
) -> Result<Option<Timestamp>, LedgerError> {
    let proof = ledger.state_of(Key::revocation(&account, &node)).await?;
    Ok(proof.and_then(|proof| proof.leaf.revoked_until()))
}

/// What a node knows of its own delegation. Cheap to clone; all clones know the same.
#[derive(Debug, Clone)]
pub struct Standing {
    ledger: LedgerClient,
    identity: Arc<Identity>,
    chain: ChainId,
    known: Arc<watch::Sender<Option<Revoked>>>,
}

impl Standing {
    pub(crate) fn new(ledger: LedgerClient, identity: Arc<Identity>, chain: ChainId) -> Self {
        Self {
            ledger,
            identity,
            chain,
            known: Arc::new(watch::Sender::new(None)),
        }
    }

    /// Returns whether the account had taken the delegation back when the ledger was last asked.
    pub fn known(&self) -> Option<Revoked> {
        *self.known.borrow()
    }

    /// Asks the ledger whether the account has taken the delegation back.
    ///
    /// # Errors
    /// The ledger gives no answer that convinces.
    pub async fn ask(&self) -> Result<Option<Revoked>, LedgerError> {
        let (account, node) = (self.identity.account, self.identity.node());
        let until = revoked_until(&self.ledger, account, node).await?;
        let held = self.identity.delegation.verify(&self.chain).ok();
        let ends = held.map(|held| held.value.expires_at);
        let until = until.filter(|until| ends.is_none_or(|ends| ends <= *until));
        let found = until.map(|until| Revoked {
            account,
            node,
            until,
        });
        let before = self.known.send_replace(found);
        if let (None, Some(revoked)) = (before, &found) {
            tracing::warn!("{revoked}");
        }
        Ok(found)
    }

    /// Asks again and again.
    pub(crate) async fn watch(self) {
        let mut again = LOOK_AGAIN;
        loop {
            let pause = match self.ask().await {
                Ok(_) => {
                    again = LOOK_AGAIN;
                    LOOK_EVERY
                }
                Err(error) => {
                    tracing::debug!(%error, "whether this node is revoked is not to be had");
                    let pause = again;
                    again = LOOK_EVERY.min(again * 2);
                    pause
                }
            };
            tokio::time::sleep(pause).await;
        }
    }
}

#[cfg(test)]
mod tests;
