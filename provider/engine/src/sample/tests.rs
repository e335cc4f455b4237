//! Tests of the sampler.

use super::*;

#[test]
fn temperature_zero_takes_the_first_of_the_likeliest() {
    let mut sampler = Sampler::new(0, 1);
    assert_eq!(sampler.choose(&[0.0, 3.0, -1.0, 3.0]), Some(1));
}

#[test]
fn the_seed_decides_the_draws() {
    let draws = |seed: u64| -> Vec<Option<u32>> {
        let mut sampler = Sampler::new(1_000, seed);
        (0..32).map(|_| sampler.choose(&[0.0; 8])).collect()
    };
    assert_eq!(draws(1), draws(1));
    assert_ne!(draws(1), draws(2));
}

#[test]
fn draws_follow_the_scores() {
    let mut sampler = Sampler::new(1_000, 7);
    let scores = [0.0, 3_f32.ln(), f32::MIN];
    let mut counts = [0_u32; 3];
    for _ in 0..4_000 {
        counts[sampler.choose(&scores).unwrap() as usize] += 1;
    }
    // Shares of 1/4, 3/4 and nothing; 4,000 draws stay within 5 deviations of 27.
    assert!(counts[0].abs_diff(1_000) < 137, "{counts:?}");
    assert!(counts[1].abs_diff(3_000) < 137, "{counts:?}");
    assert_eq!(counts[2], 0);
}

#[test]
fn scores_that_are_no_numbers_choose_nothing() {
    for temperature in [0, 1_000] {
        let mut sampler = Sampler::new(temperature, 1);
        assert_eq!(sampler.choose(&[0.0, f32::NAN]), None);
        assert_eq!(sampler.choose(&[f32::INFINITY, 0.0]), None);
        assert_eq!(sampler.choose(&[]), None);
    }
}
