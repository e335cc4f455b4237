//! Tests of a checkpoint's names and of the job that goes on from one.

use super::*;
use crate::job::{Limits, TrainSpec};

fn content(byte: u8, bytes: u64) -> Content {
    Content {
        hash: BlobHash::from_bytes([byte; 32]),
        bytes,
    }
}

fn training() -> JobSpec {
    let data: ArtifactName = "data.txt".parse().unwrap();
    JobSpec {
        inputs: vec![Input::of(data.clone(), b"some text")],
        kind: JobKind::Train(TrainSpec::new(data)),
        limits: Limits::default(),
    }
}

#[test]
fn names_are_read_back_and_nothing_else_is() {
    for file in CheckpointFile::ALL {
        for step in [1, 100, 9_999_999] {
            let name = file.after(step);
            assert_eq!(CheckpointFile::parse(name.as_str()), Some((step, file)));
        }
    }
    assert_eq!(
        CheckpointFile::State.after(100).as_str(),
        "step-000100/training.safetensors"
    );
    for name in [
        "model.safetensors",
        "step-000100",
        "step-000100/other.bin",
        "step-100/model.safetensors",
        "step-+00100/model.safetensors",
        "step-0000100/model.safetensors",
        "step-99999999999/model.safetensors",
        "step-000100/x/model.safetensors",
    ] {
        assert_eq!(CheckpointFile::parse(name), None, "{name}");
    }
}

#[test]
fn a_job_that_goes_on_names_both_files_and_may_hold_them_in_memory() {
    let job = training();
    let resumed = job.resuming(content(1, 4_000), content(2, 8_000)).unwrap();
    let JobKind::Train(train) = &resumed.kind else {
        panic!("it still trains");
    };
    let resume = train.resume.as_ref().unwrap();
    assert_eq!(resumed.input(&resume.weights).unwrap().bytes, 4_000);
    assert_eq!(
        resumed.input(&resume.state).unwrap().hash,
        content(2, 0).hash
    );
    let more_memory = resumed.limits.memory_bytes - job.limits.memory_bytes;
    assert_eq!(more_memory, 12_000);
    assert_eq!(
        resumed.memory_bytes() - job.memory_bytes(),
        12_000,
        "what it needs and what it may use grow alike"
    );
}

#[test]
fn going_on_again_replaces_the_checkpoint() {
    let once = training().resuming(content(1, 1), content(2, 1)).unwrap();
    let twice = once.resuming(content(3, 1), content(4, 1)).unwrap();
    assert_eq!(twice.inputs.len(), 3);
}

#[test]
fn a_checkpoint_beyond_all_inputs_is_refused() {
    let huge = content(1, crate::job::MAX_INPUT_BYTES);
    assert!(training().resuming(huge, content(2, 1)).is_err());
}
