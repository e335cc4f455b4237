//! Tests of what arrives.

use super::*;
use crate::tests::session;

#[test]
fn what_the_device_holds_arrives_and_what_it_held_before_does_not_pass() {
    let Some(session) = session() else { return };
    let device = session.storage(BYTES).unwrap();
    let staging = session.download_staging(BYTES).unwrap();
    fill(&session, &device, 1).unwrap();
    fetch(&session, &device, &staging).unwrap();
    fill(&session, &device, 2).unwrap();
    let last = |bytes: &[u8]| *bytemuck::cast_slice::<u8, u32>(bytes).last().unwrap();
    let before = session.read_mapped(&staging, last).unwrap();
    assert_eq!(before, filled_word(WORDS - 1, 1));
    fetch(&session, &device, &staging).unwrap();
    let after = session.read_mapped(&staging, last).unwrap();
    assert_eq!(after, filled_word(WORDS - 1, 2));
}

#[test]
fn what_lies_in_the_hosts_memory_is_what_the_device_gets() {
    let Some(session) = session() else { return };
    let Some(host) = session.host_memory(BYTES).unwrap() else {
        eprintln!("skipped: this driver does not copy from memory that the host reads");
        return;
    };
    let device = session.storage(BYTES).unwrap();
    fill(&session, &device, 5).unwrap();
    let copy = |from: &wgpu::Buffer, to: &wgpu::Buffer| {
        session
            .run(|encoder| encoder.copy_buffer_to_buffer(from, 0, to, 0, BYTES))
            .unwrap();
    };
    copy(&device, &host);
    fill(&session, &device, 6).unwrap();
    copy(&host, &device);
    let last = session.read_words(&[(&device, BYTES - 4)]).unwrap();
    assert_eq!(last, [filled_word(WORDS - 1, 5)]);
}
