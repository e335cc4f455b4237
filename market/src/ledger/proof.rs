//! Owns what convinces someone who does not run the ledger: proofs about what happened and about
//! what is so, and the set of operators that they are checked against.
//!
//! Never judges how old a proof may be: the caller compares the header's time with its own.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::block::{Block, CertifiedHeader, HEADER_VERSION, Header, Precommit, validators_hash};
use super::draft::{receipt_hash, receipts_tree, tx_hash};
use super::leaf::Leaf;
use super::state::State;
use super::transaction::SignedTransaction;
use super::transfer::{Cause, TxReceipt};
use super::tree::{self, Path, Tree};
use crate::genesis::Genesis;
use crate::ids::{ChainId, NodeId, Root, TxId};

/// Why a proof does not convince.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// A header of a form that this program does not know.
    #[error("header version {0} is not known to this program; install a newer release")]
    Version(u16),
    /// Another chain.
    #[error("the proof is of chain {found}, not of {expected}")]
    OtherChain {
        /// The chain that is trusted.
        expected: ChainId,
        /// The chain of the proof.
        found: ChainId,
    },
    /// A height that the trusted set does not speak for.
    #[error("the proof is of height {found}, before the trusted height {trusted}")]
    BeforeTrusted {
        /// The first height that the trusted set signs.
        trusted: u64,
        /// The height of the proof.
        found: u64,
    },
    /// Other operators than those trusted.
    #[error("the header is by operators {found}, and {expected} are trusted")]
    OtherOperators {
        /// Hash of the trusted operators.
        expected: Root,
        /// Hash in the header.
        found: Root,
    },
    /// A vote that is not by an operator, does not verify, or is there twice.
    #[error("a precommit by {signer} is not a vote for this header")]
    BadPrecommit {
        /// The key that claims to have voted.
        signer: NodeId,
    },
    /// Too few votes.
    #[error("{have} operators voted for the header, {need} are needed")]
    Quorum {
        /// Votes found.
        have: usize,
        /// Votes needed.
        need: usize,
    },
    /// The Merkle path does not lead to the header's root.
    #[error("the path does not lead from what is proved to the header's root")]
    Path,
    /// The receipt is of another transaction.
    #[error("the receipt is not of the transaction beside it")]
    OtherTransaction,
    /// A new set of operators that the header does not name.
    #[error("the operators given are not those that the header hands over to")]
    NotHandedOver,
    /// Two headers that do not contradict each other.
    #[error("the two headers do not contradict each other")]
    NoConflict,
}

/// The operators that a peer trusts, and from which height on. Kept on disk; never goes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustedSet {
    /// The chain.
    pub chain: ChainId,
    /// The first height that these operators sign.
    pub height: u64,
    /// The operators, in the order that the validators hash has them.
    pub operators: Vec<NodeId>,
}

/// Returns how many of `operators` must vote: more than two thirds.
pub(super) fn quorum(operators: usize) -> usize {
    (operators.saturating_mul(2) / 3).saturating_add(1)
}

impl TrustedSet {
    /// Returns the set that a genesis starts with.
    pub fn genesis(genesis: &Genesis) -> Self {
        Self {
            chain: genesis.chain_id(),
            height: 1,
            operators: genesis.operators.clone(),
        }
    }

    /// Returns how many operators must vote: more than two thirds.
    pub fn quorum(&self) -> usize {
        quorum(self.operators.len())
    }

    /// Checks that a header is final: of this chain, by these operators, with the votes of more than two thirds
    /// of them.
    ///
    /// A header from before the trusted height convinces only where these operators have signed it as well: they
    /// stand for the whole chain that they took over, and what the operators before them sign today may be by
    /// a key that others have.
    pub fn check(&self, certified: &CertifiedHeader) -> Result<(), ProofError> {
        let header = &certified.header;
        if header.version != HEADER_VERSION {
            return Err(ProofError::Version(header.version));
        }
        if header.chain_id != self.chain {
            return Err(ProofError::OtherChain {
                expected: self.chain,
                found: header.chain_id,
            });
        }
        if header.height < self.height {
            let vouched = self.check_votes(certified);
            return vouched.map_err(|_| self.before(header));
        }
        let expected = validators_hash(&self.operators);
        if header.validators_hash != expected {
            return Err(ProofError::OtherOperators {
                expected,
                found: header.validators_hash,
            });
        }
        self.check_votes(certified)
    }

    fn check_votes(&self, certified: &CertifiedHeader) -> Result<(), ProofError> {
        let precommit = Precommit {
            height: certified.header.height,
            round: certified.certificate.round,
            header: certified.header.id(),
        };
        let mut voters = BTreeSet::new();
        for seal in &certified.certificate.precommits {
            let voter = NodeId::from_bytes(seal.signer);
            let is_new = self.operators.contains(&voter) && voters.insert(voter);
            if !is_new || seal.verify(&precommit, &self.chain).is_err() {
                return Err(ProofError::BadPrecommit { signer: voter });
            }
        }
        let (have, need) = (voters.len(), self.quorum());
        if have < need {
            return Err(ProofError::Quorum { have, need });
        }
        Ok(())
    }

    fn before(&self, header: &Header) -> ProofError {
        ProofError::BeforeTrusted {
            trusted: self.height,
            found: header.height,
        }
    }

    /// Moves on to the operators that a final header hands over to. Never goes back: a header from before the
    /// trusted height hands nothing over, whoever signed it.
    pub fn advance(&mut self, epoch: &EpochProof) -> Result<(), ProofError> {
        let header = &epoch.certified.header;
        if header.height < self.height {
            return Err(self.before(header));
        }
        self.check(&epoch.certified)?;
        if header.next_validators_hash == header.validators_hash {
            return Err(ProofError::NotHandedOver);
        }
        if validators_hash(&epoch.operators) != header.next_validators_hash {
            return Err(ProofError::NotHandedOver);
        }
        self.height = header.height.saturating_add(1);
        self.operators.clone_from(&epoch.operators);
        Ok(())
    }
}

/// Proves that operators handed over to others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EpochProof {
    /// The header that hands over, certified by the outgoing operators.
    pub certified: CertifiedHeader,
    /// The operators from the next height on.
    pub operators: Vec<NodeId>,
}

impl EpochProof {
    /// Returns the proof that a block of `state`, its tip, handed over; `None` where it did not.
    pub fn of(state: &State, certified: &CertifiedHeader) -> Option<Self> {
        let header = &certified.header;
        let hands_over = header.next_validators_hash != header.validators_hash;
        hands_over.then(|| Self {
            certified: certified.clone(),
            operators: state.operators().to_vec(),
        })
    }
}

/// Proves what is so: a leaf of the state after a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateProof {
    /// The leaf.
    pub leaf: Leaf,
    /// From the leaf to the state root.
    pub path: Path,
    /// The block's header; its time says how old this is.
    pub certified: CertifiedHeader,
}

impl StateProof {
    /// Checks the header and the path, and returns the leaf.
    pub fn verify(&self, trusted: &TrustedSet) -> Result<&Leaf, ProofError> {
        trusted.check(&self.certified)?;
        let root = self.path.root(&self.leaf.key().place(), &self.leaf.hash());
        if root.map(Root::from_bytes) != Some(self.certified.header.state_root) {
            return Err(ProofError::Path);
        }
        Ok(&self.leaf)
    }
}

/// Proves what happened: a transaction and its receipt, in a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FinalityProof {
    /// The transaction.
    pub transaction: SignedTransaction,
    /// What it did.
    pub receipt: TxReceipt,
    /// The receipt's place in the block.
    pub index: u64,
    /// From the receipt to the receipts root.
    pub path: Path,
    /// The block's header.
    pub certified: CertifiedHeader,
}

impl FinalityProof {
    /// Checks the header, the path and that the receipt is of the transaction, and returns the receipt.
    pub fn verify(&self, trusted: &TrustedSet) -> Result<&TxReceipt, ProofError> {
        trusted.check(&self.certified)?;
        let value = receipt_hash(Some(tx_hash(&self.transaction)), &self.receipt);
        let root = self.path.root(&tree::list_place(self.index), &value);
        if root.map(Root::from_bytes) != Some(self.certified.header.receipts_root) {
            return Err(ProofError::Path);
        }
        if self.receipt.cause != Cause::Transaction(self.transaction.id(&trusted.chain)) {
            return Err(ProofError::OtherTransaction);
        }
        Ok(&self.receipt)
    }
}

impl Block {
    /// Proves a transaction of this block, or `None` when it is not in it. Hashes all receipts.
    pub fn prove(&self, id: TxId) -> Option<FinalityProof> {
        let index = self
            .receipts
            .iter()
            .position(|receipt| receipt.cause == Cause::Transaction(id))?;
        self.prove_at(index, &self.receipts_tree())
    }

    /// Proves every transaction of this block, in their order. Hashes all receipts once.
    pub fn prove_all(&self) -> Vec<FinalityProof> {
        let tree = self.receipts_tree();
        (0..self.receipts.len())
            .filter_map(|index| self.prove_at(index, &tree))
            .collect()
    }

    fn receipts_tree(&self) -> Tree {
        let hashes: Vec<tree::Hash> = self.transactions.iter().map(tx_hash).collect();
        receipts_tree(&hashes, &self.receipts)
    }

    /// Proves the transaction whose receipt is at `index`; `None` for what fell due.
    fn prove_at(&self, index: usize, receipts: &Tree) -> Option<FinalityProof> {
        let due = self.receipts.len().checked_sub(self.transactions.len())?;
        let transaction = self.transactions.get(index.checked_sub(due)?)?;
        let index_wide = u64::try_from(index).ok()?;
        Some(FinalityProof {
            transaction: transaction.clone(),
            receipt: self.receipts.get(index)?.clone(),
            index: index_wide,
            path: receipts.path(&tree::list_place(index_wide))?,
            certified: self.certified(),
        })
    }
}

/// Proves that operators signed two histories. Whoever holds one stops and shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EquivocationProof {
    /// One header.
    pub first: CertifiedHeader,
    /// Another of the same height.
    pub second: CertifiedHeader,
}

impl EquivocationProof {
    /// Checks that both headers are final, of one height, and not the same.
    pub fn verify(&self, trusted: &TrustedSet) -> Result<(), ProofError> {
        let (first, second) = (&self.first.header, &self.second.header);
        if first.height != second.height || first.id() == second.id() {
            return Err(ProofError::NoConflict);
        }
        trusted.check(&self.first)?;
        trusted.check(&self.second)
    }
}
