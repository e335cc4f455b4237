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
    let (store, aside) = NodeStore::open(&folder.path().join("node")).unwrap();
    assert_eq!(aside, None);
    store
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
    };
    drop(open(&directory, newer).unwrap());
    let error = NodeStore::open(&directory).unwrap_err();
    assert!(matches!(
        error,
        StoreError::NewerSchema {
            found: 9,
            known: 2,
            ..
        }
    ));
    assert!(error.to_string().contains("newer nightshift"));
    drop(open(&directory, newer).unwrap());
}

#[test]
fn an_index_is_not_taken_for_a_node_store() {
    let folder = TempDir::new().unwrap();
    drop(OperatorIndex::open(folder.path()).unwrap());
    assert!(matches!(
        NodeStore::open(folder.path()),
        Err(StoreError::OtherKind { .. })
    ));
}

#[tokio::test]
async fn an_unreadable_store_is_renamed_and_a_fresh_one_begun() {
    let folder = TempDir::new().unwrap();
    let directory = folder.path().join("node");
    put(&store(&folder), channel(1), 1).await.unwrap();
    for number in 1..=2 {
        std::fs::write(directory.join("db"), vec![0xff; 100_000]).unwrap();
        let (fresh, aside) = NodeStore::open(&directory).unwrap();
        let aside = aside.unwrap();
        assert_eq!(
            aside.renamed_to,
            folder.path().join(format!("node.unreadable-{number}"))
        );
        assert!(aside.renamed_to.join("db").exists());
        assert_eq!(
            fresh
                .latest_voucher(Direction::Received, channel(1))
                .unwrap(),
            None
        );
    }
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
    assert!(matches!(
        NodeStore::open(&folder.path().join("node")),
        Err(StoreError::Io { .. })
    ));
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
