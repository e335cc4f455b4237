//! The operator: what it acknowledges is final, proved, applied once, and there after any crash.

mod rotation;
mod snapshots;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use market::Amount;
use market::ledger::{Block, Key, Rejected, TrustedSet};
use market::wire;
use tempfile::TempDir;

use super::*;
use crate::clock::wall_now;
use crate::ledger::protocol::{
    HistoryEntry, HistoryPage, HistoryQuery, LedgerRequest, LedgerResponse, Unavailable,
};
use crate::ledger::testing::{Running, TRANSFER_FEE, config, genesis, issue, key, nano, transfer};
use crate::log::{LogConfig, LogRecovery};

fn trusted() -> TrustedSet {
    TrustedSet::genesis(&genesis())
}

async fn history(handle: &OperatorHandle, seed: u8, page: HistoryPage) -> Vec<HistoryEntry> {
    let query = HistoryQuery {
        account: key(seed).account(),
        page,
        limit: 100,
    };
    handle.history(query).await.unwrap()
}

/// An operator with 1,000,000 nanocredits in the account of key 1.
async fn funded(folder: &TempDir) -> Running {
    let running = Running::start(config(folder));
    running
        .handle
        .submit(issue(1, &key(1), 1_000_000))
        .await
        .unwrap();
    running
}

/// The file that the newest block was written to.
fn newest_segment(folder: &TempDir) -> PathBuf {
    let mut files: Vec<PathBuf> = fs::read_dir(folder.path().join("ledger/blocks"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files.pop().unwrap()
}

#[tokio::test]
async fn a_final_transfer_is_proved_and_there_again_after_a_kill() {
    let folder = TempDir::new().unwrap();
    let running = funded(&folder).await;
    let payment = transfer(2, &key(1), &key(2), 300_000);
    let proof = running.handle.submit(payment.clone()).await.unwrap();
    proof.verify(&trusted()).unwrap();
    let root = running.handle.head().header.state_root;
    let height = running.handle.head().header.height;
    running.kill().await;

    let again = Running::start(config(&folder));
    assert_eq!(again.recovered.height, height);
    assert_eq!(again.recovered.reindexed, 0);
    let replayed = again.handle.block(height).await.unwrap().unwrap();
    assert_eq!(replayed.header.state_root, root);
    let id = payment.id(&genesis().chain_id());
    assert_eq!(again.handle.transaction(id).await.unwrap(), Some(proof));
    let (proof, _) = again
        .handle
        .state_of(Key::Account(key(2).account()))
        .await
        .unwrap();
    proof.unwrap().verify(&trusted()).unwrap();
}

#[tokio::test]
async fn a_torn_append_loses_nothing_that_was_acknowledged() {
    let folder = TempDir::new().unwrap();
    let running = funded(&folder).await;
    let payment = transfer(2, &key(1), &key(2), 300_000);
    let proof = running.handle.submit(payment.clone()).await.unwrap();
    running.kill().await;
    let segment = newest_segment(&folder);
    let mut bytes = fs::read(&segment).unwrap();
    let tail = bytes[bytes.len() - 40..].to_vec();
    bytes.extend_from_slice(&tail);
    fs::write(&segment, &bytes).unwrap();

    let again = Running::start(config(&folder));
    assert_eq!(
        again.recovered.torn.as_ref().map(|torn| torn.bytes),
        Some(40)
    );
    assert_eq!(again.handle.submit(payment).await.unwrap(), proof);
}

#[tokio::test]
async fn submitting_again_never_pays_twice() {
    let folder = TempDir::new().unwrap();
    let running = funded(&folder).await;
    let payment = transfer(2, &key(1), &key(2), 300_000);
    let (first, second, third) = tokio::join!(
        running.handle.submit(payment.clone()),
        running.handle.submit(payment.clone()),
        running.handle.submit(payment.clone()),
    );
    let proof = first.unwrap();
    assert_eq!(second.unwrap(), proof);
    assert_eq!(third.unwrap(), proof);
    running.kill().await;
    let again = Running::start(config(&folder));
    assert_eq!(again.handle.submit(payment).await.unwrap(), proof);
    let received = history(&again.handle, 2, HistoryPage::After(None)).await;
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].balance, nano(300_000));
}

#[tokio::test]
async fn concurrent_submitters_share_blocks_and_money_is_conserved() {
    const SUBMITTERS: u64 = 60;
    let folder = TempDir::new().unwrap();
    let running = funded(&folder).await;
    let before = running.handle.head().header.height;
    let payments = (0..SUBMITTERS).map(|number| {
        let handle = running.handle.clone();
        async move {
            handle
                .submit(transfer(100 + number, &key(1), &key(2), 10))
                .await
        }
    });
    for result in futures::future::join_all(payments).await {
        result.unwrap().verify(&trusted()).unwrap();
    }
    let status = running.handle.status().await.unwrap();
    assert!(
        status.head.header.height - before < SUBMITTERS,
        "no block was shared"
    );
    assert!(status.audit.supply_conserved);
    assert_eq!(status.audit.fee_pool, nano(SUBMITTERS * TRANSFER_FEE));
    assert_eq!(status.audit.issued, nano(1_000_000));
}

#[tokio::test]
async fn a_refusal_is_typed_and_leaves_the_rest_of_the_block_alone() {
    let folder = TempDir::new().unwrap();
    let running = funded(&folder).await;
    let (good, bad) = tokio::join!(
        running.handle.submit(transfer(2, &key(1), &key(2), 10)),
        running.handle.submit(transfer(2, &key(3), &key(2), 10)),
    );
    good.unwrap();
    assert!(matches!(
        bad,
        Err(SubmitError::Rejected(Rejected::Insufficient { .. }))
    ));
}

#[tokio::test]
async fn an_index_that_is_gone_or_unreadable_is_rebuilt_from_the_log() {
    let folder = TempDir::new().unwrap();
    let running = funded(&folder).await;
    for nonce in 2..12 {
        let payment = transfer(nonce, &key(1), &key(2), nonce);
        running.handle.submit(payment).await.unwrap();
    }
    let before = history(&running.handle, 1, HistoryPage::After(None)).await;
    let height = running.handle.head().header.height;
    running.kill().await;
    let index = folder.path().join("ledger/index");
    fs::remove_dir_all(&index).unwrap();
    let again = Running::start(config(&folder));
    assert_eq!(again.recovered.reindexed, height);
    assert_eq!(
        history(&again.handle, 1, HistoryPage::After(None)).await,
        before
    );
    again.kill().await;

    fs::write(index.join("db"), vec![0xff; 100_000]).unwrap();
    let third = Running::start(config(&folder));
    let aside = third.recovered.set_aside.clone().unwrap();
    assert!(aside.renamed_to.join("db").exists());
    assert_eq!(
        history(&third.handle, 1, HistoryPage::After(None)).await,
        before
    );
}

/// Puts the index of another log of the same chain in the place of an ended operator's own.
async fn exchange_index(ours: &TempDir) {
    let theirs = TempDir::new().unwrap();
    let other = Running::start(config(&theirs));
    other.handle.submit(issue(9, &key(3), 77)).await.unwrap();
    other.kill().await;
    let index = ours.path().join("ledger/index");
    fs::remove_dir_all(&index).unwrap();
    fs::rename(theirs.path().join("ledger/index"), &index).unwrap();
}

#[tokio::test]
async fn an_index_of_another_log_is_set_aside() {
    let ours = TempDir::new().unwrap();
    let running = funded(&ours).await;
    for nonce in 2..6 {
        running
            .handle
            .submit(transfer(nonce, &key(1), &key(2), 10))
            .await
            .unwrap();
    }
    running.kill().await;
    exchange_index(&ours).await;
    let again = Running::start(config(&ours));
    assert!(again.recovered.set_aside.is_some());
    assert_eq!(
        history(&again.handle, 2, HistoryPage::After(None))
            .await
            .len(),
        4
    );
    assert!(
        history(&again.handle, 3, HistoryPage::After(None))
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn a_log_that_lost_acknowledged_blocks_stops_the_operator() {
    let folder = TempDir::new().unwrap();
    let running = funded(&folder).await;
    running
        .handle
        .submit(transfer(2, &key(1), &key(2), 10))
        .await
        .unwrap();
    running.kill().await;
    let segment = newest_segment(&folder);
    let bytes = fs::read(&segment).unwrap();
    fs::write(&segment, &bytes[..bytes.len() - 1]).unwrap();
    let error = Operator::open(config(&folder)).unwrap_err();
    assert!(
        matches!(error, OperatorError::LogBehindIndex { .. }),
        "{error}"
    );
    assert_eq!(
        fs::read(&segment).unwrap().len(),
        bytes.len() - 1,
        "the log was left as it is"
    );
}

#[tokio::test]
async fn a_block_that_does_not_replay_stops_the_operator() {
    let folder = TempDir::new().unwrap();
    let running = funded(&folder).await;
    running.kill().await;
    let config = config(&folder);
    let log_config = LogConfig {
        segment_bytes: config.segment_bytes,
        ..LogConfig::blocks(config.directory.join("blocks"), genesis().chain_id())
    };
    let mut newest: Option<Block> = None;
    let log = LogRecovery::read::<LogError>(log_config, |_, bytes| {
        newest = Some(Block::decode(bytes).unwrap());
        Ok(())
    })
    .unwrap();
    let mut forged = newest.unwrap();
    forged.header.height += 1;
    forged.header.prev_id = forged.header.id();
    log.open().unwrap().append(&wire::encode(&forged)).unwrap();
    assert!(matches!(
        Operator::open(config).unwrap_err(),
        OperatorError::Replay(_)
    ));
}

#[tokio::test]
async fn an_operator_that_the_genesis_does_not_name_does_not_start() {
    let folder = TempDir::new().unwrap();
    let stranger = OperatorConfig {
        key: key(9),
        ..config(&folder)
    };
    assert!(matches!(
        Operator::open(stranger).unwrap_err(),
        OperatorError::NotOperator { .. }
    ));
}

#[tokio::test]
async fn empty_blocks_keep_time_and_uptime_going() {
    let folder = TempDir::new().unwrap();
    let config = OperatorConfig {
        block_interval: Duration::from_millis(5),
        ..config(&folder)
    };
    let clock = config.clock.clone();
    let running = Running::start(config);
    let mut heads = running.handle.heads();
    let first = heads.borrow_and_update().header.clone();
    for _ in 0..4 {
        tokio::time::timeout(Duration::from_secs(20), heads.changed())
            .await
            .unwrap()
            .unwrap();
    }
    let later = heads.borrow().header.clone();
    assert!(later.height >= first.height + 4);
    assert!(later.time > first.time);
    assert!(later.uptime_ms > first.uptime_ms);
    assert!(clock.height() >= Some(later.height));
}

#[tokio::test]
async fn header_time_rises_even_when_the_wall_clock_is_behind() {
    let folder = TempDir::new().unwrap();
    let mut config = config(&folder);
    config.genesis.time = wall_now().saturating_add(Duration::from_secs(3_600));
    let (handle, operator, _) = Operator::open(config.clone()).unwrap();
    let task = tokio::spawn(operator.run());
    let mut heads = handle.heads();
    let first = heads.borrow_and_update().header.time;
    assert!(first > config.genesis.time);
    heads.changed().await.unwrap();
    assert!(heads.borrow().header.time > first);
    task.abort();
}

#[tokio::test]
async fn history_pages_run_both_ways_without_gaps() {
    let folder = TempDir::new().unwrap();
    let running = funded(&folder).await;
    for nonce in 2..9 {
        running
            .handle
            .submit(transfer(nonce, &key(1), &key(2), nonce))
            .await
            .unwrap();
    }
    let all = history(&running.handle, 2, HistoryPage::After(None)).await;
    assert_eq!(all.len(), 7);
    let memo = all[0].memo.clone().unwrap();
    assert_eq!(memo.to_string(), "payment 2");
    let sum: u64 = all
        .iter()
        .map(|entry| entry.transfer.amount.nanocredits())
        .sum();
    assert_eq!(all[6].balance, Amount::from_nanocredits(sum));
    let mut newest_first = history(&running.handle, 2, HistoryPage::Before(None)).await;
    newest_first.reverse();
    assert_eq!(newest_first, all);
    let rest = history(&running.handle, 2, HistoryPage::After(Some(all[2].at))).await;
    assert_eq!(rest, all[3..]);
    let mut earlier = history(&running.handle, 2, HistoryPage::Before(Some(all[2].at))).await;
    earlier.reverse();
    assert_eq!(earlier, all[..2]);
    let query = HistoryQuery {
        account: key(1).account(),
        page: HistoryPage::After(None),
        limit: 3,
    };
    assert_eq!(running.handle.history(query).await.unwrap().len(), 3);
}

#[tokio::test]
async fn requests_from_the_network_get_their_kind_of_answer() {
    let folder = TempDir::new().unwrap();
    let running = funded(&folder).await;
    let handle = &running.handle;
    let payment = transfer(2, &key(1), &key(2), 10);
    let id = payment.id(&genesis().chain_id());
    assert!(matches!(
        handle.answer(LedgerRequest::Transaction(id)).await,
        LedgerResponse::Absent { height } if height >= 2
    ));
    assert!(matches!(
        handle
            .answer(LedgerRequest::Submit(Box::new(payment)))
            .await,
        LedgerResponse::Final(_)
    ));
    assert!(matches!(
        handle.answer(LedgerRequest::Transaction(id)).await,
        LedgerResponse::Final(_)
    ));
    let poor = Box::new(transfer(3, &key(5), &key(2), 10));
    assert!(matches!(
        handle.answer(LedgerRequest::Submit(poor)).await,
        LedgerResponse::Rejected(Rejected::Insufficient { .. })
    ));
    assert!(matches!(
        handle.answer(LedgerRequest::Header(1)).await,
        LedgerResponse::Header(certified) if certified.header.height == 1
    ));
    assert!(matches!(
        handle.answer(LedgerRequest::Header(1_000_000)).await,
        LedgerResponse::Absent { .. }
    ));
    assert!(matches!(
        handle.answer(LedgerRequest::Genesis).await,
        LedgerResponse::Genesis(found) if *found == genesis()
    ));
}

#[tokio::test]
async fn a_full_queue_refuses_and_a_stopped_operator_says_so() {
    let folder = TempDir::new().unwrap();
    let (handle, operator, _) = Operator::open(config(&folder)).unwrap();
    let mut waiting: Vec<_> = (0..QUEUE_LENGTH)
        .map(|_| Box::pin(handle.status()))
        .collect();
    for status in &mut waiting {
        assert!(futures::poll!(status).is_pending());
    }
    assert_eq!(handle.status().await.unwrap_err(), Unavailable::Busy);
    drop(operator);
    assert_eq!(handle.status().await.unwrap_err(), Unavailable::Stopped);
    assert_eq!(
        waiting.pop().unwrap().await.unwrap_err(),
        Unavailable::Stopped
    );
}
