//! Owns what is answered about an account while no operator can be reached: what was last proved, and how old
//! that is.
//!
//! Never passes something old off as new, and never keeps an account that this node did not ask for.

use std::time::Duration;

use market::ledger::{CertifiedHeader, Leaf, StateProof};
use market::{AccountId, Amount, wire};

use super::{Balance, LedgerClient, LedgerError, locked_by, other};
use crate::ledger::protocol::{AccountView, MAX_RESPONSE_BYTES};
use crate::store::RecordKind;

/// How often the proofs of an account are written to disk at most, unless its money changed.
const KEEP_EVERY: Duration = Duration::from_secs(300);

/// An account's money as of some block.
#[derive(Debug)]
pub struct KnownBalance {
    /// The money.
    pub balance: Balance,
    /// Where it is not the newest: how old its block is by protocol time, and why nothing newer is known.
    pub stale: Option<(Duration, LedgerError)>,
}

/// The last balance of an account that was proved.
#[derive(Debug, Clone)]
pub(super) struct Last {
    balance: Balance,
    /// The balance that is on disk.
    kept: Balance,
}

impl LedgerClient {
    /// Returns an account's money; where no operator can be reached, what was last proved, in this run or an
    /// earlier one.
    ///
    /// # Errors
    /// Nothing was ever proved, or the operator's answer does not convince.
    pub async fn account_or_last(&self, account: AccountId) -> Result<KnownBalance, LedgerError> {
        let error = match self.account(account).await {
            Ok(balance) => {
                return Ok(KnownBalance {
                    balance,
                    stale: None,
                });
            }
            Err(error) if error.is_temporary() => error,
            Err(error) => return Err(error),
        };
        let Some(balance) = self.last_balance(account) else {
            return Err(error);
        };
        let now = self.clock().now().unwrap_or(balance.time);
        let age = now.saturating_since(balance.time);
        Ok(KnownBalance {
            balance,
            stale: Some((age, error)),
        })
    }

    fn last_balance(&self, account: AccountId) -> Option<Balance> {
        if let Some(last) = self.seen().last.get(&account) {
            return Some(last.balance.clone());
        }
        let store = &self.shared.store;
        let bytes = store.record(RecordKind::Setting, &name(account)).ok()??;
        let view: AccountView = wire::decode(&bytes, MAX_RESPONSE_BYTES).ok()?;
        self.trusted().check(&view.head).ok()?;
        self.balance_in(account, &view).ok()
    }

    /// Keeps what was just proved: in memory, and on disk where it says something new.
    pub(super) async fn keep(&self, view: &AccountView, balance: &Balance) {
        let is_news = {
            let mut seen = self.seen();
            match seen.last.get_mut(&balance.account) {
                Some(last) => {
                    last.balance = balance.clone();
                    let age = balance.time.saturating_since(last.kept.time);
                    let is_news = age >= KEEP_EVERY || differs(&last.kept, balance);
                    if is_news {
                        last.kept = balance.clone();
                    }
                    is_news
                }
                None => {
                    // A node asks for its own account and those that its person names: a handful.
                    if seen.last.len() >= super::MAX_KEPT_ACCOUNTS {
                        return;
                    }
                    let last = Last {
                        balance: balance.clone(),
                        kept: balance.clone(),
                    };
                    seen.last.insert(balance.account, last);
                    true
                }
            }
        };
        if is_news {
            let (store, bytes) = (&self.shared.store, wire::encode(view));
            let name = name(balance.account);
            let kept = store.put_record(RecordKind::Setting, &name, &bytes).await;
            if let Err(error) = kept {
                tracing::debug!(%error, "the account's proofs were not kept for the next start");
            }
        }
    }

    /// Reads an account's money from proofs about one block, whose header was checked.
    pub(super) fn balance_in(
        &self,
        account: AccountId,
        view: &AccountView,
    ) -> Result<Balance, LedgerError> {
        let head = &view.head;
        let available = match &view.account {
            None => Amount::ZERO,
            Some(proof) => match self.leaf_of(proof, head)? {
                Leaf::Account(record) if record.id == account => record.available,
                _ => return Err(other("the account that was asked for")),
            },
        };
        let mut channels = Vec::with_capacity(view.channels.len());
        for proof in &view.channels {
            match self.leaf_of(proof, head)? {
                Leaf::Channel(record) => channels.push(record.as_ref().clone()),
                _ => return Err(other("channels")),
            }
        }
        Ok(Balance {
            account,
            available,
            in_channels: locked_by(account, &channels)?,
            channels,
            height: head.header.height,
            time: head.header.time,
        })
    }

    /// Checks a proof that must be about the block of `head`.
    fn leaf_of<'a>(
        &self,
        proof: &'a StateProof,
        head: &CertifiedHeader,
    ) -> Result<&'a Leaf, LedgerError> {
        if proof.certified.header != head.header {
            return Err(other("proofs of one block"));
        }
        Ok(proof.verify(&self.trusted())?)
    }
}

fn name(account: AccountId) -> Vec<u8> {
    [b"account:".as_slice(), account.as_bytes()].concat()
}

fn differs(kept: &Balance, newer: &Balance) -> bool {
    (kept.available, &kept.channels) != (newer.available, &newer.channels)
}
