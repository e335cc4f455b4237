//! Checks what a provider may announce.

use market::BlobHash;
use market::job::TrainSpec;

use super::*;

fn artefact(name: &str, bytes: u64) -> Artefact {
    Artefact {
        index: 0,
        name: name.to_owned(),
        hash: BlobHash::from_bytes([7; 32]),
        bytes,
    }
}

#[test]
fn outputs_beyond_the_jobs_limit_are_refused_in_sum() {
    let mut announced = Announced::new(100);
    assert_eq!(announced.admit(&artefact("a", 60)), Ok(()));
    let refused = Unwanted::TooMuch {
        announced: 101,
        limit: 100,
    };
    assert_eq!(announced.admit(&artefact("b", 41)), Err(refused));
    assert_eq!(announced.admit(&artefact("b", 40)), Ok(()));
    let huge = announced.admit(&artefact("c", u64::MAX));
    assert!(matches!(huge, Err(Unwanted::TooMuch { .. })));
}

#[test]
fn an_output_in_the_place_of_another_is_refused() {
    let mut announced = Announced::new(100);
    assert_eq!(announced.admit(&artefact("model/weights", 1)), Ok(()));
    for name in ["model/weights", "model", "model/weights/more"] {
        let refused = Err(Unwanted::Taken(name.to_owned()));
        assert_eq!(announced.admit(&artefact(name, 1)), refused);
    }
    assert_eq!(announced.admit(&artefact("model/weights2", 1)), Ok(()));
}

#[tokio::test]
async fn an_output_is_placed_whole_and_its_temporary_file_is_gone() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("blob");
    std::fs::write(&source, b"content").expect("the blob is written");
    let temporary = folder.path().join(".one.part");
    let path = folder.path().join("deep/model");
    place(&source, &temporary, &path)
        .await
        .expect("it is placed");
    assert_eq!(std::fs::read(&path).expect("it is there"), b"content");
    assert!(!temporary.exists());
}

fn snapshot(names: &[&str], delivered: &[u32]) -> Snapshot {
    let numbered = (0..).zip(names);
    Snapshot {
        phase: Phase::Closing,
        meter: market::agreement::Meter::default(),
        promised: market::Amount::ZERO,
        artefacts: numbered
            .map(|(index, name)| Artefact {
                index,
                ..artefact(name, 1)
            })
            .collect(),
        delivered: delivered.iter().copied().collect(),
        outcome: None,
        waits_for: None,
        proved_until: None,
        silent_since: None,
    }
}

#[test]
fn a_training_is_whole_with_its_model_and_all_that_was_announced() {
    let kind = JobKind::Train(TrainSpec::new("data.txt".parse().expect("a name")));
    let lacks = |names: &[&str], delivered: &[u32]| {
        missing(&kind, &snapshot(names, delivered)).unwrap_or_default()
    };
    assert!(lacks(&[], &[]).contains("config.json"));
    let model = ["config.json", "model.safetensors", "metrics.jsonl"];
    assert_eq!(lacks(&model, &[0, 1, 2]), "");
    assert!(lacks(&model, &[0, 1]).contains("metrics.jsonl"));
    assert!(lacks(&model[..1], &[0]).contains("model.safetensors"));
    let other = ["step-000001/config.json", "step-000001/model.safetensors"];
    assert!(lacks(&other, &[0, 1]).contains("no config.json"));
}

#[test]
fn a_fetch_that_is_under_way_already_is_no_lack_of_room() {
    let hash = BlobHash::from_bytes([7; 32]);
    let active = NotYet::Fetch(FetchError::Store(BlobError::Active(hash)));
    assert_eq!(active.news(), None);
    let (wanted, free) = (2, 1);
    let full = NotYet::Fetch(FetchError::Store(BlobError::Quota { wanted, free }));
    assert!(matches!(full.news(), Some(News::NoRoom(_))));
}
