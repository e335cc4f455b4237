//! Owns reading a block log again: from the genesis, with every certificate, transaction, receipt and root verified
//! on the way, or from the state that was kept of one of its blocks.
//!
//! Never changes anything on disk, and never trusts what an index or an earlier start has said of the log: a kept
//! state counts as far as the log itself proves it.

use market::genesis::{Genesis, GenesisError};
use market::ledger::{Block, BlockError, CertifiedHeader, EpochProof, State, verify_block};
use market::wire::WireError;

use super::snapshot::{Snapshot, SnapshotError};
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
    /// The state that was kept cannot be gone on from; the log may be whole.
    #[error("the state beside the block log is not used: {0}")]
    Snapshot(#[from] SnapshotError),
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
    let mut pass = Pass::from_genesis(genesis)?;
    let log = LogRecovery::read(config, |position, bytes| {
        let block = pass.execute(bytes)?;
        let verified = Verified {
            block: &block,
            position,
            state: &pass.state,
        };
        visit(verified).map_err(Stop::Visitor)
    });
    pass.end(log)
}

/// Reads the log at `config` and replays what comes after the state that was kept of one of its blocks. All of
/// the log is read, and its checks and hashes must hold; what is before that block is not executed again. Calls
/// `visit` with the place of every block, and with every one that is executed.
///
/// # Errors
/// As [`replay`]; or the state is not that of the log's block, and only [`replay`] can say more.
pub(super) fn replay_from<E: From<ReplayError>>(
    config: LogConfig,
    (genesis, snapshot): (&Genesis, Snapshot),
    mut visit: impl FnMut(Position, Option<Verified<'_>>) -> Result<(), E>,
) -> Result<(Replayed, Vec<EpochProof>), E> {
    let mut pass = Pass::from_genesis(genesis)?;
    let height = snapshot.height();
    let (mut kept, mut epochs) = (Some(snapshot), Vec::new());
    let log = LogRecovery::read(config, |position, bytes| {
        // Block `n` is record `n - 1`.
        let executed = match pass.record + 1 {
            next if next < height => {
                pass.record += 1;
                None
            }
            next => match kept.take_if(|_| next == height) {
                Some(snapshot) => {
                    epochs = pass.stand_at(bytes, (genesis, snapshot))?;
                    None
                }
                None => Some(pass.execute(bytes)?),
            },
        };
        let verified = executed.as_ref().map(|block| Verified {
            block,
            position,
            state: &pass.state,
        });
        visit(position, verified).map_err(Stop::Visitor)
    });
    let replayed = pass.end(log)?;
    match kept {
        None => Ok((replayed, epochs)),
        Some(_) => Err(ReplayError::from(SnapshotError::BeyondLog { height }).into()),
    }
}

/// How far the reading of a log has come.
struct Pass {
    state: State,
    head: Option<CertifiedHeader>,
    /// Number of the next record, from 0.
    record: u64,
}

impl Pass {
    fn from_genesis(genesis: &Genesis) -> Result<Self, ReplayError> {
        Ok(Self {
            state: State::genesis(genesis)?,
            head: None,
            record: 0,
        })
    }

    /// Verifies the next block by executing it.
    fn execute(&mut self, bytes: &[u8]) -> Result<Block, ReplayError> {
        let block = decode(bytes, self.record)?;
        let delta = verify_block(&self.state, &block)?;
        self.state.commit(delta)?;
        self.record += 1;
        self.head = Some(block.certified());
        Ok(block)
    }

    /// Takes the state after the next block from what was kept, and returns every change of the operators until then.
    fn stand_at(
        &mut self,
        bytes: &[u8],
        (genesis, snapshot): (&Genesis, Snapshot),
    ) -> Result<Vec<EpochProof>, ReplayError> {
        let head = decode(bytes, self.record)?.certified();
        let (state, epochs) = snapshot.restore(genesis, &head)?;
        self.state = state;
        self.record += 1;
        self.head = Some(head);
        Ok(epochs)
    }

    fn end<E: From<ReplayError>>(self, log: Result<LogRecovery, Stop<E>>) -> Result<Replayed, E> {
        match log {
            Ok(log) => Ok(Replayed {
                state: self.state,
                head: self.head,
                log,
            }),
            Err(Stop::Replay(error)) => Err(error.into()),
            Err(Stop::Visitor(error)) => Err(error),
        }
    }
}

/// Decodes the block of record number `record`.
pub(super) fn decode(bytes: &[u8], record: u64) -> Result<Block, ReplayError> {
    Block::decode(bytes).map_err(|source| ReplayError::Undecodable { record, source })
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
