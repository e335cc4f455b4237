//! Owns the revocation of what an account delegated to a node: who may revoke, and what no longer counts.
//!
//! Never keeps money from where it belongs: closing, claiming and refunds ask for no delegation.

use super::money::require_holder;
use crate::delegation::Delegation;
use crate::ids::{AccountId, NodeId};
use crate::ledger::draft::Draft;
use crate::ledger::leaf::{Key, Leaf};
use crate::ledger::rejected::{Rejected, Role};
use crate::ledger::transaction::VerifiedTransaction;
use crate::ledger::transfer::{Bucket, Code, Transfer};
use crate::time::Timestamp;

impl Draft<'_> {
    /// Revokes every delegation of an account to a node that ends by `until`. The mark only ever rises, so that
    /// nothing that was revoked comes back.
    pub(super) fn revoke(
        &mut self,
        verified: &VerifiedTransaction,
        (account, node): (AccountId, NodeId),
        until: Timestamp,
    ) -> Result<(), Rejected> {
        require_holder(verified, account)?;
        let now = self.context().time;
        if until <= now {
            return Err(Rejected::RevokesNothing { until, now });
        }
        if let Some(revoked) = self.revoked_until(&account, &node)
            && revoked >= until
        {
            let until = revoked;
            return Err(Rejected::RevokedAlready { node, until });
        }
        let fee = self.rules().fees.transfer;
        self.require(account, Some(fee))?;
        self.put(Leaf::Revocation {
            account,
            node,
            until,
        });
        self.post(Transfer {
            debit: Bucket::Available(account),
            credit: Bucket::FeePool,
            amount: fee,
            code: Code::RevokeFee,
        })?;
        self.check_minimum(account)
    }

    /// Checks that the account has not taken a delegation back.
    pub(super) fn check_revoked(
        &self,
        role: Role,
        delegation: Delegation,
    ) -> Result<Delegation, Rejected> {
        let (account, node) = (delegation.account, delegation.node);
        match self.revoked_until(&account, &node) {
            Some(until) if delegation.expires_at <= until => Err(Rejected::Revoked {
                role,
                account,
                node,
                until,
            }),
            _ => Ok(delegation),
        }
    }

    fn revoked_until(&self, account: &AccountId, node: &NodeId) -> Option<Timestamp> {
        let mark = self.leaf(&Key::revocation(account, node));
        mark.and_then(Leaf::revoked_until)
    }
}
