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
fn what_is_uploaded_is_what_the_device_holds() {
    let Some(session) = session() else { return };
    let words: Vec<u32> = (0..1_024).collect();
    let device = session.storage(4_096).unwrap();
    session
        .upload(&device, bytemuck::cast_slice(&words), 3)
        .unwrap();
    assert_eq!(
        session
            .read_words(&[(&device, 4_092), (&device, 0)])
            .unwrap(),
        [1_023, 0]
    );
}
