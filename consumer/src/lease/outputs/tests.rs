//! Checks what a provider may announce.

use market::BlobHash;

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
