//! Owns the measurement of a ledger that grows: what transfers take of memory and disk, and how fast the newest of
//! them become final, as more and more are in it.
//!
//! Never measures latency of a client at a time; `bench` does.

use std::path::Path;
use std::time::Instant;

use market::keys::SecretKey;
use market::ledger::{Memo, Operation, SignedTransaction, Transaction};

use super::limits::{memory_bytes, payee};
use super::{
    BenchError, Signed, TRANSFER, bench_genesis, folder_bytes, fund, keys, open, submit_all,
    submitter,
};
use crate::api::VALID_FOR_BLOCKS;
use crate::ledger::operator::{OperatorConfig, OperatorHandle};
use crate::ledger::snapshot::FILE as SNAPSHOT_FILE;

/// Transfers that each client submits before the next are signed.
const ROUND: u64 = 40;

/// Accounts that are paid, one after the other.
const PAYEES: u64 = 1_000_000;

/// A ledger with so many transfers in it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// Transfers that are final.
    pub transfers: u64,
    /// Final transfers a second since the step before.
    pub per_second: f64,
    /// Memory of the process, in bytes.
    pub memory_bytes: u64,
    /// The block log, in bytes.
    pub log_bytes: u64,
    /// The index, in bytes.
    pub index_bytes: u64,
    /// Opening it again, in seconds.
    pub open_seconds: f64,
    /// Opening it again without the state that was kept, so that all of the log is executed, in seconds.
    pub replay_seconds: f64,
}

/// Founds a market in `directory`, lets so many clients at a time pay a million accounts in turn, and reports at each
/// of `steps`, which rise.
///
/// # Errors
/// The disk fails.
pub async fn growth(
    directory: &Path,
    clients: u32,
    steps: &[u64],
) -> Result<Vec<Growth>, BenchError> {
    let (operator, treasury) = keys();
    let config = OperatorConfig::new(
        directory.to_path_buf(),
        bench_genesis(&operator, &treasury),
        operator,
    );
    let clients: Vec<SecretKey> = (0..clients.max(1)).map(submitter).collect();
    let (mut handle, mut running) = open(config.clone()).await?;
    fund(&handle, &treasury, &clients).await?;
    let (mut grown, mut transfers) = (Vec::new(), 0);
    for step in steps {
        let (before, mut seconds) = (transfers, 0.0);
        while transfers < *step {
            let signed = sign_round(&handle, (&clients, transfers));
            let started = Instant::now();
            transfers += submit_all(&handle, signed).await?.len() as u64;
            seconds += started.elapsed().as_secs_f64();
        }
        let memory_bytes = memory_bytes();
        drop(handle);
        running.await??;
        let started = Instant::now();
        (handle, running) = open(config.clone()).await?;
        let open_seconds = started.elapsed().as_secs_f64();
        drop(handle);
        running.await??;
        remove_snapshot(directory)?;
        let started = Instant::now();
        (handle, running) = open(config.clone()).await?;
        grown.push(Growth {
            transfers,
            per_second: (transfers - before) as f64 / seconds,
            memory_bytes,
            log_bytes: folder_bytes(&directory.join("blocks")),
            index_bytes: folder_bytes(&directory.join("index")),
            open_seconds,
            replay_seconds: started.elapsed().as_secs_f64(),
        });
    }
    drop(handle);
    running.await??;
    Ok(grown)
}

fn remove_snapshot(directory: &Path) -> Result<(), BenchError> {
    match std::fs::remove_file(directory.join(SNAPSHOT_FILE)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Signs what every client submits next, one transfer after the other, when `before` are in the ledger.
fn sign_round(handle: &OperatorHandle, (clients, before): (&[SecretKey], u64)) -> Signed {
    let header = handle.head().header;
    let sign = |(client, key): (u64, &SecretKey)| {
        let transfers = (0..ROUND).map(|turn| {
            let nonce = before + client * ROUND + turn;
            let transfer = Transaction {
                nonce,
                // As clients ask for: the ledger keeps the id for so long.
                valid_until_height: header.height + VALID_FOR_BLOCKS,
                operation: Operation::Transfer {
                    from: key.account(),
                    to: payee(u32::try_from(nonce % PAYEES).unwrap_or(0)),
                    amount: TRANSFER,
                    memo: Memo::default(),
                },
            };
            SignedTransaction::sign(&transfer, key, &header.chain_id)
        });
        transfers.collect()
    };
    (0..).zip(clients).map(sign).collect()
}

#[cfg(test)]
mod tests;
