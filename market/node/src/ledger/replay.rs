//! Owns reading a block log again from the genesis: every certificate, transaction, receipt and root is verified
//! on the way.
//!
//! Never changes anything on disk, and never trusts what an index or an earlier start has said of the log.

use market::genesis::{Genesis, GenesisError};
use market::ledger::{Block, BlockError, CertifiedHeader, State, verify_block};
use market::wire::WireError;

use crate::log::{LogConfig, LogError, LogRecovery, Position};

/// Why a log does not replay.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The genesis is not valid.
    #[error("the genesis is not valid: {0}")]
    Genesis(#[from] GenesisError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] LogError),
    /// Bytes of the log are no block.
    #[error(
        "record {record} of the block log is not a block: {source}; restore the log from a backup"
    )]
    Undecodable {
        /// Number of the record, from 0.
        record: u64,
        /// Why.
        source: WireError,
    },
    /// A block of the log is not the next one.
    #[error("the block log does not replay: {0}; restore it from a backup")]
    Block(#[from] BlockError),
}

/// A block that was verified, and what it leads to.
#[derive(Debug, Clone, Copy)]
pub struct Verified<'a> {
    /// The block.
    pub block: &'a Block,
    /// Where it lies.
    pub position: Position,
    /// The state after it.
    pub state: &'a State,
}

/// What replaying a log gave.
#[derive(Debug)]
pub struct Replayed {
    /// The state after the newest block.
    pub state: State,
    /// The newest block's header and certificate; `None` for an empty log.
    pub head: Option<CertifiedHeader>,
    /// The log, not open for writing yet.
    pub log: LogRecovery,
}

/// Replays the log at `config` and calls `visit` with every block in order. Stops at the first error of the log or
/// of `visit`.
///
/// # Errors
/// The genesis, the log or a block does not verify, or `visit` fails.
pub fn replay<E: From<ReplayError>>(
    config: LogConfig,
    genesis: &Genesis,
    mut visit: impl FnMut(Verified<'_>) -> Result<(), E>,
) -> Result<Replayed, E> {
    let mut state = State::genesis(genesis).map_err(ReplayError::from)?;
    let (mut head, mut record) = (None, 0);
    let log = LogRecovery::read(config, |position, bytes| {
        let block = Block::decode(bytes);
        let block = block.map_err(|source| ReplayError::Undecodable { record, source })?;
        let delta = verify_block(&state, &block).map_err(ReplayError::from)?;
        state.commit(delta).map_err(ReplayError::from)?;
        record += 1;
        head = Some(block.certified());
        let verified = Verified {
            block: &block,
            position,
            state: &state,
        };
        visit(verified).map_err(Stop::Visitor)
    });
    match log {
        Ok(log) => Ok(Replayed { state, head, log }),
        Err(Stop::Replay(error)) => Err(error.into()),
        Err(Stop::Visitor(error)) => Err(error),
    }
}

/// Why reading stops.
enum Stop<E> {
    Replay(ReplayError),
    Visitor(E),
}

impl<E> From<ReplayError> for Stop<E> {
    fn from(error: ReplayError) -> Self {
        Self::Replay(error)
    }
}

impl<E> From<LogError> for Stop<E> {
    fn from(error: LogError) -> Self {
        Self::Replay(error.into())
    }
}
