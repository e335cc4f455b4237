//! Tests of the limits of lengths.

use super::*;

#[test]
fn shapes_out_of_range_are_refused() {
    for (rows, columns, depth) in [(0, 1, 4), (1, 0, 4), (1, 1, 0), (1, 1, 6), (1 << 21, 1, 4)] {
        assert!(Shape::new(rows, columns, depth).is_err());
    }
    let largest = Shape::new(1 << 20, 1 << 20, 1 << 20).unwrap();
    assert_eq!(largest.operations(), 1 << 61);
}
