//! Owns the measurement of the ledger: how long a transfer takes from submission to finality on an
//! operator of this machine, with its log and index on a given disk.
//!
//! Never measures the network, and never touches a real market: it founds one of its own.

pub mod growth;
pub mod limits;

use std::path::Path;
use std::time::{Duration, Instant};

use market::genesis::{Fees, Genesis};
use market::keys::SecretKey;
use market::ledger::{Memo, Operation, SignedTransaction, Transaction};
use market::{Amount, ChainId};
use serde::{Deserialize, Serialize};
use tokio::task::{JoinError, JoinHandle, JoinSet};

use super::operator::{Operator, OperatorConfig, OperatorError, OperatorHandle, SubmitError};
use crate::clock::wall_now;

/// What each transfer of the measurement moves.
const TRANSFER: Amount = Amount::from_nanocredits(1_000);

/// How many blocks a transaction of the measurement stays valid.
const VALIDITY_BLOCKS: u64 = 50_000;

/// How much is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Transfers in all, at least 1.
    pub transfers: u32,
    /// Accounts that submit at the same time, each one transfer after the other; at least 1.
    pub submitters: u32,
}

/// What was measured. Durations are in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Transfers in all.
    pub transfers: u32,
    /// Accounts that submitted at the same time.
    pub submitters: u32,
    /// Half of the transfers were final within this time.
    pub p50_us: u64,
    /// 99 of 100 transfers were final within this time.
    pub p99_us: u64,
    /// The slowest.
    pub max_us: u64,
    /// Final transfers a second over the whole run.
    pub per_second: f64,
    /// Blocks that held them.
    pub blocks: u64,
    /// What log and index took on the disk after it, in bytes.
    pub disk_bytes: u64,
}

/// Why nothing could be measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The operator did not start or failed.
    #[error(transparent)]
    Operator(#[from] OperatorError),
    /// A transaction did not become final.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// A log did not open or replay.
    #[error(transparent)]
    Replay(#[from] super::replay::ReplayError),
    /// A part of the measurement panicked.
    #[error("a part of the measurement failed: {0}")]
    Task(#[from] JoinError),
    /// A file could not be removed.
    #[error("the kept state cannot be removed: {0}")]
    Io(#[from] std::io::Error),
}

/// Founds a market in `directory`, which should be empty, runs `plan` and reports.
pub async fn submit_to_final(directory: &Path, plan: Plan) -> Result<Report, BenchError> {
    let (operator, treasury) = keys();
    let genesis = bench_genesis(&operator, &treasury);
    let chain = genesis.chain_id();
    let config = OperatorConfig::new(directory.to_path_buf(), genesis, operator);
    let (handle, running) = open(config).await?;
    let submitters: Vec<_> = (0..plan.submitters.max(1)).map(submitter).collect();
    fund(&handle, &treasury, &submitters).await?;
    let signed = sign_all(&chain, (&submitters, plan));
    let first_block = handle.head().header.height;
    let started = Instant::now();
    let latencies = submit_all(&handle, signed).await?;
    let elapsed = started.elapsed();
    let blocks = handle.head().header.height - first_block;
    drop(handle);
    running.await??;
    Ok(Report {
        disk_bytes: folder_bytes(directory),
        ..report(plan, latencies, elapsed, blocks)
    })
}

/// An operator that runs, until its last handle is dropped.
type Running = (OperatorHandle, JoinHandle<Result<(), OperatorError>>);

async fn open(config: OperatorConfig) -> Result<Running, BenchError> {
    let opened = tokio::task::spawn_blocking(|| Operator::open(config)).await?;
    let (handle, operator, _) = opened?;
    Ok((handle, tokio::spawn(operator.run())))
}

/// The operator's key and the treasury's.
fn keys() -> (SecretKey, SecretKey) {
    (SecretKey::from_seed([1; 32]), SecretKey::from_seed([2; 32]))
}

fn bench_genesis(operator: &SecretKey, treasury: &SecretKey) -> Genesis {
    Genesis {
        version: 1,
        name: "nightshift-bench".to_owned(),
        time: wall_now(),
        operators: vec![operator.node()],
        treasury: vec![treasury.account()],
        treasury_threshold: 1,
        issue_cap_per_epoch: market::amount::SUPPLY_CAP,
        minimum_balance: Amount::ZERO,
        fees: Fees {
            transfer: Amount::ZERO,
            open: Amount::ZERO,
            channel_bps: 0,
        },
        challenge_ms: 86_400_000,
        open_posting: true,
    }
}

fn submitter(number: u32) -> SecretKey {
    let mut seed = [3; 32];
    seed[..4].copy_from_slice(&number.to_be_bytes());
    SecretKey::from_seed(seed)
}

async fn fund(
    handle: &OperatorHandle,
    treasury: &SecretKey,
    submitters: &[SecretKey],
) -> Result<(), BenchError> {
    let chain = handle.head().header.chain_id;
    for (nonce, submitter) in (0u64..).zip(submitters) {
        let issue = Transaction {
            nonce,
            valid_until_height: VALIDITY_BLOCKS,
            operation: Operation::Issue {
                to: submitter.account(),
                amount: Amount::from_nanocredits(market::amount::NANOCREDITS_PER_CREDIT),
            },
        };
        let signed = SignedTransaction::sign(&issue, treasury, &chain);
        handle.submit(signed).await?;
    }
    Ok(())
}

/// Signs what every submitter will submit, one after the other: signing is the client's own work.
fn sign_all(chain: &ChainId, (submitters, plan): (&[SecretKey], Plan)) -> Signed {
    let each = plan.transfers.div_ceil(plan.submitters.max(1)).max(1);
    let sink = SecretKey::from_seed([4; 32]).account();
    let of = |key: &SecretKey| {
        let transfers = (0..u64::from(each)).map(|nonce| Transaction {
            nonce,
            valid_until_height: VALIDITY_BLOCKS,
            operation: Operation::Transfer {
                from: key.account(),
                to: sink,
                amount: TRANSFER,
                memo: Memo::default(),
            },
        });
        transfers
            .map(|transfer| SignedTransaction::sign(&transfer, key, chain))
            .collect()
    };
    submitters.iter().map(of).collect()
}

/// What each submitter submits, in order.
type Signed = Vec<Vec<SignedTransaction>>;

/// Lets every submitter submit one transfer after the other, and returns all latencies.
async fn submit_all(handle: &OperatorHandle, signed: Signed) -> Result<Vec<Duration>, BenchError> {
    let mut tasks = JoinSet::new();
    for signed in signed {
        let handle = handle.clone();
        tasks.spawn(async move {
            let mut latencies = Vec::new();
            for signed in signed {
                let submitted = Instant::now();
                handle.submit(signed).await?;
                latencies.push(submitted.elapsed());
            }
            Ok::<_, BenchError>(latencies)
        });
    }
    let mut all = Vec::new();
    while let Some(latencies) = tasks.join_next().await {
        all.extend(latencies??);
    }
    Ok(all)
}

fn report(plan: Plan, mut latencies: Vec<Duration>, elapsed: Duration, blocks: u64) -> Report {
    latencies.sort_unstable();
    let micros = |duration: Duration| u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    // The smallest latency that at least `share` of 100 stay within.
    let percentile = |share: usize| {
        let rank = (latencies.len() * share).div_ceil(100).max(1);
        latencies.get(rank - 1).copied().map_or(0, micros)
    };
    Report {
        transfers: u32::try_from(latencies.len()).unwrap_or(u32::MAX),
        submitters: plan.submitters,
        p50_us: percentile(50),
        p99_us: percentile(99),
        max_us: percentile(100),
        per_second: latencies.len() as f64 / elapsed.as_secs_f64(),
        blocks,
        disk_bytes: 0,
    }
}

/// Adds up the files of a folder; what cannot be read counts nothing.
fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let bytes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => folder_bytes(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    });
    bytes.sum()
}

#[cfg(test)]
mod tests;
