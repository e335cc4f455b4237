//! Owns the ledger as a running service: the operator that orders transactions, and
//! the client by which every other node asks and checks.
//!
//! Never holds a rule about money: `market::ledger` does. Nothing here is acknowledged before it is
//! on disk.
//!
//! ```text
//! LedgerClient --- request/response, or the handle in one process --> Operator (one task)
//!  checks proofs                                                        |  batch, execute, sign
//!                                                                       +-> Log, fsync        the truth
//!                                                                       +-> OperatorIndex     rebuildable
//!                                                                       +-> snapshot, now and then, for a short start
//! ```

pub mod audit;
pub mod bench;
pub mod client;
mod headers;
pub mod operator;
pub mod protocol;
pub mod replay;
pub(crate) mod snapshot;

#[cfg(test)]
pub(crate) mod testing;

pub use client::LedgerClient;
pub use operator::{Operator, OperatorConfig, OperatorHandle};
pub use snapshot::{SnapshotError, SnapshotPace};
