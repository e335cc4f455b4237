//! Owns blocks: the header, the operators' votes on it, and executing or replaying a batch.
//!
//! Never decides when a block is due or whether it is durable; execution comes before signing, so
//! that one block proves the result and not only the order.

use serde::{Deserialize, Serialize};

use super::draft::Draft;
use super::proof::ProofError;
use super::rejected::Rejected;
use super::state::{Delta, State};
use super::transaction::{CheckedTransaction, SignedTransaction};
use super::transfer::TxReceipt;
use super::tree;
use crate::ids::{ChainId, HeaderId, NodeId, Root, TxId};
use crate::keys::SecretKey;
use crate::time::Timestamp;
use crate::wire::{self, MAX_MESSAGE_BYTES, Payload, Seal, WireError};

/// The version of headers that this program makes and reads.
pub const HEADER_VERSION: u16 = 1;

/// What a block commits to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Version of this form, [`HEADER_VERSION`].
    pub version: u16,
    /// The chain.
    pub chain_id: ChainId,
    /// Blocks since the genesis, which is 0.
    pub height: u64,
    /// Protocol time; never falls from block to block.
    pub time: Timestamp,
    /// Sum over all blocks of the time since the one before, each at most 10 s; in milliseconds.
    pub uptime_ms: u64,
    /// The header before.
    pub prev_id: HeaderId,
    /// Root over the transactions, seals included.
    pub tx_root: Root,
    /// Root over the receipts, each with its transaction.
    pub receipts_root: Root,
    /// Root over all leaves of the state after this block.
    pub state_root: Root,
    /// Hash of the operators that sign this block.
    pub validators_hash: Root,
    /// Hash of the operators that sign the next block.
    pub next_validators_hash: Root,
    /// The operator that put the block together.
    pub proposer: NodeId,
}

impl Header {
    /// Returns BLAKE3 of the domain `nightshift/header/1` and the canonical bytes.
    pub fn id(&self) -> HeaderId {
        HeaderId::from_bytes(tree::hash("nightshift/header/1", &wire::encode(self)))
    }
}

/// Returns BLAKE3 of the domain `nightshift/validators/1` and the operators in their order.
pub fn validators_hash(operators: &[NodeId]) -> Root {
    let bytes = wire::encode(&operators.to_vec());
    Root::from_bytes(tree::hash("nightshift/validators/1", &bytes))
}

/// An operator's vote that a header is final at its height.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precommit {
    /// The height.
    pub height: u64,
    /// The round of voting; 0 with one operator.
    pub round: u32,
    /// The header.
    pub header: HeaderId,
}

impl Payload for Precommit {
    const NAMESPACE: &'static str = "nightshift/precommit/1";
    const MAX_BYTES: usize = 64;
}

/// The precommits that make a header final; height and header follow from where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The round of voting.
    pub round: u32,
    /// One seal an operator over the [`Precommit`], of more than two thirds of them.
    pub precommits: Vec<Seal>,
}

/// A header and what makes it final, which is what peers gossip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertifiedHeader {
    /// The header.
    pub header: Header,
    /// The votes for it.
    pub certificate: Certificate,
}

impl CertifiedHeader {
    /// Signs a header as a committee of one.
    pub fn sign(header: Header, operator: &SecretKey) -> Self {
        let precommit = Precommit {
            height: header.height,
            round: 0,
            header: header.id(),
        };
        let seal = Seal::new(&precommit, operator, &header.chain_id);
        Self {
            certificate: Certificate {
                round: 0,
                precommits: vec![seal],
            },
            header,
        }
    }
}

/// A block as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// The transactions, in the order of execution.
    pub transactions: Vec<SignedTransaction>,
    /// What happened: first what fell due, then one a transaction.
    pub receipts: Vec<TxReceipt>,
    /// What makes it final.
    pub certificate: Certificate,
}

impl Block {
    /// The most bytes that a block may have.
    pub const MAX_BYTES: usize = MAX_MESSAGE_BYTES;

    /// Decodes a block's bytes; nothing is verified yet.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        wire::decode(bytes, Self::MAX_BYTES)
    }

    /// Returns the header with its certificate.
    pub fn certified(&self) -> CertifiedHeader {
        CertifiedHeader {
            header: self.header.clone(),
            certificate: self.certificate.clone(),
        }
    }
}

/// Why a block is not the next one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BlockError {
    /// It does not follow the tip.
    #[error("block {height} does not follow the tip at height {tip}")]
    NotNext {
        /// The block's height.
        height: u64,
        /// The tip's height.
        tip: u64,
    },
    /// The proposer is not an operator.
    #[error("{node} is not an operator of this market")]
    NotOperator {
        /// The proposer.
        node: NodeId,
    },
    /// The certificate does not hold.
    #[error("the block's certificate does not hold: {0}")]
    Certificate(#[from] ProofError),
    /// A transaction in it is not allowed.
    #[error("transaction {id} of the block is not allowed: {reason}")]
    Transaction {
        /// The transaction.
        id: TxId,
        /// Why.
        reason: Box<Rejected>,
    },
    /// Replaying it gives another result.
    #[error("replaying block {height} gives another {field}")]
    Differs {
        /// The block's height.
        height: u64,
        /// What differs.
        field: &'static str,
    },
}

/// What executing a batch gives: a signed block, what was refused, and what to commit once the block
/// is durable.
#[derive(Debug)]
pub struct Executed {
    /// The block.
    pub block: Block,
    /// The transactions that changed nothing, and why.
    pub rejected: Vec<(TxId, Rejected)>,
    /// What [`State::commit`] takes once the block is durable.
    pub delta: Delta,
}

/// Executes `batch` in its order on top of `state` at `now` and signs the block as a committee of
/// one. An empty batch makes an empty block. The state is not changed.
pub fn execute(
    state: &State,
    batch: &[SignedTransaction],
    now: Timestamp,
    operator: &SecretKey,
) -> Result<Executed, BlockError> {
    let mut draft = begin(state, now, operator)?;
    let mut rejected = Vec::new();
    for transaction in batch {
        if let Err(reason) = draft.apply(transaction) {
            rejected.push((transaction.id(state.chain()), reason));
        }
    }
    Ok(seal(draft, rejected, operator))
}

/// Executes a batch whose seals were checked before; as [`execute`] otherwise.
pub fn execute_checked(
    state: &State,
    batch: &[CheckedTransaction],
    now: Timestamp,
    operator: &SecretKey,
) -> Result<Executed, BlockError> {
    let mut draft = begin(state, now, operator)?;
    let mut rejected = Vec::new();
    for transaction in batch {
        if let Err(reason) = draft.apply_checked(transaction) {
            rejected.push((transaction.id(), reason));
        }
    }
    Ok(seal(draft, rejected, operator))
}

fn begin<'a>(
    state: &'a State,
    now: Timestamp,
    operator: &SecretKey,
) -> Result<Draft<'a>, BlockError> {
    let node = operator.node();
    if !state.operators().contains(&node) {
        return Err(BlockError::NotOperator { node });
    }
    Ok(state.draft(now))
}

fn seal(draft: Draft<'_>, rejected: Vec<(TxId, Rejected)>, operator: &SecretKey) -> Executed {
    let finished = draft.finish(operator.node());
    let certified = CertifiedHeader::sign(finished.delta.header.clone(), operator);
    Executed {
        block: Block {
            header: certified.header,
            transactions: finished.transactions,
            receipts: finished.receipts,
            certificate: certified.certificate,
        },
        rejected,
        delta: finished.delta,
    }
}

/// Replays a block that someone else made, or that a log kept, on top of `state`: the certificate,
/// every transaction, every receipt and every root must come out the same.
pub fn verify_block(state: &State, block: &Block) -> Result<Delta, BlockError> {
    let (header, tip) = (&block.header, state.tip());
    if header.prev_id != tip.id() {
        return Err(BlockError::NotNext {
            height: header.height,
            tip: tip.height,
        });
    }
    state.trusted_set().check(&block.certified())?;
    if !state.operators().contains(&header.proposer) {
        return Err(BlockError::NotOperator {
            node: header.proposer,
        });
    }
    let mut draft = state.draft(header.time);
    for transaction in &block.transactions {
        draft
            .apply(transaction)
            .map_err(|reason| BlockError::Transaction {
                id: transaction.id(state.chain()),
                reason: Box::new(reason),
            })?;
    }
    let finished = draft.finish(header.proposer);
    let height = header.height;
    let made = &finished.delta.header;
    let same = [
        ("receipts", finished.receipts == block.receipts),
        ("transactions root", made.tx_root == header.tx_root),
        ("receipts root", made.receipts_root == header.receipts_root),
        ("state root", made.state_root == header.state_root),
        ("header", made == header),
    ];
    match same.into_iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(BlockError::Differs { height, field }),
        None => Ok(finished.delta),
    }
}
