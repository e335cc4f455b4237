//! A passphrase file is taken as it is meant, or refused in words.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

fn told(content: &[u8], mode: u32) -> Result<Passphrase, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passphrase");
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    read(&path).map_err(|error| format!("{error:#}"))
}

#[test]
fn the_only_line_of_a_private_file_is_the_passphrase() {
    let wanted = Passphrase::new(Zeroizing::new("two words ".to_owned())).unwrap();
    for content in ["two words ", "two words \n", "two words \r\n"] {
        assert_eq!(told(content.as_bytes(), 0o600).as_ref(), Ok(&wanted));
    }
    assert_eq!(told(b"two words ", 0o400), Ok(wanted));
}

#[test]
fn a_file_that_cannot_be_meant_is_refused_in_words() {
    for (content, mode, part) in [
        (&b"secret\n"[..], 0o644, "run: chmod 600"),
        (b"", 0o600, "holds no passphrase"),
        (b"\n", 0o600, "is empty"),
        (b"one\ntwo\n", 0o600, "more than one line"),
        (&[b'a'; MAX_BYTES + 1], 0o600, "more than 4096 bytes"),
        (&[0xff, 0xfe], 0o600, "UTF-8"),
    ] {
        let error = told(content, mode).unwrap_err();
        assert!(error.contains(part), "{part}: {error}");
    }
    let error = read(Path::new("/nowhere/at-all")).unwrap_err();
    assert!(
        format!("{error:#}").contains("/nowhere/at-all"),
        "{error:#}"
    );
}
