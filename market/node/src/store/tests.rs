//! The stores: kept after a reopening, never opened by an older program, never deleted.

use market::ids::{AccountId, NodeId};
use market::keys::SecretKey;
use market::ledger::TrustedSet;
use market::voucher::Voucher;
use market::wire::Signed;
use market::{Amount, ChainId};
use tempfile::TempDir;

use super::*;

mod migration;

const CHAIN: ChainId = ChainId::from_bytes([1; 32]);

fn store(folder: &TempDir) -> NodeStore {
    let (store, recovered) = reopen(folder).unwrap();
    assert_eq!(recovered.set_aside, None);
    store
}

fn reopen(folder: &TempDir) -> Result<(NodeStore, Recovered), StoreError> {
    NodeStore::open(&folder.path().join("node"), &CHAIN)
}

fn channel(byte: u8) -> ChannelId {
    ChannelId::from_bytes([byte; 32])
}

fn voucher(channel: ChannelId, sequence: u64) -> (Voucher, Signed<Voucher>) {
    let voucher = Voucher {
        channel,
        sequence,
        cumulative: Amount::from_nanocredits(sequence * 10),
        meter_hash: [0; 32],
    };
    let signed = Signed::sign(&voucher, &SecretKey::from_seed([5; 32]), &CHAIN);
    (voucher, signed)
}

async fn put(store: &NodeStore, of: ChannelId, sequence: u64) -> Result<(), StoreError> {
    let (voucher, signed) = voucher(of, sequence);
    store
        .put_voucher(Direction::Received, voucher, signed)
        .await
}

fn newest(store: &NodeStore, of: ChannelId) -> Option<u64> {
    let voucher = store.latest_voucher(Direction::Received, of).unwrap();
    voucher.map(|voucher| voucher.verify(&CHAIN).unwrap().value.sequence)
}

/// Copies a folder of files.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            copy(&path, &to.join(path.file_name().unwrap()));
        } else {
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
}

#[tokio::test]
async fn the_newest_voucher_of_each_channel_survives_a_reopening_alone() {
    let folder = TempDir::new().unwrap();
    let first = store(&folder);
    for sequence in [1, 2, 300] {
        put(&first, channel(1), sequence).await.unwrap();
    }
    put(&first, channel(2), 7).await.unwrap();
    drop(first);
    let again = store(&folder);
    let newest = again
        .latest_voucher(Direction::Received, channel(1))
        .unwrap()
        .unwrap();
    assert_eq!(newest.verify(&CHAIN).unwrap().value.sequence, 300);
    for channel in [channel(1), channel(2)] {
        assert_eq!(again.count_vouchers(Direction::Received, channel), 1);
    }
    assert_eq!(
        again.latest_voucher(Direction::Sent, channel(1)).unwrap(),
        None
    );
}

#[tokio::test]
async fn a_voucher_that_does_not_rise_is_refused_and_the_same_one_is_not() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    put(&store, channel(1), 5).await.unwrap();
    put(&store, channel(1), 5).await.unwrap();
    let refused = put(&store, channel(1), 4).await;
    assert!(matches!(
        refused,
        Err(StoreError::NotRising {
            newest: 5,
            offered: 4,
            ..
        })
    ));
    let (mut other, _) = voucher(channel(1), 5);
    other.cumulative = Amount::from_nanocredits(999);
    let signed = Signed::sign(&other, &SecretKey::from_seed([5; 32]), &CHAIN);
    assert!(matches!(
        store.put_voucher(Direction::Received, other, signed).await,
        Err(StoreError::NotRising { .. })
    ));
    assert_eq!(store.count_vouchers(Direction::Received, channel(1)), 1);
}

#[tokio::test]
async fn records_are_replaced_listed_by_kind_and_removed() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    for (kind, id, bytes) in [
        (RecordKind::Lease, b"b".as_slice(), b"old".as_slice()),
        (RecordKind::Lease, b"b", b"new"),
        (RecordKind::Lease, b"a", b""),
        (RecordKind::Job, b"a", b"job"),
    ] {
        store.put_record(kind, id, bytes).await.unwrap();
    }
    assert_eq!(
        store.records(RecordKind::Lease).unwrap(),
        [
            (b"a".to_vec(), Vec::new()),
            (b"b".to_vec(), b"new".to_vec())
        ]
    );
    store.remove_record(RecordKind::Lease, b"b").await.unwrap();
    store.remove_record(RecordKind::Lease, b"b").await.unwrap();
    assert_eq!(store.record(RecordKind::Lease, b"b").unwrap(), None);
    assert_eq!(
        store.record(RecordKind::Job, b"a").unwrap(),
        Some(b"job".to_vec())
    );
    assert!(matches!(
        store.put_record(RecordKind::Job, &[0; 65], b"").await,
        Err(StoreError::TooLarge { .. })
    ));
}

#[tokio::test]
async fn records_that_belong_together_are_kept_all_or_none() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let (run, job) = (
        (RecordKind::Run, b"r".as_slice()),
        (RecordKind::Job, b"j".as_slice()),
    );
    let too_long = (RecordKind::Job, &[0; 65][..], b"job".as_slice());
    let refused = store.put_records(&[(run.0, run.1, b"run"), too_long]).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })));
    assert_eq!(store.record(run.0, run.1).unwrap(), None);
    let both = [(run.0, run.1, b"run".as_slice()), (job.0, job.1, b"job")];
    store.put_records(&both).await.unwrap();
    assert_eq!(store.record(run.0, run.1).unwrap(), Some(b"run".to_vec()));
    assert_eq!(store.record(job.0, job.1).unwrap(), Some(b"job".to_vec()));
    store.remove_records(&[run, job]).await.unwrap();
    assert_eq!(store.record(run.0, run.1).unwrap(), None);
    assert_eq!(store.record(job.0, job.1).unwrap(), None);
}

#[tokio::test]
async fn the_trusted_set_never_goes_back() {
    let folder = TempDir::new().unwrap();
    let store = store(&folder);
    let at = |height| TrustedSet {
        chain: CHAIN,
        height,
        operators: vec![NodeId::from_bytes(
            *AccountId::from_bytes([2; 32]).as_bytes(),
        )],
    };
    assert_eq!(store.trusted_set().unwrap(), None);
    store.put_trusted_set(at(5)).await.unwrap();
    assert!(matches!(
        store.put_trusted_set(at(4)).await,
        Err(StoreError::TrustGoesBack {
            held: 5,
            offered: 4
        })
    ));
    assert_eq!(store.trusted_set().unwrap(), Some(at(5)));
}

#[test]
fn a_store_of_a_newer_schema_is_refused_in_words_and_left_alone() {
    let folder = TempDir::new().unwrap();
    let directory = folder.path().join("node");
    let newer = Schema {
        kind: "nightshift node store",
        version: 9,
        ..Schema::NODE
    };
    drop(open(&directory, newer).unwrap());
    let error = reopen(&folder).unwrap_err();
    assert!(matches!(
        error,
        StoreError::NewerSchema {
            found: 9,
            known: 3,
            ..
        }
    ));
    assert!(error.to_string().contains("newer nightshift"));
    drop(open(&directory, newer).unwrap());
}

#[test]
fn an_index_is_not_taken_for_a_node_store() {
    let folder = TempDir::new().unwrap();
    drop(OperatorIndex::open(&folder.path().join("node")).unwrap());
    assert!(matches!(reopen(&folder), Err(StoreError::OtherKind { .. })));
}

#[tokio::test]
async fn an_unreadable_database_is_renamed_and_made_again_from_the_journal() {
    let folder = TempDir::new().unwrap();
    let directory = folder.path().join("node");
    put(&store(&folder), channel(1), 1).await.unwrap();
    for number in 1..=2 {
        std::fs::write(directory.join("db"), vec![0xff; 100_000]).unwrap();
        let (again, recovered) = reopen(&folder).unwrap();
        let aside = recovered.set_aside.unwrap();
        assert_eq!(
            aside.renamed_to,
            folder.path().join(format!("node.unreadable-{number}"))
        );
        assert!(aside.renamed_to.join("db").exists());
        assert_eq!(recovered.repaired, 1);
        assert_eq!(newest(&again, channel(1)), Some(1));
    }
}

#[tokio::test]
async fn a_database_that_was_deleted_or_is_older_is_brought_up_to_the_journal() {
    let folder = TempDir::new().unwrap();
    let directory = folder.path().join("node");
    put(&store(&folder), channel(1), 1).await.unwrap();
    copy(&directory, &folder.path().join("older"));
    let now = store(&folder);
    put(&now, channel(1), 2).await.unwrap();
    now.put_record(RecordKind::Lease, b"a", b"lease")
        .await
        .unwrap();
    drop(now);
    for older in [Some("older"), None] {
        std::fs::remove_dir_all(&directory).unwrap();
        if let Some(older) = older {
            copy(&folder.path().join(older), &directory);
        }
        let (again, recovered) = reopen(&folder).unwrap();
        assert_eq!(recovered.set_aside, None);
        assert!(recovered.repaired > 0);
        assert_eq!(newest(&again, channel(1)), Some(2));
        assert_eq!(again.count_vouchers(Direction::Received, channel(1)), 1);
        let lease = again.record(RecordKind::Lease, b"a").unwrap();
        assert_eq!(lease, Some(b"lease".to_vec()));
    }
}

#[tokio::test]
async fn a_journal_that_lacks_what_was_kept_stops_and_nothing_is_lost() {
    let folder = TempDir::new().unwrap();
    let (journal, older) = (
        folder.path().join("node.journal"),
        folder.path().join("older"),
    );
    put(&store(&folder), channel(1), 1).await.unwrap();
    copy(&journal, &older);
    put(&store(&folder), channel(1), 2).await.unwrap();
    std::fs::rename(&journal, folder.path().join("newer")).unwrap();
    copy(&older, &journal);
    let error = reopen(&folder).unwrap_err();
    assert!(matches!(error, StoreError::JournalBehind { .. }), "{error}");
    std::fs::remove_dir_all(&journal).unwrap();
    // What the message says to do.
    let (again, recovered) = reopen(&folder).unwrap();
    assert_eq!(recovered.without_journal, 1);
    assert_eq!(newest(&again, channel(1)), Some(2));
}

#[tokio::test]
async fn a_damaged_journal_stops_and_says_what_to_do() {
    let folder = TempDir::new().unwrap();
    let first = store(&folder);
    for sequence in 1..=3 {
        put(&first, channel(1), sequence).await.unwrap();
    }
    drop(first);
    let file = folder
        .path()
        .join("node.journal/00000000000000000000.journal");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, &bytes).unwrap();
    let told = reopen(&folder).unwrap_err().to_string();
    assert!(told.contains("journal is damaged"), "{told}");
    assert!(told.contains("move it away"), "{told}");
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
}

#[tokio::test]
async fn a_journal_of_another_chain_is_refused() {
    let folder = TempDir::new().unwrap();
    drop(store(&folder));
    let other = NodeStore::open(&folder.path().join("node"), &ChainId::from_bytes([9; 32]));
    assert!(matches!(
        other,
        Err(StoreError::Journal(LogError::OtherChain { .. }))
    ));
}

#[tokio::test]
async fn a_journal_that_grew_is_replaced_by_a_short_one_with_the_same_values() {
    let folder = TempDir::new().unwrap();
    let journal = folder.path().join("node.journal");
    let growing = store(&folder);
    put(&growing, channel(1), 1).await.unwrap();
    let value = vec![7; 1 << 20];
    for _ in 0..6 {
        growing
            .put_record(RecordKind::Run, b"run", &value)
            .await
            .unwrap();
    }
    put(&growing, channel(1), 2).await.unwrap();
    drop(growing);
    let files: Vec<_> = std::fs::read_dir(&journal)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 1, "{files:?}");
    let bytes = std::fs::metadata(&files[0]).unwrap().len();
    assert!(
        bytes < 4 << 20,
        "{bytes} bytes of the 6 MiB that were written"
    );
    // The database is made again from the short one.
    std::fs::remove_dir_all(folder.path().join("node")).unwrap();
    let again = store(&folder);
    assert_eq!(newest(&again, channel(1)), Some(2));
    assert_eq!(again.record(RecordKind::Run, b"run").unwrap(), Some(value));
}

#[test]
fn a_value_of_an_unknown_version_is_an_error() {
    let mut value = encode(&7u64).unwrap();
    assert_eq!(decode::<u64>(&value).unwrap(), 7);
    value[0] = 3;
    assert!(matches!(decode::<u64>(&value), Err(StoreError::Value(_))));
    assert!(matches!(decode::<u64>(&[]), Err(StoreError::Value(_))));
}

#[tokio::test]
async fn a_store_in_use_is_an_error_and_not_set_aside() {
    let folder = TempDir::new().unwrap();
    let _held = store(&folder);
    assert!(matches!(reopen(&folder), Err(StoreError::Io { .. })));
    assert!(!folder.path().join("node.unreadable-1").exists());
}

#[test]
fn a_value_that_changed_on_disk_is_an_error_and_not_another_value() {
    let mut value = encode(&7u64).unwrap();
    let last = value.len() - 1;
    value[last] ^= 1;
    let told = decode::<u64>(&value).unwrap_err().to_string();
    assert!(told.contains("check does not hold"), "{told}");
}
