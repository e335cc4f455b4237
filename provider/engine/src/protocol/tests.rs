//! Tests of the messages between agent and worker.

use proptest::prelude::{any, prop, proptest};

use super::*;

fn input(bytes: Vec<u8>) -> ToWorker {
    ToWorker::Input {
        name: "data.txt".parse().unwrap(),
        offset: 7,
        bytes: Blob(bytes),
        last: true,
    }
}

#[test]
fn messages_come_back_as_they_were() {
    for message in [
        ToWorker::Job(Blob(vec![1, 2, 3])),
        input(vec![0; 100]),
        ToWorker::Start,
    ] {
        assert_eq!(ToWorker::from_bytes(&message.to_bytes()), Ok(message));
    }
    let output = FromWorker::Output {
        name: "step-000100/model.safetensors".parse().unwrap(),
        offset: 1 << 40,
        bytes: Blob(vec![9; 10]),
        end: Some(BlobHash::of(b"x")),
    };
    let failed = FromWorker::Failed {
        reason: "no".to_owned(),
        cause: FailureCause::CardLost,
    };
    for message in [output, failed, FromWorker::Text(Blob(vec![0xff]))] {
        assert_eq!(FromWorker::from_bytes(&message.to_bytes()), Ok(message));
    }
}

#[test]
fn the_largest_piece_fits_into_a_frame_and_a_larger_one_does_not_decode() {
    let largest = input(vec![1; CHUNK_BYTES]).to_bytes();
    assert!(largest.len() <= MAX_FRAME_BYTES);
    assert_eq!(
        ToWorker::from_bytes(&largest),
        Ok(input(vec![1; CHUNK_BYTES]))
    );
    assert!(ToWorker::from_bytes(&input(vec![1; CHUNK_BYTES + 1]).to_bytes()).is_err());
}

#[test]
fn a_length_that_lies_is_refused_without_allocating_it() {
    let mut hostile = ToWorker::Job(Blob(vec![1, 2, 3])).to_bytes();
    let at = hostile.len() - 11;
    hostile[at..at + 8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(ToWorker::from_bytes(&hostile).is_err());
}

#[test]
fn names_that_leave_a_folder_do_not_decode() {
    let mut hostile = input(vec![1]).to_bytes();
    let at = hostile
        .windows(8)
        .position(|window| window == b"data.txt")
        .unwrap();
    hostile[at..at + 8].copy_from_slice(b"../a.txt");
    assert!(ToWorker::from_bytes(&hostile).is_err());
}

proptest! {
    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = ToWorker::from_bytes(&bytes);
        let _ = FromWorker::from_bytes(&bytes);
    }
}
