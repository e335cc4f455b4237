//! Tests of the header's reader, with the test's own program and with files that lie.

use std::io::Cursor;

use super::*;

/// A program with one segment, which names `loader`, said to be `length` bytes long.
fn program(loader: &[u8], length: u64) -> Vec<u8> {
    let mut file = vec![0; HEADER_BYTES + SEGMENT_BYTES];
    file[..6].copy_from_slice(b"\x7fELF\x02\x01");
    file[18..20].copy_from_slice(&this_machine().unwrap_or_default().to_le_bytes());
    file[32..40].copy_from_slice(&(HEADER_BYTES as u64).to_le_bytes());
    file[54..56].copy_from_slice(&56_u16.to_le_bytes());
    file[56..58].copy_from_slice(&1_u16.to_le_bytes());
    let segment = &mut file[HEADER_BYTES..];
    segment[..4].copy_from_slice(&PT_INTERP.to_le_bytes());
    let place = (HEADER_BYTES + SEGMENT_BYTES) as u64;
    segment[8..16].copy_from_slice(&place.to_le_bytes());
    segment[32..40].copy_from_slice(&length.to_le_bytes());
    file.extend_from_slice(loader);
    file
}

fn read(file: Vec<u8>) -> Result<Option<PathBuf>, ElfError> {
    interpreter(&mut Cursor::new(file))
}

#[test]
fn the_loader_of_a_program_is_read_from_its_header() {
    let found = read(program(b"/lib/ld.so\0", 11)).unwrap();
    assert_eq!(found, Some(PathBuf::from("/lib/ld.so")));
}

#[cfg(target_os = "linux")]
#[test]
fn this_test_has_a_loader_or_is_static() {
    let mut file = File::open("/proc/self/exe").unwrap();
    if let Some(loader) = interpreter(&mut file).unwrap() {
        assert!(check(&loader).is_ok(), "{}", loader.display());
    }
}

#[test]
fn a_program_without_a_loader_has_none() {
    let mut file = program(b"/lib/ld.so\0", 11);
    file[HEADER_BYTES..HEADER_BYTES + 4].copy_from_slice(&1_u32.to_le_bytes());
    assert_eq!(read(file).unwrap(), None);
}

#[test]
fn a_loader_without_an_absolute_name_is_refused() {
    for (name, length) in [
        (&b"ld.so\0"[..], 6),
        (b"/lib/ld.so", 10),
        (b"/lib/ld.so\0", 12),
        (b"/lib\0/ld.so\0", 12),
        (b"\0", 1),
        (b"/lib/\xff\0", 7),
        (b"/lib/ld.so\0", u64::MAX),
    ] {
        assert!(read(program(name, length)).is_err(), "{name:?} {length}");
    }
}

#[test]
fn whatever_is_cut_off_or_turned_over_is_refused_or_read_within_bounds() {
    let whole = program(b"/lib/ld.so\0", 11);
    for length in 0..whole.len() {
        assert!(read(whole[..length].to_vec()).is_err(), "{length} bytes");
    }
    for place in 0..whole.len() {
        let mut file = whole.clone();
        file[place] ^= 0xff;
        // Either answer will do; what it must not do is panic, or read without end.
        let _ = read(file);
    }
}

#[test]
fn other_files_are_no_libraries() {
    assert!(check(Path::new("/")).is_err(), "a folder");
    assert!(check(Path::new("/dev/null")).is_err(), "a device");
    assert!(check(Path::new("/no/such/file")).is_err());
    let mut other = program(b"/lib/ld.so\0", 11);
    other[18] ^= 1;
    assert!(read(other).is_err(), "another processor");
}
