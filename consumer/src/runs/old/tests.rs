//! Tests of how many old runs stay.

use super::*;

#[test]
fn the_newest_thousand_stay_if_their_folders_are_small() {
    assert_eq!(kept_of(&[]), 0);
    assert_eq!(kept_of(&[10; 999]), 999);
    assert_eq!(kept_of(&[10; 1_001]), 1_000);
}

#[test]
fn no_more_stay_than_have_room_together() {
    let half = MAX_BYTES / 2;
    assert_eq!(kept_of(&[half, half, 1]), 2);
    assert_eq!(
        kept_of(&[half, half + 1, 1]),
        1,
        "the older ones go with it"
    );
    assert_eq!(kept_of(&[u64::MAX, u64::MAX]), 0);
}

#[test]
fn a_folder_counts_its_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("events.ndjson"), [b'x'; 300]).unwrap();
    std::fs::write(folder.path().join("step-000100.training"), [b'x'; 700]).unwrap();
    assert_eq!(folder_bytes(folder.path()), 1_000);
    assert_eq!(folder_bytes(&folder.path().join("missing")), 0);
}
