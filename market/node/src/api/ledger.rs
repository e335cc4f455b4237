//! Owns looking something up in the ledger, whatever its name stands for.
//!
//! Never shows what could be proved and was not: proofs are checked by the ledger client.

use axum::Json;
use axum::extract::{Path, State};
use market::address::ParseAddressError;
use market::ledger::{FinalityProof, Key, Leaf, StateProof};
use market::{AccountId, ChannelId, TxId, wire};
use serde::Serialize;

use super::server::{ApiError, ApiResult};
use super::views::{
    AccountAuditEntry, AccountEntry, BlockEntry, ChannelEntry, LedgerEntry, OperatorsEntry,
    ProofEntry, TransactionEntry,
};
use crate::ledger::client::LedgerError;
use crate::ledger::protocol::{HistoryPage, HistoryQuery};
use crate::node::Node;

/// `GET /v1/ledger/{what}`.
pub(super) async fn look_up(
    State(node): State<Node>,
    Path(what): Path<String>,
) -> ApiResult<LedgerEntry> {
    if what == "operators" {
        let entry = operators(&node).await.map_err(ApiError::failed)?;
        return Ok(Json(LedgerEntry::Operators(entry)));
    }
    let found = match (what.parse::<u64>(), what.parse::<TxId>()) {
        (Ok(height), _) => block(&node, height).await,
        (_, Ok(id)) => by_id(&node, *id.as_bytes()).await,
        (Err(_), Err(_)) => account(&node, address(&what)?).await,
    };
    match found.map_err(ApiError::failed)? {
        Some(entry) => Ok(Json(entry)),
        None => Err(ApiError::not_found(format!(
            "the operator says that the ledger has nothing under {what}; a new transaction is there once it is final"
        ))),
    }
}

/// Reads what is neither a height nor an id.
fn address(what: &str) -> Result<AccountId, ApiError> {
    what.parse().map_err(|error| match error {
        ParseAddressError::OtherBeginning => {
            let shown: String = what.chars().take(80).collect();
            ApiError::bad_request(format!(
                "{shown:?} names nothing in a ledger: give a block's height, an account's address, the 64 \
                 hexadecimal digits of a transaction or a channel, or the word operators"
            ))
        }
        slip => ApiError::bad_request(slip),
    })
}

/// `GET /v1/ledger/{account}/audit`.
pub(super) async fn audit(
    State(node): State<Node>,
    Path(account): Path<String>,
) -> ApiResult<AccountAuditEntry> {
    let account: AccountId = account.parse().map_err(ApiError::bad_request)?;
    let audit = crate::ledger::audit::audit(&node.ledger, account).await;
    let audit = audit.map_err(ApiError::failed)?;
    Ok(Json(AccountAuditEntry {
        account: audit.account,
        height: audit.height,
        available: audit.available,
        is_proved: audit.is_proved,
        movements: audit.movements,
        proved: audit.proved,
        due: audit.due,
        asserted: audit.asserted,
        came_in: audit.came_in,
        went_out: audit.went_out,
        problem: audit.problem.map(|problem| problem.to_string()),
    }))
}

async fn block(node: &Node, height: u64) -> Result<Option<LedgerEntry>, LedgerError> {
    let Some(certified) = node.ledger.header(height).await? else {
        return Ok(None);
    };
    let header = certified.header;
    let hands_over = header.next_validators_hash != header.validators_hash;
    Ok(Some(LedgerEntry::Block(BlockEntry {
        height: header.height,
        id: header.id(),
        prev_id: header.prev_id,
        time: header.time,
        uptime_ms: header.uptime_ms,
        tx_root: header.tx_root,
        receipts_root: header.receipts_root,
        state_root: header.state_root,
        proposer: header.proposer,
        votes: certified.certificate.precommits.len(),
        hands_over,
    })))
}

/// Returns who signs blocks: a fact of the state since the first change, and of the genesis before it.
async fn operators(node: &Node) -> Result<OperatorsEntry, LedgerError> {
    let proof = node.ledger.state_of(Key::Operators).await?;
    let height = match &proof {
        Some(proof) => proof.certified.header.height,
        None => node.ledger.status().await?.head.header.height,
    };
    if let Some(proof) = &proof
        && let Leaf::Operators { since, operators } = &proof.leaf
    {
        return Ok(OperatorsEntry {
            operators: operators.clone(),
            since: *since,
            height,
            proof: Some(state_proof(proof)),
        });
    }
    // That nobody has taken over is no word to take: the trusted set has followed every change that was proved.
    let trusted = node.ledger.trusted();
    Ok(OperatorsEntry {
        operators: trusted.operators,
        since: trusted.height,
        height,
        proof: None,
    })
}

/// Looks at what an id can stand for, one after the other: ids of different kinds are never equal.
async fn by_id(node: &Node, id: [u8; 32]) -> Result<Option<LedgerEntry>, LedgerError> {
    if let Some(proof) = node.ledger.transaction(TxId::from_bytes(id)).await? {
        return transaction(node, &proof).map(Some);
    }
    let key = Key::Channel(ChannelId::from_bytes(id));
    if let Some(proof) = node.ledger.state_of(key).await?
        && let Leaf::Channel(channel) = &proof.leaf
    {
        return Ok(Some(LedgerEntry::Channel(Box::new(ChannelEntry {
            channel: channel.as_ref().clone(),
            proof: state_proof(&proof),
        }))));
    }
    Ok(None)
}

fn transaction(node: &Node, proof: &FinalityProof) -> Result<LedgerEntry, LedgerError> {
    let chain = node.chain();
    let verified = proof.transaction.verify(&chain)?;
    let header = &proof.certified.header;
    Ok(LedgerEntry::Transaction(Box::new(TransactionEntry {
        tx: verified.id,
        height: header.height,
        time: header.time,
        operation: verified.transaction.operation,
        transfers: proof.receipt.transfers.clone(),
        fee: proof.receipt.fee,
        channel: proof.receipt.channel.clone(),
        proof: proof_entry(header.height, proof),
    })))
}

/// Returns an account that has money, or that money has passed through.
async fn account(node: &Node, id: AccountId) -> Result<Option<LedgerEntry>, LedgerError> {
    let balance = node.ledger.account(id).await?;
    let proof = node.ledger.state_of(Key::Account(id)).await?;
    if proof.is_none() && balance.channels.is_empty() {
        let newest = node.ledger.history(HistoryQuery {
            account: id,
            page: HistoryPage::Before(None),
            limit: 1,
        });
        if newest.await?.is_empty() {
            return Ok(None);
        }
    }
    // Blocks may have come between the two answers: what is shown is what the proof beside it proves.
    let (available, height) = match &proof {
        Some(StateProof {
            leaf: Leaf::Account(record),
            certified,
            ..
        }) => (record.available, certified.header.height),
        _ => (balance.available, balance.height),
    };
    Ok(Some(LedgerEntry::Account(AccountEntry {
        account: id,
        available,
        in_channels: balance.in_channels,
        channels: balance.channels,
        height,
        proof: proof.as_ref().map(state_proof),
    })))
}

fn state_proof(proof: &StateProof) -> ProofEntry {
    proof_entry(proof.certified.header.height, proof)
}

fn proof_entry(height: u64, proof: &impl Serialize) -> ProofEntry {
    let encoded = wire::encode(proof);
    ProofEntry {
        height,
        bytes: encoded.len(),
        hex: Some(hex::encode(encoded)),
    }
}
