//! Disks that are full or nearly so, and clearing what nobody needs.

use std::collections::BTreeSet;
use std::process::Command;

use super::*;
use crate::blobs::Swept;
use crate::disk::DiskError;

/// Names the folder of a small disk to the process that runs on it.
const SMALL_DISK: &str = "NIGHTSHIFT_TEST_SMALL_DISK";

#[test]
fn below_its_reserve_the_store_takes_nothing_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::open_beside_reserve(folder.path(), QUOTA, 1 << 60).unwrap();
    let error = store.import_bytes(b"anything").unwrap_err();
    assert!(
        matches!(error, BlobError::Room(DiskError::Low { .. })),
        "{error:?}"
    );
    assert!(error.to_string().contains("disk.reserve_mib"), "{error}");
    assert_eq!(store.total_bytes(), 0);
}

/// Tells which files there are below a folder.
fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// Fills a disk of a mebibyte and makes room again.
fn fill(disk: &Path) {
    let store = store(disk);
    let small = store.import_bytes(&content(200_000)).unwrap();
    let error = store.import_bytes(&content(3_000_000)).unwrap_err();
    // The check before refuses what is known not to fit.
    assert!(matches!(error, BlobError::Room(_)), "{error:?}");
    // What grows while it is written meets the end of the disk itself.
    let ballast = disk.join("ballast");
    fs::write(&ballast, vec![0; 500_000]).unwrap();
    let grown = disk.join("incoming").join("import-99");
    let result = fs::write(&grown, vec![1; 900_000]);
    let full = store::io_error("write", &grown)(result.unwrap_err());
    assert!(matches!(full, BlobError::DiskFull(_)), "{full:?}");
    drop(store);
    let store = super::store(disk);
    assert_eq!(files(&disk.join("incoming")), Vec::<String>::new());
    assert_eq!(store.read(small.hash, QUOTA).unwrap(), content(200_000));
    fs::remove_file(&ballast).unwrap();
    let bytes = vec![7; 300_000];
    let blob = store.import_bytes(&bytes).unwrap();
    assert_eq!(store.read(blob.hash, QUOTA).unwrap(), bytes);
}

#[test]
fn a_full_disk_costs_what_was_coming_in_and_nothing_else() {
    if let Some(disk) = std::env::var_os(SMALL_DISK) {
        fill(Path::new(&disk));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=1m small \"$0\" 2>/dev/null || exit 77; exec \"$@\"";
    let name = "blobs::tests::room::a_full_disk_costs_what_was_coming_in_and_nothing_else";
    let run = Command::new("unshare")
        .args(["--mount", "sh", "-c", mount])
        .arg(folder.path())
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", name])
        .env(SMALL_DISK, folder.path())
        .output();
    match run {
        Ok(output) if output.status.success() => {}
        Ok(output) if matches!(output.status.code(), Some(1 | 77)) => {
            println!("skipped: this user may not mount a small disk");
        }
        Ok(output) => panic!("{}", String::from_utf8_lossy(&output.stdout)),
        Err(error) => println!("skipped: no unshare here ({error})"),
    }
}

#[test]
fn a_sweep_keeps_what_is_needed_and_removes_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let needed = store(folder.path()).import_bytes(&content(50_000)).unwrap();
    let left = store(folder.path()).import_bytes(&content(70_000)).unwrap();
    let incoming = folder.path().join("incoming");
    let (wanted, forgotten) = (BlobHash::of(b"wanted"), BlobHash::of(b"forgotten"));
    for hash in [wanted, forgotten] {
        fs::write(incoming.join(format!("{hash}.part")), b"some").unwrap();
    }
    let store = store(folder.path());
    let swept = store.sweep(&BTreeSet::from([needed.hash, wanted])).unwrap();
    let expected = Swept {
        blobs: 1,
        bytes: 70_000,
        partials: 1,
    };
    assert_eq!(swept, expected);
    assert!(store.has(needed.hash) && !store.has(left.hash));
    assert_eq!(store.total_bytes(), 50_000);
    assert_eq!(files(&incoming), [format!("{wanted}.part")]);
}
