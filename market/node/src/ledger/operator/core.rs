//! Owns what making a block needs: the state, the log, the index and the key. Synchronous.
//!
//! Never commits a block to the state before it is durable.

mod succession;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use market::ledger::{
    Audit, Block, CertifiedHeader, CheckedTransaction, EpochProof, FinalityProof, Key, Rejected,
    State, StateProof, execute_checked,
};
use market::{AccountId, HeaderId, Timestamp, TxId, wire};

use super::block_time::BlockTime;
use super::tally::Tally;
use super::{OperatorConfig, OperatorError, Recovered};
use crate::disk::{self, DiskError};
use crate::ledger::protocol::{AccountView, LedgerStatus, MAX_ACCOUNT_CHANNELS};
use crate::ledger::replay::{self, ReplayError, Replayed, Verified, replay, replay_from};
use crate::ledger::snapshot::{Keeper, Snapshot};
use crate::log::{Log, LogConfig, LogReader, Position};
use crate::store::{OperatorIndex, SetAside};

/// Blocks that are indexed between two flushes while the index is built again.
const REINDEX_BATCH: u64 = 1_000;

/// The state after the newest durable block, and what the next block needs.
#[derive(Debug)]
pub(super) struct Core {
    config: OperatorConfig,
    pub(super) state: State,
    log: Log,
    pub(super) index: OperatorIndex,
    /// Header and certificate of the newest block, by the key that signs the next one.
    pub(super) head: CertifiedHeader,
    time: BlockTime,
    /// The sums as of the newest block, once they were asked for.
    audit: Option<Audit>,
    tally: Arc<Tally>,
    /// Every change of the operators, oldest first.
    epochs: Vec<EpochProof>,
    keeper: Keeper,
}

/// What became of one submitted transaction.
pub(super) type Outcome = Result<Box<FinalityProof>, Rejected>;

/// A log that was replayed beside the index.
struct Compared {
    replayed: Replayed,
    /// Where each block lies; block `n` is record `n - 1`.
    positions: Vec<Position>,
    /// Id of the header at the index's head, if the log has that height.
    at_index_head: Option<HeaderId>,
    epochs: Vec<EpochProof>,
    /// Height of the kept state from which the log was replayed, or 0.
    replayed_from: u64,
    unused_snapshot: Option<String>,
    /// Blocks and transactions that were executed.
    executed: u64,
}

impl Core {
    /// Replays and verifies the log, from the state that was kept or from the genesis, brings the index up to it, and makes the first block of this run
    /// at `wall`.
    pub(super) fn open(
        mut config: OperatorConfig,
        wall: Timestamp,
    ) -> Result<(Self, Recovered), OperatorError> {
        let directory = config.directory.join("index");
        std::fs::create_dir_all(&config.directory).map_err(|source| {
            crate::store::StoreError::Io {
                directory: config.directory.clone(),
                source,
            }
        })?;
        let (index, set_aside) = OperatorIndex::open(&directory)?;
        let index_head = index.head()?;
        let compared = compare(&config, index_head.map(|head| head.height))?;
        config.follow(&compared.replayed.state)?;
        let height = compared.replayed.state.tip().height;
        if let Some(head) = index_head.filter(|head| head.height > height) {
            return Err(OperatorError::LogBehindIndex {
                log_height: height,
                index_height: head.height,
                index: directory,
            });
        }
        let (index, set_aside) =
            if index_head.is_some_and(|head| compared.at_index_head != Some(head.header)) {
                drop(index);
                let why = "it belongs to another block log";
                let (index, aside) = OperatorIndex::begin_anew(&directory, why)?;
                (index, Some(aside))
            } else {
                (index, set_aside)
            };
        Self::start(config, compared, (index, set_aside), wall)
    }

    /// Brings the index up to the log, opens the log for writing and makes the first block.
    fn start(
        config: OperatorConfig,
        compared: Compared,
        (index, set_aside): (OperatorIndex, Option<SetAside>),
        wall: Timestamp,
    ) -> Result<(Self, Recovered), OperatorError> {
        let Compared {
            replayed,
            positions,
            epochs,
            replayed_from,
            unused_snapshot,
            executed,
            ..
        } = compared;
        let reindexed = catch_up(&index, &replayed.log.reader(), &positions)?;
        let recovered = Recovered {
            height: replayed.state.tip().height,
            replayed_from,
            unused_snapshot,
            torn: replayed.log.torn().cloned(),
            set_aside,
            reindexed,
            operator: config.key.node(),
        };
        let mut log = replayed.log.open()?;
        let mut state = replayed.state;
        let pace = (config.snapshots, executed);
        let mut keeper = Keeper::new(config.directory.clone(), config.margin_bytes, pace);
        let mut time = BlockTime::resume(state.tip().time, &config.directory, wall);
        let head = match replayed.head {
            Some(head) => head,
            // Block 0 carries no certificate, so a market begins by signing block 1.
            None => {
                let parts = (&mut state, &mut log, &index, &mut keeper);
                let executed = make(&config, parts, &[], (&mut time, wall))?;
                executed.0.certified()
            }
        };
        config.clock.observe(head.header.height, head.header.time);
        let mut core = Self {
            config,
            state,
            log,
            index,
            head,
            time,
            audit: None,
            tally: Arc::default(),
            epochs,
            keeper,
        };
        core.vouch_for_head();
        Ok((core, recovered))
    }

    /// Executes a batch, signs the block, and returns what became of each transaction once the block
    /// is durable in log and index.
    ///
    /// After [`crate::log::LogError::NoRoom`] everything is as before. After another error the core must not be used again:
    /// what is on disk is not known.
    pub(super) fn make_block(
        &mut self,
        batch: &[CheckedTransaction],
        wall: Timestamp,
    ) -> Result<Vec<Outcome>, OperatorError> {
        let Self {
            state,
            log,
            index,
            keeper,
            ..
        } = self;
        let parts = (state, log, &*index, keeper);
        let (block, rejected) = make(&self.config, parts, batch, (&mut self.time, wall))?;
        self.head = block.certified();
        self.audit = None;
        self.succeed()?;
        let transactions = block.transactions.len();
        self.keeper.go_on(&self.state, (&self.epochs, transactions));
        let header = &self.head.header;
        self.config.clock.observe(header.height, header.time);
        self.tally.note_finals(block.transactions.len() as u64);
        Ok(outcomes(batch, &block, rejected))
    }

    /// Checks that there is room to finish a block.
    pub(super) fn check_room(&self) -> Result<(), DiskError> {
        let blocks = self.config.directory.join("blocks");
        disk::check_room(&blocks, self.config.margin_bytes, 0)?;
        disk::check_room(&self.config.directory, self.config.margin_bytes, 0)
    }

    /// Returns the newest header and all sums, which are counted once a block.
    pub(super) fn status(&mut self) -> LedgerStatus {
        let state = &self.state;
        let audit = self.audit.get_or_insert_with(|| state.audit());
        LedgerStatus {
            head: self.head.clone(),
            audit: *audit,
        }
    }

    /// Proves a leaf of the newest state.
    pub(super) fn prove(&self, key: &Key) -> Option<StateProof> {
        self.state.prove(key, &self.head.certificate)
    }

    /// Proves an account and its live channels.
    pub(super) fn account(&self, account: AccountId) -> AccountView {
        let channels = self.state.live_channels(&account);
        AccountView {
            head: self.head.clone(),
            account: self.prove(&Key::Account(account)),
            channels: channels
                .take(MAX_ACCOUNT_CHANNELS)
                .filter_map(|channel| self.prove(&Key::Channel(channel.id)))
                .collect(),
        }
    }

    pub(super) fn tally(&self) -> &Arc<Tally> {
        &self.tally
    }

    pub(super) fn config(&self) -> &OperatorConfig {
        &self.config
    }

    pub(super) fn log_reader(&self) -> LogReader {
        self.log.reader()
    }
}

fn make(
    config: &OperatorConfig,
    (state, log, index, keeper): (&mut State, &mut Log, &OperatorIndex, &mut Keeper),
    batch: &[CheckedTransaction],
    (time, wall): (&mut BlockTime, Timestamp),
) -> Result<(Block, Vec<(TxId, Rejected)>), OperatorError> {
    // Header time rises with every block, whatever the wall clock does.
    let after_tip = state.tip().time.as_millis().saturating_add(1);
    let instant = Instant::now();
    let proposed = time.propose(wall, instant);
    let now = proposed.max(Timestamp::from_millis(after_tip));
    let executed = execute_checked(state, batch, now, &config.key)?;
    let position = log.append(&wire::encode(&executed.block))?;
    // Balances as they are before the block are at hand as long as it is not committed.
    index.apply(&executed.block, position, |account| {
        Ok(state.available(account))
    })?;
    keeper.note(&executed.delta);
    state.commit(executed.delta)?;
    index.flush()?;
    time.made(now, instant);
    Ok((executed.block, executed.rejected))
}

/// Returns what became of each transaction of a batch, in its order.
///
/// One id may stand in a batch several times, with different seals: whoever asked for a transaction
/// that is in the block now gets its proof.
fn outcomes(
    batch: &[CheckedTransaction],
    block: &Block,
    rejected: Vec<(TxId, Rejected)>,
) -> Vec<Outcome> {
    let mut reasons: BTreeMap<TxId, VecDeque<Rejected>> = BTreeMap::new();
    for (id, reason) in rejected {
        reasons.entry(id).or_default().push_back(reason);
    }
    let proofs: BTreeMap<_, _> = block
        .prove_all()
        .into_iter()
        .map(|proof| (proof.receipt.transaction(), proof))
        .collect();
    let mut outcome = |transaction: &CheckedTransaction| {
        let id = transaction.id();
        match proofs.get(&Some(id)) {
            Some(proof) => Ok(Box::new(proof.clone())),
            None => Err(reasons
                .get_mut(&id)
                .and_then(VecDeque::pop_front)
                .expect("a transaction of the batch is in the block or was refused")),
        }
    };
    batch.iter().map(&mut outcome).collect()
}

/// Replays the log, from the kept state if that is of this log, and looks what it has at the height where the index
/// ends.
fn compare(config: &OperatorConfig, index_height: Option<u64>) -> Result<Compared, OperatorError> {
    let unused = match Snapshot::read(&config.directory) {
        Ok(None) => None,
        Ok(Some(snapshot)) => match compare_from(config, Some(snapshot), index_height) {
            Err(OperatorError::Replay(ReplayError::Snapshot(why))) => Some(why),
            compared => return compared,
        },
        Err(why) => Some(why),
    };
    let compared = compare_from(config, None, index_height)?;
    Ok(Compared {
        unused_snapshot: unused.map(|why| why.to_string()),
        ..compared
    })
}

fn compare_from(
    config: &OperatorConfig,
    snapshot: Option<Snapshot>,
    index_height: Option<u64>,
) -> Result<Compared, OperatorError> {
    let log_config = LogConfig {
        segment_bytes: config.segment_bytes,
        ..LogConfig::blocks(config.directory.join("blocks"), config.genesis.chain_id())
    };
    let genesis = &config.genesis;
    let replayed_from = snapshot.as_ref().map_or(0, Snapshot::height);
    let (mut positions, mut since, mut executed) = (Vec::new(), Vec::new(), 0);
    let mut visit = |position, verified: Option<Verified<'_>>| {
        positions.push(position);
        if let Some(Verified { block, state, .. }) = verified {
            since.extend(EpochProof::of(state, &block.certified()));
            executed += 1 + block.transactions.len() as u64;
        }
        Ok::<(), OperatorError>(())
    };
    let (replayed, mut epochs) = match snapshot {
        Some(snapshot) => replay_from(log_config, (genesis, snapshot), visit)?,
        None => {
            let replayed = replay(log_config, genesis, |verified| {
                visit(verified.position, Some(verified))
            })?;
            (replayed, Vec::new())
        }
    };
    epochs.extend(since);
    let at_index_head = header_at(&replayed.log.reader(), &positions, index_height)?;
    Ok(Compared {
        replayed,
        positions,
        at_index_head,
        epochs,
        replayed_from,
        unused_snapshot: None,
        executed,
    })
}

/// Returns the id of the log's header at a height, if it has that.
fn header_at(
    log: &LogReader,
    positions: &[Position],
    height: Option<u64>,
) -> Result<Option<HeaderId>, OperatorError> {
    // Block `n` is record `n - 1`.
    let Some(record) = height.and_then(|height| height.checked_sub(1)) else {
        return Ok(None);
    };
    let index = usize::try_from(record).unwrap_or(usize::MAX);
    let Some(position) = positions.get(index) else {
        return Ok(None);
    };
    let block = replay::decode(&log.read(*position)?, record)?;
    Ok(Some(block.header.id()))
}

/// Notes the trades of the blocks up to height `known` that the index has without them, as an earlier release left it.
fn note_missing_trades(
    index: &OperatorIndex,
    (log, positions): (&LogReader, &[Position]),
    known: u64,
) -> Result<(), OperatorError> {
    // Block `n` is record `n - 1`.
    for record in index.trades_head()?..known {
        let place = usize::try_from(record).ok();
        let Some(position) = place.and_then(|place| positions.get(place)) else {
            break;
        };
        index.note_trades(&replay::decode(&log.read(*position)?, record)?)?;
        if record % REINDEX_BATCH == 0 {
            index.flush()?;
        }
    }
    Ok(())
}

/// Indexes the blocks that the index does not know; returns how many. Block `n` is record `n - 1`.
fn catch_up(
    index: &OperatorIndex,
    log: &LogReader,
    positions: &[Position],
) -> Result<u64, OperatorError> {
    let known = index.head()?.map_or(0, |head| head.height);
    note_missing_trades(index, (log, positions), known)?;
    let skipped = usize::try_from(known).unwrap_or(usize::MAX);
    let mut indexed = 0;
    for position in positions.iter().skip(skipped) {
        let block = replay::decode(&log.read(*position)?, known + indexed)?;
        index.apply(&block, *position, |account| index.balance(*account))?;
        indexed += 1;
        if indexed % REINDEX_BATCH == 0 {
            index.flush()?;
        }
    }
    index.flush()?;
    Ok(indexed)
}
