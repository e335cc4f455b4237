//! Tests of the rotated log file.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::RotatingFile;

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn a_full_file_is_set_aside_and_the_oldest_goes() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = RotatingFile::open(folder.path().join("log"), 10, 3).unwrap();
    for line in ["first 1\n", "second\n", "third 3\n", "fourth\n", "5\n"] {
        log.write_all(line.as_bytes()).unwrap();
    }
    assert_eq!(names(folder.path()), ["log", "log.1", "log.2"]);
    assert_eq!(read(folder.path(), "log.2"), "second\n");
    assert_eq!(read(folder.path(), "log.1"), "third 3\n");
    assert_eq!(read(folder.path(), "log"), "fourth\n5\n");
}

#[test]
fn one_file_alone_begins_anew() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = RotatingFile::open(folder.path().join("log"), 8, 1).unwrap();
    log.write_all(b"1234567\n").unwrap();
    log.write_all(b"next\n").unwrap();
    assert_eq!(names(folder.path()), ["log"]);
    assert_eq!(read(folder.path(), "log"), "next\n");
}

#[test]
fn a_restart_goes_on_where_the_file_ends_and_nobody_else_may_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    for line in ["one\n", "two\n", "three\n"] {
        let mut log = RotatingFile::open(path.clone(), 9, 2).unwrap();
        log.write_all(line.as_bytes()).unwrap();
    }
    assert_eq!(read(folder.path(), "log.1"), "one\ntwo\n");
    assert_eq!(read(folder.path(), "log"), "three\n");
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn two_processes_that_share_a_file_set_it_aside_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log");
    let mut first = RotatingFile::open(path.clone(), 12, 3).unwrap();
    let mut second = RotatingFile::open(path, 12, 3).unwrap();
    first.write_all(b"first 12345\n").unwrap();
    second.write_all(b"second\n").unwrap();
    first.write_all(b"first again\n").unwrap();
    second.write_all(b"after\n").unwrap();
    assert_eq!(names(folder.path()), ["log", "log.1"]);
    assert_eq!(read(folder.path(), "log.1"), "first 12345\nsecond\n");
    assert_eq!(read(folder.path(), "log"), "first again\nafter\n");
}

#[test]
fn lines_that_a_full_disk_refuses_are_counted_and_told() {
    let folder = tempfile::tempdir().unwrap();
    // Every write to this device fails as it does on a full disk.
    let mut log = RotatingFile::open("/dev/full".into(), 1 << 20, 2).unwrap();
    log.write_all(b"12345678\n").unwrap();
    assert_eq!(log.lost_bytes, 9);
    let freed = RotatingFile::open(folder.path().join("log"), 1 << 20, 2).unwrap();
    log.file = freed.file;
    log.write_all(b"space again\n").unwrap();
    let text = read(folder.path(), "log");
    assert_eq!(
        text,
        "9 bytes of log were lost: they could not be written\nspace again\n"
    );
}
