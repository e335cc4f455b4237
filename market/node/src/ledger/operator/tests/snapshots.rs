//! The kept state of an operator: a start from it gives what a start from the genesis gives, and one that is of no use
//! costs nothing but time.

use std::path::Path;

use market::ids::Root;
use market::ledger::{Audit, EpochProof};

use super::*;
use crate::ledger::testing::hand_over;

/// Keeps the state at once and again after every few blocks, three leaves at a time.
fn often(folder: &TempDir) -> OperatorConfig {
    OperatorConfig {
        snapshots: SnapshotPace {
            interval: 4,
            leaves_a_block: 3,
        },
        spare_keys: vec![key(210)],
        ..config(folder)
    }
}

fn state_file(folder: &TempDir) -> PathBuf {
    folder.path().join("ledger/state")
}

async fn pay(running: &Running, nonces: std::ops::Range<u64>) {
    for nonce in nonces {
        let payment = transfer(nonce, &key(1), &key(2), nonce);
        running.handle.submit(payment).await.unwrap();
    }
}

/// A market with payments, a change of the operators and a kept state, and its operator ended.
async fn with_state(folder: &TempDir) -> Seen {
    let running = Running::start(often(folder));
    assert_eq!(running.recovered.replayed_from, 0);
    let funding = issue(1, &key(1), 1_000_000);
    running.handle.submit(funding).await.unwrap();
    pay(&running, 2..10).await;
    let change = hand_over(50, &key(210), &[&key(200), &key(210)]);
    running.handle.submit(change).await.unwrap();
    pay(&running, 10..20).await;
    let seen = Seen::of(&running).await;
    running.kill().await;
    assert!(state_file(folder).exists());
    seen
}

/// What an operator answers, but for the empty blocks that a start makes.
#[derive(Debug, PartialEq)]
struct Seen {
    root: Root,
    audit: Audit,
    histories: Vec<Vec<HistoryEntry>>,
    epochs: Vec<EpochProof>,
    operators: TrustedSet,
}

impl Seen {
    async fn of(running: &Running) -> Self {
        let handle = &running.handle;
        let mut histories = Vec::new();
        for seed in [1, 2] {
            histories.push(history(handle, seed, HistoryPage::After(None)).await);
        }
        let status = handle.status().await.unwrap();
        Self {
            root: status.head.header.state_root,
            audit: Audit {
                height: 0,
                ..status.audit
            },
            histories,
            epochs: handle.epochs(0).await.unwrap(),
            operators: handle.operators().await.unwrap(),
        }
    }
}

#[tokio::test]
async fn a_start_from_the_kept_state_answers_as_one_from_the_genesis() {
    let folder = TempDir::new().unwrap();
    let before = with_state(&folder).await;
    let again = Running::start(often(&folder));
    let recovered = &again.recovered;
    assert!(recovered.replayed_from > 4, "{recovered:?}");
    assert!(recovered.height > recovered.replayed_from, "{recovered:?}");
    assert_eq!(
        (recovered.reindexed, &recovered.unused_snapshot),
        (0, &None)
    );
    assert_eq!(Seen::of(&again).await, before);
    // Goes on: what was paid is not paid again, what is new is, and later states take the place of this one.
    let payment = transfer(3, &key(1), &key(2), 3);
    let proof = again.handle.submit(payment).await.unwrap();
    assert!(proof.certified.header.height < recovered.replayed_from);
    pay(&again, 100..120).await;
    let (later, from) = (Seen::of(&again).await, again.recovered.replayed_from);
    again.kill().await;
    let third = Running::start(often(&folder));
    assert!(third.recovered.replayed_from > from);
    assert_eq!(Seen::of(&third).await, later);
    third.kill().await;

    fs::remove_file(state_file(&folder)).unwrap();
    let whole = Running::start(often(&folder));
    assert_eq!(whole.recovered.replayed_from, 0);
    assert_eq!(Seen::of(&whole).await, later);
}

#[tokio::test]
async fn an_index_is_rebuilt_whole_beside_a_kept_state() {
    let folder = TempDir::new().unwrap();
    let before = with_state(&folder).await;
    fs::remove_dir_all(folder.path().join("ledger/index")).unwrap();
    let again = Running::start(often(&folder));
    assert!(again.recovered.replayed_from > 0);
    assert_eq!(again.recovered.reindexed, again.recovered.height);
    assert_eq!(Seen::of(&again).await, before);
}

#[tokio::test]
async fn an_index_of_another_log_is_noticed_beside_a_kept_state() {
    let ours = TempDir::new().unwrap();
    let before = with_state(&ours).await;
    exchange_index(&ours).await;
    let again = Running::start(often(&ours));
    assert!(again.recovered.replayed_from > 0);
    assert!(again.recovered.set_aside.is_some());
    assert_eq!(Seen::of(&again).await, before);
}

/// Starts with a state file that is of no use, and returns why the operator says so.
async fn started_without(folder: &TempDir, before: &Seen) -> String {
    let again = Running::start(often(folder));
    assert_eq!(again.recovered.replayed_from, 0);
    let why = again.recovered.unused_snapshot.clone();
    assert_eq!(&Seen::of(&again).await, before);
    // The next one takes its place.
    pay(&again, 200..230).await;
    again.kill().await;
    let third = Running::start(often(folder));
    assert!(third.recovered.replayed_from > 0);
    assert_eq!(third.recovered.unused_snapshot, None);
    third.kill().await;
    why.expect("it was not used")
}

#[tokio::test]
async fn a_damaged_state_is_not_used_and_written_anew() {
    let folder = TempDir::new().unwrap();
    let before = with_state(&folder).await;
    let mut bytes = fs::read(state_file(&folder)).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x40;
    fs::write(state_file(&folder), bytes).unwrap();
    let why = started_without(&folder, &before).await;
    assert!(!why.is_empty());
}

#[tokio::test]
async fn a_state_of_another_market_is_not_used() {
    let (folder, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let before = with_state(&folder).await;
    let running = Running::start(OperatorConfig {
        genesis: Genesis {
            name: "another".to_owned(),
            ..genesis()
        },
        block_interval: Duration::from_millis(1),
        ..often(&other)
    });
    let mut heads = running.handle.heads();
    heads
        .wait_for(|head| head.header.height >= 8)
        .await
        .unwrap();
    running.kill().await;
    fs::copy(state_file(&other), state_file(&folder)).unwrap();
    let why = started_without(&folder, &before).await;
    assert!(
        why.contains("not the state that the log's block has"),
        "{why}"
    );
}

#[tokio::test]
async fn a_state_beyond_the_log_is_not_used_and_hides_no_lost_block() {
    let (folder, aside) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let running = funded(&folder).await;
    pay(&running, 2..4).await;
    let before = Seen::of(&running).await;
    running.kill().await;
    let ledger = folder.path().join("ledger");
    rotation::copy(&ledger, aside.path());
    let later = Running::start(often(&folder));
    pay(&later, 4..14).await;
    later.kill().await;
    let state = fs::read(state_file(&folder)).unwrap();

    // An older log beside the newest index: acknowledged blocks are missing.
    fs::remove_dir_all(ledger.join("blocks")).unwrap();
    rotation::copy(&aside.path().join("blocks"), &ledger.join("blocks"));
    let error = Operator::open(often(&folder)).unwrap_err();
    assert!(
        matches!(error, OperatorError::LogBehindIndex { .. }),
        "{error}"
    );

    // The older log is what is wanted.
    fs::remove_dir_all(&ledger).unwrap();
    rotation::copy(aside.path(), &ledger);
    fs::write(state_file(&folder), state).unwrap();
    let why = started_without(&folder, &before).await;
    assert!(why.contains("the log ends before that"), "{why}");
}

/// Puts something in the way of writing the state; blocks are made all the same.
async fn without_room(folder: &TempDir, in_the_way: &Path) {
    fs::create_dir_all(in_the_way).unwrap();
    let running = Running::start(often(folder));
    running
        .handle
        .submit(issue(1, &key(1), 1_000_000))
        .await
        .unwrap();
    pay(&running, 2..30).await;
    let before = Seen::of(&running).await;
    running.kill().await;
    fs::remove_dir(in_the_way).unwrap();
    let again = Running::start(often(folder));
    assert_eq!(again.recovered.replayed_from, 0);
    assert_eq!(Seen::of(&again).await, before);
}

#[tokio::test]
async fn a_state_that_cannot_be_begun_or_named_stops_no_block() {
    for name in ["state.new", "state"] {
        let folder = TempDir::new().unwrap();
        without_room(&folder, &folder.path().join("ledger").join(name)).await;
    }
}
