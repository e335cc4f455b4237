//! Tests of the operands and of the order that an entry's sum has.

use super::*;

fn operands() -> Operands {
    Operands::new(&Seed::derive(b"tests"))
}

#[test]
fn elements_are_spread_evenly_over_their_range() {
    for mode in [Mode::F, Mode::I] {
        let operands = Operands::in_mode(mode, &Seed::derive(b"tests"));
        let limit = mode.operand_limit();
        let elements = (0..2_000).flat_map(|block| operands.block(Matrix::Left, 3, block));
        let (mut low, mut high, mut sum) = (0, 0, 0_i64);
        for value in elements {
            (low, high) = (low.min(value), high.max(value));
            sum += i64::from(value);
        }
        assert!((-limit..=16 - limit).contains(&low), "{low}");
        assert!((limit - 16..=limit).contains(&high), "{high}");
        let most = 8_000 * i64::from(limit) / 25;
        assert!(sum.abs() < most, "the mean is far from zero: {sum}");
    }
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
        let entry = operands.entry_bits(shape, at);
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
    assert_eq!(fused.to_bits(), operands().entry_bits(shape, at));
}

#[test]
fn both_modes_map_the_same_words() {
    let seed = Seed::derive(b"tests");
    let modes = [Operands::new(&seed), Operands::in_mode(Mode::I, &seed)];
    assert_eq!(modes[0].words(), modes[1].words());
    assert_eq!(modes[0].mode(), Mode::F);
    let [wide, narrow] = modes.map(|operands| operands.block(Matrix::Right, 7, 9));
    for (wide, narrow) in wide.into_iter().zip(narrow) {
        // The same sixteen bits, scaled by 8,191 and by 511.
        assert!((wide * 511 / 8_191 - narrow).abs() <= 1);
    }
}

#[test]
fn an_entry_of_mode_i_is_the_exact_sum_in_any_order() {
    let shape = Shape::new(4, 4, 4_096).unwrap();
    let operands = Operands::in_mode(Mode::I, &Seed::derive(b"tests"));
    let at = Position { row: 2, column: 3 };
    let backwards: i64 = terms(&operands, shape, at)
        .iter()
        .rev()
        .map(|term| *term as i64)
        .sum();
    let bits = operands.entry_bits(shape, at);
    assert_eq!(i64::from(bits.cast_signed()), backwards);
}

#[test]
fn many_entries_are_the_single_ones_in_their_order() {
    let shape = Shape::new(8, 8, 64).unwrap();
    let at = [(7, 1), (0, 1), (7, 0), (7, 1)].map(|(row, column)| Position { row, column });
    let single = at.map(|at| operands().entry_bits(shape, at));
    assert_eq!(operands().entries_bits(shape, &at), single);
    assert_eq!(operands().entries_bits(shape, &[]), []);
}
