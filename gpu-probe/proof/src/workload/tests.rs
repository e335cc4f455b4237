//! Tests of the limits of a workload and of the size chosen for a device.

use super::*;

fn workload(lengths: [u32; 3], rounds: u32) -> Result<Workload, WorkloadError> {
    let [rows, columns, depth] = lengths;
    Workload::new(Mode::F, Shape::new(rows, columns, depth)?, rounds)
}

#[test]
fn the_limits_are_met_and_never_passed() {
    let largest = workload([MAX_SIDE, MAX_SIDE, MAX_DEPTH], MAX_ROUNDS).unwrap();
    assert_eq!(largest.operations(), 1 << 60);
    assert_eq!(largest.tiles(), 1 << 18);
    assert_eq!(workload([32, 64, 256], 1).unwrap().tiles(), 2);
    let refused = [
        ([48, 64, 256], 1),
        ([64, 48, 256], 1),
        ([MAX_SIDE + 32, 64, 256], 1),
        ([64, 64, 128], 1),
        ([64, 64, MAX_DEPTH + 256], 1),
        ([64, 64, 256], 0),
        ([64, 64, 256], MAX_ROUNDS + 1),
    ];
    for (lengths, rounds) in refused {
        assert!(workload(lengths, rounds).is_err(), "{lengths:?} {rounds}");
    }
}

#[test]
fn a_usual_card_runs_five_seconds_of_the_default_size() {
    let chosen = Workload::for_rate(Mode::F, 15_000_000, 30);
    assert_eq!(chosen.shape(), Shape::new(4_096, 4_096, 4_096).unwrap());
    assert!((MIN_RUN_MS..MIN_RUN_MS + 20).contains(&chosen.duration_ms(15_000_000)));
}

#[test]
fn a_long_round_trip_makes_a_long_run_within_bounds() {
    let run_ms = |round_trip_ms| {
        Workload::for_rate(Mode::F, 15_000_000, round_trip_ms).duration_ms(15_000_000)
    };
    assert!((15_000..15_020).contains(&run_ms(300)));
    assert!((MAX_RUN_MS..MAX_RUN_MS + 20).contains(&run_ms(u64::MAX)));
}

#[test]
fn every_rate_gets_a_workload_that_lasts_long_enough_or_the_limit() {
    for exponent in 0..63 {
        let rate_mflops = 1_u64 << exponent;
        let chosen = Workload::for_rate(Mode::I, rate_mflops, 0);
        let is_longest = chosen.rounds() == MAX_ROUNDS;
        assert!(
            chosen.duration_ms(rate_mflops) >= MIN_RUN_MS || is_longest,
            "2^{exponent}"
        );
        let is_smallest = chosen.shape() == shape(128, DEPTH_STEP);
        assert!(
            u64::from(chosen.rounds()) >= MIN_ROUNDS || is_smallest,
            "2^{exponent}"
        );
    }
    assert_eq!(Workload::for_rate(Mode::F, 0, 0).rounds(), 1);
}

#[test]
fn fast_devices_get_deeper_products() {
    let depth = |mflops| Workload::for_rate(Mode::I, mflops, 0).shape().depth();
    assert_eq!(depth(30_000_000), 4_096);
    assert_eq!(depth(60_000_000), 8_192);
    assert_eq!(depth(900_000_000), MAX_DEPTH);
}

#[test]
fn rates_count_two_operations_a_term() {
    let chosen = workload([1_024, 1_024, 1_024], 100).unwrap();
    // 100 * 2 * 2^30 operations in 2 s.
    assert_eq!(chosen.rate_mflops(2_000), 107_374);
    assert_eq!(chosen.duration_ms(107_374), 2_001);
    assert_eq!(chosen.rate_mflops(0), chosen.rate_mflops(1));
    assert!(chosen.duration_ms(0) > 200_000_000);
}
