//! The disk's room is the system's own figure, and a reserve above it stops what is new.

use super::*;

#[test]
fn a_reserve_above_what_is_free_takes_nothing_new_and_says_what_to_change() {
    let folder = tempfile::tempdir().unwrap();
    let free = free_bytes(folder.path()).unwrap();
    assert!(free > 0);
    check_room(folder.path(), 0, 0).unwrap();
    for (reserve, new) in [(u64::MAX, 0), (0, u64::MAX), (u64::MAX, u64::MAX)] {
        let told = check_room(folder.path(), reserve, new).unwrap_err();
        assert!(told.to_string().contains("disk.reserve_mib"), "{told}");
    }
}

#[test]
fn a_folder_that_is_gone_is_told() {
    let folder = tempfile::tempdir().unwrap().path().join("gone");
    assert!(matches!(
        free_bytes(&folder),
        Err(DiskError::Unknown { .. })
    ));
}
