//! Tests of the elements' range and of the sums' limits.

use super::*;

#[test]
fn elements_reach_both_limits_and_never_pass_them() {
    for mode in [Mode::F, Mode::I] {
        let limit = mode.operand_limit();
        assert_eq!(mode.element(0), -limit);
        assert_eq!(mode.element(u32::MAX), limit);
        let mut seen: Vec<i32> = (0..=0xffff_u32)
            .map(|word| mode.element(word << 16))
            .collect();
        seen.dedup();
        let all: Vec<i32> = (-limit..=limit).collect();
        assert_eq!(seen, all, "every value of mode {mode:?} comes up, in order");
    }
}

#[test]
fn the_largest_product_of_mode_f_is_exact_in_fp32() {
    let largest = Mode::F.operand_limit().pow(2);
    assert!(largest < 1 << 24);
    assert_eq!((largest as f32) as i32, largest);
}

#[test]
fn in_mode_i_256_products_are_exact_in_fp32_and_the_deepest_sum_in_an_i32() {
    let largest = i64::from(Mode::I.operand_limit().pow(2));
    assert!(256 * largest < 1 << 24);
    assert!((1 << 15) * largest <= i64::from(i32::MAX));
    let line = vec![255_i16; 1 << 15];
    let other = vec![-255_i16; 1 << 15];
    assert_eq!(
        Mode::I.sum_bits(&line, &other).cast_signed(),
        -2_130_739_200
    );
}
