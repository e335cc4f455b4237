//! Owns the Solo operator: the one task that orders transactions, makes blocks durable and proves
//! what happened.
//!
//! Never acknowledges a transaction before its block is in the log and flushed to the index, and
//! never makes a second block at a height: after a failure of the disk it stops. A disk without room is none:
//! it says so, answers what it knows, and goes on by itself.
//!
//! ```text
//! OperatorHandle --bounded queue--> run(): batch --> Core (on a blocking thread)
//!   reads the index and the log       ^              execute, sign, log + fsync, index + flush
//!   directly                          +-- results -- commit; whatever queued up meanwhile is next
//! ```

mod actor;
mod admission;
mod block_time;
mod core;
mod handle;
mod succession;
mod tally;

pub use actor::Operator;
pub use admission::MAX_WAITING_PER_SUBMITTER;
pub use handle::{OperatorHandle, SubmitError};
pub use tally::Tallied;

use std::path::PathBuf;
use std::time::Duration;

use market::genesis::{Genesis, GenesisError};
use market::ids::NodeId;
use market::keys::SecretKey;
use market::ledger::BlockError;

use super::replay::ReplayError;
use super::snapshot::SnapshotPace;
use crate::clock::ProtocolClock;
use crate::log::{LogError, SEGMENT_BYTES, TornTail};
use crate::store::{SetAside, StoreError};

/// The longest that the chain goes without a block, unless configured otherwise.
pub const BLOCK_INTERVAL: Duration = Duration::from_secs(10);

/// Room that an operator keeps for finishing a block, 16 MiB, unless configured otherwise.
pub const MARGIN_BYTES: u64 = 16 << 20;

/// How often an operator without room looks whether there is some.
const ROOM_RETRY: Duration = Duration::from_secs(1);

/// Requests that may wait for the operator; more are answered with "busy".
pub const QUEUE_LENGTH: usize = 4_096;

/// What an operator is started with.
#[derive(Debug, Clone)]
pub struct OperatorConfig {
    /// The folder for the log (`blocks`), the index (`index`) and the kept state (`state`).
    pub directory: PathBuf,
    /// The founding facts; they name this operator.
    pub genesis: Genesis,
    /// The key that signs blocks.
    pub key: SecretKey,
    /// Further keys that this operator has: the log says which of all signs the next block.
    pub spare_keys: Vec<SecretKey>,
    /// The longest time between blocks, at least 1 ms and at most [`BLOCK_INTERVAL`]: longer would
    /// stop the uptime clock. An empty block is made when nothing is submitted.
    pub block_interval: Duration,
    /// The size at which the log begins a new segment, in bytes.
    pub segment_bytes: u64,
    /// Free space of the disk below which no block is made, in bytes: it is needed to finish one.
    pub margin_bytes: u64,
    /// How the state is kept beside the log.
    pub snapshots: SnapshotPace,
    /// Moved on by every block.
    pub clock: ProtocolClock,
}

impl OperatorConfig {
    /// Makes a configuration with the usual interval and segment size and a clock of its own.
    pub fn new(directory: PathBuf, genesis: Genesis, key: SecretKey) -> Self {
        Self {
            directory,
            genesis,
            key,
            spare_keys: Vec::new(),
            block_interval: BLOCK_INTERVAL,
            segment_bytes: SEGMENT_BYTES,
            margin_bytes: MARGIN_BYTES,
            snapshots: SnapshotPace::default(),
            clock: ProtocolClock::new(),
        }
    }
}

/// What the start of an operator had to repair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// Height of the newest block of the log, which was replayed.
    pub height: u64,
    /// Height of the kept state from which it was replayed; 0 where that was the genesis.
    pub replayed_from: u64,
    /// Why there was a kept state that was not used, if there was.
    pub unused_snapshot: Option<String>,
    /// An unfinished append that was cut off the log.
    pub torn: Option<TornTail>,
    /// An index that could not be used and was set aside.
    pub set_aside: Option<SetAside>,
    /// Blocks that were indexed again.
    pub reindexed: u64,
    /// The one of its keys that signs the next block.
    pub operator: NodeId,
}

/// Why an operator cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// The genesis is not valid.
    #[error("the genesis is not valid: {0}")]
    Genesis(#[from] GenesisError),
    /// Other operators sign the next block.
    #[error(
        "block {height} is to be signed by {operator}, and this home has not its key; the key {node} is none of an \
         operator. Restore keys/operator.key"
    )]
    NotOperator {
        /// The key that this home has.
        node: NodeId,
        /// The first of those that sign.
        operator: NodeId,
        /// The next block.
        height: u64,
    },
    /// The block log failed.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The index failed.
    #[error("the operator's index failed: {0}; it can be moved away, it is rebuilt from the log")]
    Store(#[from] StoreError),
    /// The block log does not replay.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A block was made that does not follow.
    #[error("a block was made that does not follow: {0}; start again, the log is intact")]
    Block(#[from] BlockError),
    /// Blocks that were acknowledged are not in the log.
    #[error(
        "the index knows blocks up to height {index_height} but the log ends at {log_height}: blocks that were \
         acknowledged are missing, and going on would sign a second history. Restore the log; or, if an older \
         log is what you want, move {} away first",
        index.display()
    )]
    LogBehindIndex {
        /// Newest height in the log.
        log_height: u64,
        /// Newest height in the index.
        index_height: u64,
        /// The index.
        index: PathBuf,
    },
    /// The thread that makes blocks panicked.
    #[error("making a block failed unexpectedly; start again, the log is intact")]
    Panicked,
}

#[cfg(test)]
mod tests;
