//! Tests of what is swept, and of what stays.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

#[test]
fn a_folder_is_its_owner_s_alone_and_goes_when_it_is_dropped() {
    let parent = tempfile::tempdir().unwrap();
    let made = PrivateFolder::make_in(parent.path(), "made-").unwrap();
    let mode = fs::metadata(made.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    fs::write(made.path().join("file"), "content").unwrap();
    drop(made);
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[test]
fn what_nobody_holds_is_swept_and_what_lives_or_has_another_name_stays() {
    let parent = tempfile::tempdir().unwrap();
    let alive = PrivateFolder::make_in(parent.path(), "made-").unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::create_dir_all(parent.path().join("made-dead/below")).unwrap();
    fs::create_dir(parent.path().join("else-dead")).unwrap();
    fs::write(parent.path().join("made-file"), "content").unwrap();
    symlink(elsewhere.path(), parent.path().join("made-link")).unwrap();
    let other = PrivateFolder::make_in(parent.path(), "made-").unwrap();
    assert!(!parent.path().join("made-dead").exists());
    for stays in ["else-dead", "made-file", "made-link"] {
        assert!(parent.path().join(stays).exists(), "{stays}");
    }
    assert!(elsewhere.path().exists());
    assert!(alive.path().exists() && other.path().exists());
}

/// Each sweeps while the others make theirs.
#[test]
fn those_who_make_folders_at_once_do_not_take_them_from_each_other() {
    let parent = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..500 {
                    let made = PrivateFolder::make_in(parent.path(), "mine-").unwrap();
                    fs::write(made.path().join("file"), "content").unwrap();
                }
            });
        }
    });
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
}
