//! Owns the ledger: accounts, payment channels and supply, the transactions that change them, the
//! blocks that order them, and the proofs that convince others.
//!
//! Never does I/O, reads a clock or decides when a block is due: the operator's shell passes time
//! in, makes blocks durable and only then commits them.
//!
//! ```text
//! batch --> Draft (due work, then transactions) --> Block + Delta --> log, fsync --> State::commit
//!             every operation = a list of transfers, applied whole or not at all
//! ```

mod apply;
mod audit;
mod block;
mod channel;
mod draft;
mod journal;
mod leaf;
mod proof;
mod rejected;
mod state;
mod transaction;
mod transfer;
mod tree;

pub use audit::Audit;
pub use block::{
    Block, BlockError, Certificate, CertifiedHeader, Executed, HEADER_VERSION, Header, Precommit,
    execute, execute_checked, validators_hash, verify_block,
};
pub use channel::{ChannelRecord, ChannelState};
pub use draft::{
    BlockContext, Draft, MAX_DUE_PER_BLOCK, MAX_TRANSACTIONS_PER_BLOCK, UPTIME_STEP_MS,
};
pub use journal::{Journal, JournalEntry, JournalError, Movement};
pub use leaf::{AccountRecord, Key, Leaf, Supply};
pub use proof::{EpochProof, EquivocationProof, FinalityProof, ProofError, StateProof, TrustedSet};
pub use rejected::{Rejected, Role};
pub use state::{Delta, RestoreError, State};
pub use transaction::{
    CheckedTransaction, MAX_COSIGNERS, MAX_DELEGATIONS, MAX_OPERATORS, MAX_VALIDITY_BLOCKS, Memo,
    MemoError, Operation, SignedTransaction, Transaction, VerifiedTransaction,
};
pub use transfer::{Bucket, Cause, Code, Transfer, TxReceipt};
pub use tree::{Path, Step};

#[cfg(test)]
mod tests;
