//! Owns finding out what an account has delegated, as far as that can be known: a delegation is a statement outside
//! the ledger, which is met where a node shows it to open, claim or close.
//!
//! Never claims that the list is whole.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use market::delegation::Delegation;
use market::ledger::{Cause, Code, Key, Leaf, Operation};
use market::{Amount, ChainId, NodeId, Signed, TxId};

use super::server::{ApiError, ApiResult};
use super::views::{DelegationRow, DelegationsView, HeldView};
use crate::ledger::client::LedgerError;
use crate::ledger::protocol::{HistoryPage, HistoryQuery, MAX_HISTORY_ENTRIES};
use crate::node::Node;
use crate::revocation::revoked_until;

/// How many transactions are looked through at most, each by its proof.
const MAX_LOOKED_THROUGH: usize = 64;

pub(super) async fn list(State(node): State<Node>) -> ApiResult<DelegationsView> {
    look(&node).await.map(Json).map_err(ApiError::failed)
}

async fn look(node: &Node) -> Result<DelegationsView, LedgerError> {
    let (causes, has_older) = causes(node).await?;
    let mut met = Met::default();
    met.take(&node.identity.delegation, node, &node.chain());
    for id in &causes {
        if let Some(proof) = node.ledger.transaction(*id).await? {
            let verified = proof.transaction.verify(&node.chain())?;
            for signed in &verified.delegations {
                met.take(signed, node, &node.chain());
            }
            if let Operation::Revoke { node, .. } = verified.transaction.operation {
                met.revoked.push(node);
            }
        }
    }
    // Without protocol time nothing was answered by an operator, and this is not reached.
    let time = node.clock.now().unwrap_or(node.membership.genesis.time);
    let mut delegations = Vec::new();
    for (id, held) in met.in_order() {
        let row = row(node, held.node, Some((id, held))).await?;
        if row.own || row.held.is_some_and(|held| held.expires_at > time) {
            delegations.push(row);
        }
    }
    let mut shown: BTreeSet<NodeId> = delegations.iter().map(|row| row.node).collect();
    for revoked in met.revoked {
        if shown.insert(revoked) {
            let row = row(node, revoked, None).await?;
            delegations.extend(row.revoked.then_some(row));
        }
    }
    Ok(DelegationsView {
        account: node.identity.account,
        time,
        delegations,
        looked_through: causes.len(),
        has_older,
    })
}

/// Returns the newest transactions in which a node may have shown a delegation, or the account revoked one; and
/// whether there may be older ones.
async fn causes(node: &Node) -> Result<(Vec<TxId>, bool), LedgerError> {
    let query = HistoryQuery {
        account: node.identity.account,
        page: HistoryPage::Before(None),
        limit: MAX_HISTORY_ENTRIES,
    };
    let entries = node.ledger.history(query).await?;
    let is_whole = entries.len() < usize::from(MAX_HISTORY_ENTRIES);
    let mut causes = Vec::new();
    for entry in &entries {
        let tells = matches!(
            entry.transfer.code,
            Code::Deposit | Code::Payout | Code::RevokeFee
        );
        if let (true, Cause::Transaction(id)) = (tells, entry.cause)
            && !causes.contains(&id)
        {
            causes.push(id);
        }
    }
    let has_older = !is_whole || causes.len() > MAX_LOOKED_THROUGH;
    causes.truncate(MAX_LOOKED_THROUGH);
    Ok((causes, has_older))
}

/// What was met so far.
#[derive(Default)]
struct Met {
    order: Vec<[u8; 32]>,
    held: BTreeMap<[u8; 32], Delegation>,
    revoked: Vec<NodeId>,
}

impl Met {
    /// Takes a delegation in where the account of this node signed it; others come along in the same transactions.
    fn take(&mut self, signed: &Signed<Delegation>, node: &Node, chain: &ChainId) {
        let Ok(verified) = signed.verify(chain) else {
            return;
        };
        let account = node.identity.account;
        let is_own = verified.value.account == account && verified.signer == *account.as_bytes();
        if is_own && self.held.insert(verified.id, verified.value).is_none() {
            self.order.push(verified.id);
        }
    }

    fn in_order(&self) -> impl Iterator<Item = ([u8; 32], &Delegation)> {
        let held = |id: &[u8; 32]| Some((*id, self.held.get(id)?));
        self.order.iter().filter_map(held)
    }
}

async fn row(
    node: &Node,
    delegate: NodeId,
    held: Option<([u8; 32], &Delegation)>,
) -> Result<DelegationRow, LedgerError> {
    let revoked_until = revoked_until(&node.ledger, node.identity.account, delegate).await?;
    let mut view = None;
    if let Some((id, delegation)) = held {
        let proof = node.ledger.state_of(Key::Delegation(id)).await?;
        let spent = match proof.map(|proof| proof.leaf) {
            Some(Leaf::Delegation { spent, .. }) => spent,
            _ => Amount::ZERO,
        };
        view = Some(HeldView {
            permission: delegation.permission,
            spend_cap: delegation.spend_cap,
            spent,
            expires_at: delegation.expires_at,
        });
    }
    let ends_by = |until| view.is_none_or(|held: HeldView| held.expires_at <= until);
    Ok(DelegationRow {
        node: delegate,
        own: delegate == node.identity.node(),
        held: view,
        revoked_until,
        revoked: revoked_until.is_some_and(ends_by),
    })
}
