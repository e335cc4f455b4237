//! Owns why the ledger gave no answer that convinces, and whether asking again may help.
//!
//! Never asks again; the client does.

use market::ledger::{EquivocationProof, ProofError, Rejected};
use market::{ChainId, NodeId, TxId};

use super::super::operator::OperatorError;
use super::super::protocol::Unavailable;
use crate::network::CallError;
use crate::store::StoreError;

/// Why the ledger gave no answer that convinces.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The ledger refuses the transaction.
    #[error("the ledger refuses the transaction: {0}")]
    Rejected(#[from] Rejected),
    /// No operator could be reached.
    #[error(
        "operator {operator} cannot be reached: {source}; check the connection, or try again later"
    )]
    Unreachable {
        /// The operator that was asked last.
        operator: NodeId,
        /// Why the call failed.
        source: CallError,
    },
    /// The operator did not look at the request.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The operator makes blocks and keeps a transaction out of them.
    #[error(
        "the operator has made {} blocks since it was first asked for transaction {id}, and has neither put it into \
         one nor refused it ({why}): it keeps it out, or cannot be reached from here. It is asked again; ask its \
         people, and tell the others",
        height - since
    )]
    Withheld {
        /// The transaction.
        id: TxId,
        /// The height when it was asked for first.
        since: u64,
        /// The height now.
        height: u64,
        /// What came of asking last.
        why: Box<LedgerError>,
    },
    /// The operator of this process failed.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// A proof does not hold.
    #[error("a proof about the ledger does not hold: {0}")]
    Proof(#[from] ProofError),
    /// The answer is not one to the question.
    #[error("the operator did not answer the question: {expected} was expected")]
    OtherAnswer {
        /// What was asked for.
        expected: &'static str,
    },
    /// The genesis that a node offers is of another chain.
    #[error("the node offers the genesis of chain {found}, and {expected} was asked for")]
    OtherGenesis {
        /// The chain asked for.
        expected: ChainId,
        /// The chain of the genesis.
        found: ChainId,
    },
    /// A header does not link to the chain that this node has seen.
    #[error(
        "the header at height {height} is signed by the operators but is off the chain seen so far; do not deal until this is explained"
    )]
    OffChain {
        /// The header's height.
        height: u64,
    },
    /// A key that signs no blocks any more signed a second one for a height of its time.
    #[error(
        "a key that the operators have handed over from signed a second block at height {}; it is refused, and the \
         chain of the present operators stands",
        proof.first.header.height
    )]
    RetiredKey {
        /// Both headers with their certificates.
        proof: Box<EquivocationProof>,
    },
    /// The operators signed two histories.
    #[error(
        "the operators signed two different blocks at height {}; money on this market is not safe. Stop dealing, \
         and show both headers ({} and {}) to the others",
        proof.first.header.height, proof.first.header.id(), proof.second.header.id()
    )]
    Equivocation {
        /// Both headers with their certificates.
        proof: Box<EquivocationProof>,
    },
    /// The node's store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LedgerError {
    /// Tells whether this node asks for too much at a time.
    pub(super) fn is_own_doing(&self) -> bool {
        matches!(self, Self::Unavailable(Unavailable::SubmitterBusy))
    }

    /// Tells whether asking again later may succeed.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Unavailable(_) | Self::Withheld { .. } => true,
            // It was on its way while the operators changed; the present ones sign it as well.
            Self::Proof(error) => matches!(error, ProofError::BeforeTrusted { .. }),
            _ => false,
        }
    }
}
