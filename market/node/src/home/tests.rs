//! Which folders are used as they are found.

use std::os::unix::fs::{PermissionsExt, symlink};

use super::*;

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the mode is set");
}

#[test]
fn a_home_that_everyone_can_write_to_is_refused_with_the_command_that_mends_it() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("home");
    Home::at(root.clone()).unwrap();
    set_mode(&root, 0o755);
    Home::at(root.clone()).unwrap();
    set_mode(&root, 0o777);
    let error = Home::at(root).unwrap_err();
    assert!(matches!(error, HomeError::Open { mode: 0o777, .. }));
    assert!(error.to_string().contains("chmod 700"), "{error}");
}

#[test]
fn a_prepared_socket_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("long".repeat(40))).unwrap();
    let socket = home.socket().unwrap();
    let private = socket.parent().unwrap();
    assert!(!socket.starts_with(home.path()));
    set_mode(private, 0o755);
    assert!(matches!(home.socket(), Err(HomeError::Open { .. })));
    fs::remove_dir(private).unwrap();
    symlink(folder.path(), private).unwrap();
    assert!(home.socket().is_err());
    fs::remove_file(private).unwrap();
}

#[test]
fn a_home_in_use_says_by_which_process_and_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("home")).unwrap();
    assert_eq!(home.holder().unwrap(), Holder::Nobody);
    let held = home.lock().unwrap();
    let own = std::process::id();
    assert_eq!(home.holder().unwrap(), Holder::Process(Some(own)));
    let told = home.lock().unwrap_err().to_string();
    assert!(told.contains(&format!("process {own}")), "{told}");
    assert!(told.contains(&format!("kill {own}")), "{told}");
    drop(held);
    assert_eq!(home.holder().unwrap(), Holder::Nobody);
    home.lock().unwrap();
}

#[test]
fn a_home_is_taken_also_where_the_disk_has_no_room_for_the_process_id() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("home")).unwrap();
    // Nothing can be written there.
    symlink("/dev/full", home.path().join("nightshift.lock")).unwrap();
    let lock = home.lock().unwrap();
    assert!(matches!(home.holder().unwrap(), Holder::Process(None)));
    drop(lock);
    assert!(matches!(home.holder().unwrap(), Holder::Nobody));
}
