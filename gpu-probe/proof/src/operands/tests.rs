//! Tests of the operands and of the order that an entry's sum has.

use super::*;

fn operands() -> Operands {
    Operands::new(&Seed::derive(b"tests"))
}

#[test]
fn elements_reach_both_limits_and_never_pass_them() {
    assert_eq!(element(0), -OPERAND_LIMIT);
    assert_eq!(element(u32::MAX), OPERAND_LIMIT);
    let elements = (0..2_000).flat_map(|block| operands().block(Matrix::Left, 3, block));
    let (mut low, mut high, mut sum) = (0, 0, 0_i64);
    for value in elements {
        low = low.min(value);
        high = high.max(value);
        sum += i64::from(value);
    }
    assert!((-OPERAND_LIMIT..-4_080).contains(&low), "{low}");
    assert!((4_080..=OPERAND_LIMIT).contains(&high), "{high}");
    assert!(sum.abs() < 8_000 * 150, "the mean is far from zero: {sum}");
}

#[test]
fn lines_blocks_matrices_and_seeds_all_matter() {
    let base = operands().block(Matrix::Left, 1, 2);
    assert_ne!(base, operands().block(Matrix::Right, 1, 2));
    assert_ne!(base, operands().block(Matrix::Left, 2, 1));
    assert_ne!(base, operands().block(Matrix::Left, 1, 3));
    let other = Operands::new(&Seed::derive(b"other"));
    assert_ne!(base, other.block(Matrix::Left, 1, 2));
}

#[test]
fn the_largest_product_is_exact_in_fp32() {
    let largest = OPERAND_LIMIT * OPERAND_LIMIT;
    assert!(largest < 1 << 24);
    assert_eq!((largest as f32) as i32, largest);
}

/// The terms of one entry in order.
fn terms(operands: &Operands, shape: Shape, at: Position) -> Vec<f32> {
    let blocks = 0..shape.depth() / 4;
    blocks
        .flat_map(|block| {
            let left = operands.block(Matrix::Left, at.row, block);
            let right = operands.block(Matrix::Right, at.column, block);
            left.into_iter().zip(right).map(|(a, b)| (a * b) as f32)
        })
        .collect()
}

#[test]
fn other_orders_and_exact_sums_have_other_bits_in_most_entries() {
    let shape = Shape::new(16, 16, 2_048).unwrap();
    let operands = operands();
    let (mut split_agrees, mut exact_agrees) = (0, 0);
    for place in 0..256 {
        let at = Position {
            row: place / 16,
            column: place % 16,
        };
        let entry = operands.entry(shape, at).to_bits();
        let terms = terms(&operands, shape, at);
        let (first, second) = terms.split_at(1_024);
        let split = first.iter().sum::<f32>() + second.iter().sum::<f32>();
        let exact: f64 = terms.iter().map(|term| f64::from(*term)).sum();
        split_agrees += u32::from(split.to_bits() == entry);
        exact_agrees += u32::from((exact as f32).to_bits() == entry);
    }
    assert!(
        split_agrees < 64,
        "a split sum agrees on {split_agrees} of 256"
    );
    assert!(
        exact_agrees < 64,
        "the exact sum agrees on {exact_agrees} of 256"
    );
}

#[test]
fn a_fused_multiply_add_has_the_same_bits() {
    let shape = Shape::new(4, 4, 4_096).unwrap();
    let at = Position { row: 3, column: 1 };
    let mut fused = 0.0_f32;
    for block in 0..shape.depth() / 4 {
        let left = operands().block(Matrix::Left, at.row, block);
        let right = operands().block(Matrix::Right, at.column, block);
        for (a, b) in left.into_iter().zip(right) {
            fused = (a as f32).mul_add(b as f32, fused);
        }
    }
    assert_eq!(fused.to_bits(), operands().entry(shape, at).to_bits());
}

#[test]
fn shapes_out_of_range_are_refused() {
    for (rows, columns, depth) in [(0, 1, 4), (1, 0, 4), (1, 1, 0), (1, 1, 6), (1 << 21, 1, 4)] {
        assert!(Shape::new(rows, columns, depth).is_err());
    }
    let largest = Shape::new(1 << 20, 1 << 20, 1 << 20).unwrap();
    assert_eq!(largest.operations(), 1 << 61);
}
