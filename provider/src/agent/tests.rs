//! Tests of what is taken of a worker's outputs.

use super::*;

#[test]
fn as_many_outputs_are_taken_as_a_lease_takes_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let mut collector = Collector {
        blobs: BlobStore::open(&folder.path().join("blobs"), 1 << 20).unwrap(),
        scratch: folder.path().join("output.part"),
        limit: 1 << 20,
        total: 0,
        outputs: MAX_ARTEFACTS - 1,
        open: None,
    };
    let mut piece = |name: &str| {
        let piece = Piece {
            name: name.parse().unwrap(),
            offset: 0,
            end: Some(BlobHash::of(b"content")),
        };
        collector.piece(piece, b"content")
    };
    assert!(matches!(
        piece("last"),
        Ok(Some(WorkerEvent::Output { .. }))
    ));
    let refused = piece("beyond");
    assert!(
        matches!(refused, Err(AgentError::Protocol(_))),
        "{refused:?}"
    );
}
