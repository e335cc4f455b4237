//! Tests of where chains end.

use super::*;

#[test]
fn chains_keep_within_their_bounds_and_end_differently_at_every_step() {
    let ends: std::collections::BTreeSet<u32> =
        (512..600).map(|steps| fused_end(7, 3, steps)).collect();
    assert_eq!(ends.len(), 88, "a step left out would not show");
    let within = |seed| {
        let c = (start_word(seed, 0, CHAINS) >> 12).cast_signed() - (1 << 24);
        let c = c as f32 * 2.0_f32.powi(-23);
        (-2.0..-1.875).contains(&c)
    };
    assert!((0..1_000).all(within));
}

#[test]
fn one_rounding_and_two_end_elsewhere() {
    let differ =
        (0..64).filter(|place| fused_end(1, *place, 1_024) != separate_end(1, *place, 1_024));
    assert_eq!(differ.count(), 64);
}

#[test]
fn dots_are_of_signed_bytes_and_their_chains_do_not_stand_still() {
    assert_eq!(dot(0x0102_03ff, 0x0101_0180).cast_signed(), 1 + 2 + 3 + 128);
    let ends: std::collections::BTreeSet<u32> =
        (512..600).map(|steps| dots_end(7, 3, steps)).collect();
    assert_eq!(ends.len(), 88);
}

#[test]
fn every_chain_takes_every_step() {
    let source = dots().source;
    assert!(!source.contains("{{"), "a placeholder is left");
    for chain in 0..CHAINS {
        let steps = source.matches(&format!("x{chain} += dot4I8Packed")).count();
        assert_eq!(steps, STEPS_PER_TURN as usize, "x{chain}");
    }
}
