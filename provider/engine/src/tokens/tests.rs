//! Tests of the gate for token ids.

use super::*;

#[test]
fn ids_outside_the_vocabulary_are_refused_with_their_place() {
    for hostile in [256, 257, i32::MAX as u32, i32::MAX as u32 + 1, u32::MAX] {
        let refused = TokenBatch::new(&[1, 255, hostile, 3], 2, 256);
        let expected = TokenError::OutOfRange {
            token: hostile,
            position: 2,
            vocabulary: 256,
        };
        assert_eq!(refused, Err(expected));
    }
}

#[test]
fn ids_must_fill_rows() {
    assert!(matches!(
        TokenBatch::new(&[1, 2, 3], 2, 256),
        Err(TokenError::Ragged { .. })
    ));
    assert!(matches!(
        TokenBatch::new(&[], 2, 256),
        Err(TokenError::Ragged { .. })
    ));
    assert!(matches!(
        TokenBatch::new(&[1], 0, 256),
        Err(TokenError::Ragged { .. })
    ));
}

#[test]
fn ids_are_uploaded_row_after_row() {
    let batch = TokenBatch::new(&[1, 2, 3, 255, 0, 6], 3, 256).unwrap();
    let uploaded = batch.upload(&Device::flex());
    assert_eq!(uploaded.dims(), [2, 3]);
    let values: Vec<i64> = uploaded.into_data().iter::<i64>().collect();
    assert_eq!(values, [1, 2, 3, 255, 0, 6]);
}
