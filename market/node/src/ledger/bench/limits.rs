//! Owns the measurement of what the ledger stands on: a signature, a wait for the disk, executing a block with many
//! accounts, and replaying a log.
//!
//! Never goes through an operator's queue; `bench` does.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use market::genesis::Genesis;
use market::keys::SecretKey;
use market::ledger::{
    AccountRecord, BlockError, CheckedTransaction, Executed, Leaf, Operation, RestoreError,
    SignedTransaction, State, Supply, Transaction, execute, execute_checked,
};
use market::{AccountId, Amount, wire};
use serde::{Deserialize, Serialize};

use super::{BenchError, TRANSFER, VALIDITY_BLOCKS, bench_genesis, keys, submitter};
use crate::clock::wall_now;
use crate::ledger::replay::{ReplayError, replay};
use crate::log::files::SystemFiles;
use crate::log::{LogConfig, LogError, LogRecovery};

/// Keys that pay in the measured blocks.
const PAYERS: u32 = 500;

/// Transfers of a measured block.
const BLOCK_TRANSFERS: usize = 1_000;

/// Blocks that are measured of each kind.
const BLOCKS: u64 = 8;

/// Checks of a signature, and waits for the disk, that are measured.
const CHECKS: u32 = 2_000;
const SYNCS: usize = 200;

/// What each account begins with.
const BALANCE: Amount = Amount::from_nanocredits(1_000_000_000);

/// What a machine allows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Checking the seal of a transfer on one core, in microseconds.
    pub check_us: f64,
    /// Appending 4 KiB to a log and waiting for the disk: half took less, in microseconds.
    pub sync_us: f64,
}

/// What blocks of 1,000 transfers cost a ledger with so many accounts, on one core.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// Accounts that exist.
    pub accounts: u32,
    /// Transfers a second that are applied, seals checked before; without roots.
    pub applied_per_second: f64,
    /// The whole block, seals checked before: applied, all roots, signed, committed; the median, in milliseconds.
    pub block_ms: f64,
    /// The same with every seal checked by the same core.
    pub checked_block_ms: f64,
    /// Memory of the state for each account, in bytes.
    pub account_bytes: f64,
}

/// What reading a log again costs, every seal and root checked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Replay {
    /// Transfers in the log.
    pub transfers: u64,
    /// Transfers a second.
    pub per_second: f64,
    /// Bytes of the log for each transfer.
    pub log_bytes: f64,
}

/// Measures a signature and a wait for the disk, in `directory`.
///
/// # Errors
/// The disk fails.
pub fn limits(directory: &Path) -> Result<Limits, BenchError> {
    let (operator, treasury) = keys();
    let chain = bench_genesis(&operator, &treasury).chain_id();
    let signed = transfer(&submitter(0), AccountId::from_bytes([9; 32]), 1).sign(&chain);
    let started = Instant::now();
    for _ in 0..CHECKS {
        signed.verify(&chain).map_err(super::SubmitError::from)?;
    }
    let check_us = micros(started.elapsed()) / f64::from(CHECKS);
    let config = LogConfig::blocks(directory.join("syncs"), chain);
    let recovery = LogRecovery::read::<LogError>(config, |_, _| Ok(()));
    let mut log = recovery
        .and_then(LogRecovery::open)
        .map_err(ReplayError::from)?;
    let mut waits = Vec::new();
    for _ in 0..SYNCS {
        let started = Instant::now();
        log.append(&[7; 4096]).map_err(ReplayError::from)?;
        waits.push(micros(started.elapsed()));
    }
    Ok(Limits {
        check_us,
        sync_us: median(waits),
    })
}

/// Measures executing blocks on a ledger with `accounts` accounts, at least as many as there are payers.
///
/// # Errors
/// A block is not made, which no plan gives.
pub fn execution(accounts: u32) -> Result<Execution, BenchError> {
    let (operator, treasury) = keys();
    let genesis = bench_genesis(&operator, &treasury);
    let accounts = accounts.max(PAYERS);
    let before = memory_bytes();
    let mut state = populated(&genesis, accounts);
    let account_bytes = memory_bytes().saturating_sub(before) as f64 / f64::from(accounts);
    let (mut applied, mut blocks, mut checked) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..BLOCKS {
        let unchecked = signed_batch(&state, (2 * number, accounts));
        let started = Instant::now();
        let executed = execute(&state, &unchecked, wall_now(), &operator);
        commit(&mut state, executed)?;
        checked.push(micros(started.elapsed()) / 1_000.0);
        let batch = batch(&state, (2 * number + 1, accounts));
        let now = wall_now();
        let started = Instant::now();
        let mut draft = state.draft(now);
        for transaction in &batch {
            draft
                .apply_checked(transaction)
                .map_err(super::SubmitError::from)?;
        }
        applied.push(started.elapsed().as_secs_f64() / batch.len() as f64);
        drop(draft);
        let started = Instant::now();
        let executed = execute_checked(&state, &batch, now, &operator);
        commit(&mut state, executed)?;
        blocks.push(micros(started.elapsed()) / 1_000.0);
    }
    Ok(Execution {
        accounts,
        applied_per_second: 1.0 / median(applied),
        block_ms: median(blocks),
        checked_block_ms: median(checked),
        account_bytes,
    })
}

fn commit(state: &mut State, executed: Result<Executed, BlockError>) -> Result<(), BenchError> {
    let committed = executed.and_then(|executed| state.commit(executed.delta));
    Ok(committed.map_err(super::OperatorError::from)?)
}

/// Writes a log of blocks in `directory` and measures replaying it.
///
/// # Errors
/// The disk fails.
pub fn replaying(directory: &Path, blocks: u64) -> Result<Replay, BenchError> {
    let (operator, treasury) = keys();
    let genesis = bench_genesis(&operator, &treasury);
    let directory = directory.join("replayed");
    let config = LogConfig::blocks(directory, genesis.chain_id());
    let recovery = LogRecovery::read_on(Arc::new(SystemFiles), config.clone(), |_| {
        Ok::<(), LogError>(())
    });
    let mut log = recovery
        .and_then(LogRecovery::open)
        .map_err(ReplayError::from)?;
    let mut state = State::genesis(&genesis).map_err(ReplayError::from)?;
    let (mut bytes, mut transfers) = (0, 0);
    for number in 0..=blocks {
        let batch = match number {
            0 => issues(&state, &treasury),
            _ => batch(&state, (number, PAYERS)),
        };
        let executed = execute_checked(&state, &batch, wall_now(), &operator);
        let executed = executed.map_err(super::OperatorError::from)?;
        let block = wire::encode(&executed.block);
        log.append(&block).map_err(ReplayError::from)?;
        bytes += block.len();
        transfers += executed.block.transactions.len() as u64;
        state
            .commit(executed.delta)
            .map_err(super::OperatorError::from)?;
    }
    drop(log);
    let started = Instant::now();
    let replayed = replay(config, &genesis, |_| Ok::<(), ReplayError>(()))?;
    let elapsed = started.elapsed().as_secs_f64();
    debug_assert_eq!(
        replayed.state.root(),
        state.root(),
        "a log replays to its own root"
    );
    Ok(Replay {
        transfers,
        per_second: transfers as f64 / elapsed,
        log_bytes: bytes as f64 / transfers as f64,
    })
}

/// A transfer that is not signed yet.
struct Unsigned<'a> {
    key: &'a SecretKey,
    transaction: Transaction,
}

impl Unsigned<'_> {
    fn sign(&self, chain: &market::ChainId) -> SignedTransaction {
        SignedTransaction::sign(&self.transaction, self.key, chain)
    }
}

fn transfer(key: &SecretKey, to: AccountId, nonce: u64) -> Unsigned<'_> {
    let operation = Operation::Transfer {
        from: key.account(),
        to,
        amount: TRANSFER,
        memo: market::ledger::Memo::default(),
    };
    let transaction = Transaction {
        nonce,
        valid_until_height: VALIDITY_BLOCKS,
        operation,
    };
    Unsigned { key, transaction }
}

/// Account `number`: a payer of the measurement, or one that only receives.
fn account(number: u32) -> AccountId {
    if number < PAYERS {
        submitter(number).account()
    } else {
        payee(number)
    }
}

/// Account `number` of those that only receive.
pub(super) fn payee(number: u32) -> AccountId {
    let mut id = [5; 32];
    id[..4].copy_from_slice(&number.to_le_bytes());
    AccountId::from_bytes(id)
}

/// Signs a block's transfers: each from one of the payers to an account all over the ledger.
fn signed_batch(state: &State, (number, accounts): (u64, u32)) -> Vec<SignedTransaction> {
    let payers: Vec<SecretKey> = (0..PAYERS).map(submitter).collect();
    let chain = state.chain();
    let places = (0u64..).take(BLOCK_TRANSFERS);
    let signed = places.map(|place| {
        let nonce = number * BLOCK_TRANSFERS as u64 + place;
        let payer = &payers[place as usize % payers.len()];
        // Steps of a large prime visit the accounts in no order.
        let to = (nonce + 1) * 2_654_435_761 % u64::from(accounts);
        let mut to = account(u32::try_from(to).unwrap_or(0));
        if to == payer.account() {
            to = AccountId::from_bytes([9; 32]);
        }
        transfer(payer, to, nonce).sign(chain)
    });
    signed.collect()
}

/// The same, its seals checked.
fn batch(state: &State, plan: (u64, u32)) -> Vec<CheckedTransaction> {
    let signed = signed_batch(state, plan).into_iter();
    let checked = signed.map(|signed| signed.check(state.chain()));
    checked.filter_map(Result::ok).collect()
}

/// Signs what gives every payer its money.
fn issues(state: &State, treasury: &SecretKey) -> Vec<CheckedTransaction> {
    let signed = (0..PAYERS).map(|number| {
        let transaction = Transaction {
            nonce: u64::from(number),
            valid_until_height: VALIDITY_BLOCKS,
            operation: Operation::Issue {
                to: account(number),
                amount: BALANCE,
            },
        };
        SignedTransaction::sign(&transaction, treasury, state.chain())
    });
    let checked = signed.map(|signed| signed.check(state.chain()));
    checked.filter_map(Result::ok).collect()
}

/// Makes a state with so many accounts.
fn populated(genesis: &Genesis, accounts: u32) -> State {
    let empty = State::genesis(genesis).expect("the measurement's genesis is valid");
    let mut tip = empty.tip().clone();
    let issued = BALANCE.nanocredits().saturating_mul(u64::from(accounts));
    let leaves = || {
        let supply = Leaf::Supply(Supply {
            issued: Amount::from_nanocredits(issued),
            ..Supply::default()
        });
        let accounts = (0..accounts).map(|number| {
            Leaf::Account(AccountRecord {
                id: account(number),
                available: BALANCE,
            })
        });
        std::iter::once(supply).chain(accounts)
    };
    // The root that the header has to state is the one that it is refused for.
    match State::restore(genesis, tip.clone(), leaves()) {
        Err(RestoreError::Root { found, .. }) => tip.state_root = found,
        other => return other.expect("only the root is not known"),
    }
    State::restore(genesis, tip, leaves()).expect("the header states the root")
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_unstable_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(0.0)
}

/// Returns the memory of this process in bytes; zero where the system does not say.
pub(super) fn memory_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}
