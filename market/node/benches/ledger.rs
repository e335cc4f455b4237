//! Owns the ledger's figures of docs/measurements in an optimised build: `cargo bench -p market-node --bench ledger`.
//! `nightshift bench ledger` measures the same in the program as it is installed. Behind `--`, the names of
//! parts (`limits`, `execution`, `replay`, `submit`, `growth`) choose those; `growth` writes some 3 GiB.
//!
//! Never asserts a figure; it prints them.

use std::path::Path;
use std::process::ExitCode;

use market_node::ledger::bench::{self, BenchError, Plan, growth, limits};

/// What can be measured by itself.
const PARTS: [&str; 5] = ["limits", "execution", "replay", "submit", "growth"];

/// Clients at a time, and transfers in all.
const PLANS: [(u32, u32); 3] = [(1, 3_000), (16, 20_000), (256, 60_000)];

/// Accounts of the ledgers on which blocks are executed.
const ACCOUNTS: [u32; 3] = [10_000, 100_000, 1_000_000];

/// Clients at a time of the ledger that grows.
const GROWING_CLIENTS: u32 = 256;

/// Transfers after which a growing ledger is looked at.
const STEPS: [u64; 3] = [10_000, 100_000, 1_000_000];

/// Blocks of 1,000 transfers that are replayed.
const REPLAYED_BLOCKS: u64 = 50;

#[tokio::main]
async fn main() -> ExitCode {
    // cargo adds `--bench`.
    let chosen: Vec<String> = std::env::args()
        .skip(1)
        .filter(|part| !part.starts_with("--"))
        .collect();
    if let Some(unknown) = chosen.iter().find(|part| !PARTS.contains(&part.as_str())) {
        eprintln!(
            "there is no part {unknown}; the parts are {}",
            PARTS.join(", ")
        );
        return ExitCode::from(2);
    }
    let folder = std::env::var_os("BENCH_FOLDER").map_or_else(std::env::temp_dir, Into::into);
    let folder = folder.join(format!("nightshift-bench-{}", std::process::id()));
    let measured = measure(&folder, &chosen).await;
    // What is left would only take room.
    let _cleaned = std::fs::remove_dir_all(&folder);
    match measured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("nothing more is measured: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn measure(folder: &Path, chosen: &[String]) -> Result<(), BenchError> {
    let wants = |part: &str| chosen.is_empty() || chosen.iter().any(|chosen| chosen == part);
    if wants("limits") {
        let limits = limits::limits(folder)?;
        println!(
            "check of a seal {:.1} us, append and sync of 4 KiB {:.0} us",
            limits.check_us, limits.sync_us
        );
    }
    if wants("execution") {
        execution()?;
    }
    if wants("replay") {
        let replay = limits::replaying(folder, REPLAYED_BLOCKS)?;
        println!(
            "replay: {} transfers, {:.0} a second, {:.0} bytes of log each",
            replay.transfers, replay.per_second, replay.log_bytes
        );
    }
    if wants("submit") {
        submit(folder).await?;
    }
    if wants("growth") {
        grow(folder).await?;
    }
    Ok(())
}

fn execution() -> Result<(), BenchError> {
    for accounts in ACCOUNTS {
        let execution = limits::execution(accounts)?;
        println!(
            "{} accounts: {:.0} transfers a second applied, block of 1,000 in {:.2} ms, with seals checked in {:.2} ms, {:.0} bytes an account",
            execution.accounts,
            execution.applied_per_second,
            execution.block_ms,
            execution.checked_block_ms,
            execution.account_bytes
        );
    }
    Ok(())
}

async fn submit(folder: &Path) -> Result<(), BenchError> {
    for (submitters, transfers) in PLANS {
        let plan = Plan {
            transfers,
            submitters,
        };
        let report = bench::submit_to_final(&folder.join(submitters.to_string()), plan).await?;
        println!(
            "{} clients: p50 {:.2} ms, p99 {:.2} ms, {:.0} transfers a second, {:.0} to a block, {:.0} bytes of disk each",
            report.submitters,
            report.p50_us as f64 / 1_000.0,
            report.p99_us as f64 / 1_000.0,
            report.per_second,
            f64::from(report.transfers) / report.blocks as f64,
            report.disk_bytes as f64 / f64::from(report.transfers),
        );
    }
    Ok(())
}

async fn grow(folder: &Path) -> Result<(), BenchError> {
    for step in growth::growth(&folder.join("grown"), GROWING_CLIENTS, &STEPS).await? {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        println!(
            "{} transfers: {:.0} a second, {:.0} MiB of memory, {:.0} MiB of log, {:.0} MiB of index, opened in {:.1} s, in {:.1} s from the genesis",
            step.transfers,
            step.per_second,
            mib(step.memory_bytes),
            mib(step.log_bytes),
            mib(step.index_bytes),
            step.open_seconds,
            step.replay_seconds,
        );
    }
    Ok(())
}
