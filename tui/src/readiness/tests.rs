//! Tests of what the manager hears.

use std::os::unix::net::UnixDatagram;

use super::send;

#[test]
fn the_manager_hears_the_message() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    send(path.as_os_str().as_encoded_bytes(), "READY=1").unwrap();
    let mut heard = [0; 16];
    let length = manager.recv(&mut heard).unwrap();
    assert_eq!(&heard[..length], b"READY=1");
    assert!(send(b"/nowhere", "READY=1").is_err());
}
