//! Disks that are full or nearly so, and clearing what nobody needs.

use std::collections::BTreeSet;
use std::process::Command;

use super::*;
use crate::blobs::Swept;
use crate::blobs::usage::Coming;
use crate::disk::{self, DiskError};

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

/// A blob that nobody has, of a part of the room that the disk has.
fn wanted(name: &[u8], folder: &Path, tenths: u64) -> Coming {
    let free = disk::free_bytes(folder).unwrap();
    Coming::Fetch(BlobHash::of(name), free / 10 * tenths)
}

#[test]
fn what_was_promised_to_one_fetch_is_not_promised_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let store = BlobStore::open(folder.path(), u64::MAX).unwrap();
    store.make_room(wanted(b"one", folder.path(), 6)).unwrap();
    let error = store.make_room(wanted(b"other", folder.path(), 6));
    assert!(matches!(error, Err(BlobError::Room(_))), "{error:?}");
    // What has arrived of the first is on the disk and not promised any more.
    let arrived = store.partial(BlobHash::of(b"one"));
    let Coming::Fetch(_, bytes) = wanted(b"one", folder.path(), 6) else {
        unreachable!("it is a fetch");
    };
    fs::File::create(arrived).unwrap().set_len(bytes).unwrap();
    store.make_room(wanted(b"other", folder.path(), 6)).unwrap();
}

#[test]
fn a_fetch_that_goes_on_needs_room_for_the_rest_alone_and_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    drop(store(folder.path()));
    let partial = |name: &[u8]| {
        let name = format!("{}.part", BlobHash::of(name));
        folder.path().join("incoming").join(name)
    };
    // Nine tenths of a disk are there already; a file with a hole takes no space.
    let Coming::Fetch(_, bytes) = wanted(b"", folder.path(), 9) else {
        unreachable!("it is a fetch");
    };
    for name in [b"own", b"old"] {
        let file = fs::File::create(partial(name)).unwrap();
        file.set_len(bytes).unwrap();
    }
    let store = BlobStore::open(folder.path(), u64::MAX).unwrap();
    let mine = wanted(b"own", folder.path(), 16);
    store.make_room(mine).unwrap();
    assert!(partial(b"old").exists() && partial(b"own").exists());
    let again = store.make_room(mine);
    assert!(matches!(again, Err(BlobError::Active(_))), "{again:?}");
    // Where even that does not fit, others make room and the own part stays.
    store.usage().end_fetch(BlobHash::of(b"own"), bytes);
    let error = store.make_room(wanted(b"own", folder.path(), 25));
    assert!(matches!(error, Err(BlobError::Room(_))), "{error:?}");
    assert!(!partial(b"old").exists() && partial(b"own").exists());
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
