//! The store, the proof of parts, and transfers between real swarms, honest and not.

mod room;
mod transfer;

use std::fs;
use std::path::Path;

use market::{BlobHash, NodeId};
use proptest::prelude::*;

use super::verify::{self, Rejection};
use super::*;

const QUOTA: u64 = 64 << 20;

/// Bytes that differ everywhere, so that no two groups are equal.
fn content(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    let mut output = blake3::Hasher::new().finalize_xof();
    output.fill(&mut bytes);
    bytes
}

fn store(folder: &Path) -> BlobStore {
    BlobStore::open(folder, QUOTA).unwrap()
}

fn range(hash: BlobHash, start: u64, length: u32) -> BlobRequest {
    BlobRequest::Range {
        hash,
        start,
        length,
    }
}

#[test]
fn an_imported_blob_is_named_by_its_hash_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let bytes = content(100_000);
    let blob = store.import_bytes(&bytes).unwrap();
    assert_eq!(blob.hash, BlobHash::of(&bytes));
    assert_eq!((blob.size, store.size(blob.hash)), (100_000, Some(100_000)));
    assert_eq!(store.read(blob.hash, 100_000).unwrap(), bytes);
    let name = blob.hash.to_string();
    let expected = folder
        .path()
        .join("objects")
        .join(&name[..2])
        .join(&name[2..]);
    assert_eq!(store.path(blob.hash), Some(expected));
    assert!(matches!(
        store.read(blob.hash, 99_999),
        Err(BlobError::TooLarge { size: 100_000, .. })
    ));
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_open_a_blob() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let blob = store.import_bytes(&content(50_000)).unwrap();
    let path = store.path(blob.hash).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&path.with_extension("obao")), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
}

#[test]
fn a_file_and_the_same_bytes_are_one_blob_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder.path().join("store"));
    let source = folder.path().join("source");
    fs::write(&source, content(70_000)).unwrap();
    let from_path = store.import_path(&source).unwrap();
    let from_bytes = store.import_bytes(&content(70_000)).unwrap();
    assert_eq!(from_path, from_bytes);
    assert_eq!(store.total_bytes(), 70_000);
    let reopened = BlobStore::open(&folder.path().join("store"), QUOTA).unwrap();
    assert_eq!(reopened.total_bytes(), 70_000);
    assert!(store.remove(from_path.hash).unwrap());
    assert!(!store.remove(from_path.hash).unwrap());
    assert_eq!((store.total_bytes(), store.has(from_path.hash)), (0, false));
}

#[test]
fn the_quota_is_never_passed() {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::open(folder.path(), 100_000).unwrap();
    store.import_bytes(&content(60_000)).unwrap();
    let result = store.import_bytes(&content(40_001));
    assert!(matches!(
        result,
        Err(BlobError::Quota {
            wanted: 40_001,
            free: 40_000
        })
    ));
    store.import_bytes(&content(40_000)).unwrap();
    assert_eq!(store.total_bytes(), 100_000);
}

#[test]
fn what_a_stopped_import_left_is_cleared_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    drop(store(folder.path()));
    let left = folder.path().join("incoming").join("import-3");
    fs::write(&left, b"half").unwrap();
    drop(store(folder.path()));
    assert!(!left.exists());
}

#[test]
fn a_part_is_given_only_to_a_node_it_was_shared_with() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let blob = store.import_bytes(&content(40_000)).unwrap();
    let (friend, other) = (NodeId::from_bytes([1; 32]), NodeId::from_bytes([2; 32]));
    let permissions = Permissions::new();
    let whole = range(blob.hash, 0, 40_000);
    assert_eq!(
        store.answer(&whole, friend, &permissions),
        BlobResponse::NotShared
    );
    permissions.share(blob.hash, friend);
    assert!(matches!(
        store.answer(&whole, friend, &permissions),
        BlobResponse::Range(_)
    ));
    assert_eq!(
        store.answer(&whole, other, &permissions),
        BlobResponse::NotShared
    );
    // One that was shared but is not here looks the same.
    let missing = BlobHash::of(b"missing");
    permissions.share(missing, friend);
    let answer = store.answer(&range(missing, 0, 1), friend, &permissions);
    assert_eq!(answer, BlobResponse::NotShared);
    permissions.unshare(blob.hash, friend);
    assert_eq!(
        store.answer(&whole, friend, &permissions),
        BlobResponse::NotShared
    );
}

#[test]
fn a_blob_that_two_leases_share_with_a_node_is_shared_until_both_are_over() {
    let (hash, node) = (BlobHash::of(b"an input"), NodeId::from_bytes([1; 32]));
    let permissions = Permissions::new();
    permissions.share(hash, node);
    permissions.share(hash, node);
    permissions.unshare(hash, node);
    assert!(permissions.allows(hash, node) && permissions.is_shared(hash));
    permissions.unshare(hash, node);
    assert!(!permissions.allows(hash, node) && !permissions.is_shared(hash));
    permissions.unshare(hash, node);
    assert!(!permissions.allows(hash, node));
}

#[test]
fn a_part_must_lie_in_the_blob_and_be_cut_at_groups() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let blob = store.import_bytes(&content(3 << 20)).unwrap();
    let node = NodeId::from_bytes([1; 32]);
    let permissions = Permissions::new();
    permissions.share(blob.hash, node);
    for (start, length) in [
        (0, 0),
        (1, 16_384),
        (0, 16_383),
        (0, MAX_RANGE_BYTES + 16_384),
        (3 << 20, 1),
        (0, u32::MAX),
        (u64::MAX - 16_383, 16_384),
    ] {
        let answer = store.answer(&range(blob.hash, start, length), node, &permissions);
        assert_eq!(answer, BlobResponse::BadRange, "{start} {length}");
    }
    let last = range(blob.hash, (3 << 20) - 16_384, 16_384);
    assert!(matches!(
        store.answer(&last, node, &permissions),
        BlobResponse::Range(_)
    ));
}

#[test]
fn a_blob_that_is_damaged_on_disk_is_neither_read_nor_served() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let blob = store.import_bytes(&content(40_000)).unwrap();
    let path = store.path(blob.hash).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    bytes[20_000] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(matches!(
        store.read(blob.hash, QUOTA),
        Err(BlobError::Damaged(_))
    ));
    let node = NodeId::from_bytes([1; 32]);
    let permissions = Permissions::new();
    permissions.share(blob.hash, node);
    let answer = store.answer(&range(blob.hash, 0, 40_000), node, &permissions);
    assert_eq!(answer, BlobResponse::Unreadable);
}

/// Encodes a part of a stored blob.
fn encoded(store: &BlobStore, blob: Blob, part: &std::ops::Range<u64>) -> Vec<u8> {
    let (_, data, tree) = store.open_object(blob.hash).unwrap();
    verify::encode(blob, part, &data, &tree).unwrap()
}

fn decoded(blob: Blob, part: &std::ops::Range<u64>, bytes: &[u8]) -> Result<Vec<u8>, Rejection> {
    let mut collected = Vec::new();
    verify::decode(blob, part, bytes, &mut |offset, piece| {
        assert_eq!(offset, part.start + collected.len() as u64);
        collected.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(collected)
}

#[test]
fn every_part_of_blobs_of_every_shape_checks_and_adds_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    for size in [
        1usize, 1_024, 16_383, 16_384, 16_385, 49_152, 1_048_576, 1_048_577, 2_500_000,
    ] {
        let bytes = content(size);
        let blob = store.import_bytes(&bytes).unwrap();
        let mut whole = Vec::new();
        let mut start = 0;
        while start < blob.size {
            let part = start..(start + u64::from(MAX_RANGE_BYTES)).min(blob.size);
            let encoded = encoded(&store, blob, &part);
            assert!(encoded.len() + 64 <= MAX_RESPONSE_BYTES);
            whole.extend(decoded(blob, &part, &encoded).unwrap());
            start = part.end;
        }
        assert!(whole == bytes, "size {size}");
    }
}

#[test]
fn a_part_with_any_byte_changed_missing_or_added_is_corrupt() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let blob = store.import_bytes(&content(100_000)).unwrap();
    let part = 32_768..98_304;
    let good = encoded(&store, blob, &part);
    assert!(decoded(blob, &part, &good).is_ok());
    for position in (0..good.len()).step_by(61) {
        let mut bad = good.clone();
        bad[position] ^= 0x10;
        assert!(
            matches!(decoded(blob, &part, &bad), Err(Rejection::Corrupt)),
            "{position}"
        );
    }
    for cut in [0, 1, good.len() / 2, good.len() - 1] {
        assert!(matches!(
            decoded(blob, &part, &good[..cut]),
            Err(Rejection::Corrupt)
        ));
    }
    let longer = [good.as_slice(), &[0]].concat();
    assert!(matches!(
        decoded(blob, &part, &longer),
        Err(Rejection::Corrupt)
    ));
    let elsewhere = 16_384..81_920;
    assert!(matches!(
        decoded(blob, &elsewhere, &good),
        Err(Rejection::Corrupt)
    ));
}

#[test]
fn a_wrong_size_is_found_out_with_the_last_part_at_the_latest() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path());
    let blob = store.import_bytes(&content(40_000)).unwrap();
    let last = encoded(&store, blob, &(32_768..40_000));
    for size in [39_999, 40_001, 80_000] {
        let claimed = Blob { size, ..blob };
        let result = decoded(claimed, &(32_768..size), &last);
        assert!(matches!(result, Err(Rejection::Corrupt)), "{size}");
    }
}

#[test]
fn range_bytes_have_the_wire_form_of_a_list_of_bytes() {
    let bytes = vec![1u8, 2, 3];
    let encoded = market::wire::encode(&RangeBytes(bytes.clone()));
    assert_eq!(encoded, market::wire::encode(&bytes));
    let decoded: RangeBytes = market::wire::decode(&encoded, 64).unwrap();
    assert_eq!(decoded.0, bytes);
}

proptest! {
    #[test]
    fn any_bytes_are_checked_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..4_000), size in 1u64..200_000) {
        let blob = Blob { hash: BlobHash::of(b"something else"), size };
        prop_assert!(decoded(blob, &(0..size.min(32_768)), &bytes).is_err());
    }
}
