//! Tests of timing, with workloads whose times are made up.

use market::gpu::AdapterForm;

use super::*;
use crate::adapters;
use crate::tests::session;

fn wall(nanos: u64) -> Took {
    Took::by_wall(Duration::from_nanos(nanos))
}

#[test]
fn rates_are_in_the_units_of_the_report() {
    // 3 * 2 * 10^9 operations in 2 ms are 3 TFLOP/s.
    let operations = Quantity::Operations(2_000_000_000);
    let took = Duration::from_millis(2);
    assert_eq!(operations.rate(3, took).unwrap(), 3_000_000);
    let bytes = Quantity::Bytes(64 << 20);
    assert_eq!(bytes.rate(2, Duration::from_secs(1)).unwrap(), 128);
}

#[test]
fn timings_that_cannot_be_true_are_refused_in_words() {
    let operations = Quantity::Operations(1 << 40);
    for took in [Duration::ZERO, Duration::from_nanos(100)] {
        let error = operations.rate(1, took).unwrap_err();
        assert!(matches!(error, ProbeError::Absurd { .. }));
        assert!(error.to_string().contains("operations in"), "{error}");
    }
    assert!(
        Quantity::Bytes(1 << 30)
            .rate(1, Duration::from_micros(1))
            .is_err()
    );
    // 1 PFLOP/s and 10 TB/s exist.
    assert!(operations.rate(1, Duration::from_millis(1)).is_ok());
    assert!(
        Quantity::Bytes(1 << 30)
            .rate(1, Duration::from_micros(100))
            .is_ok()
    );
}

#[test]
fn a_slice_is_filled_and_never_overfilled() {
    assert_eq!(fitted(1, Duration::from_millis(5)), 10);
    assert_eq!(fitted(100, Duration::from_millis(100)), 50);
    assert_eq!(fitted(1, Duration::from_secs(3)), 1);
    assert_eq!(fitted(1, Duration::ZERO), MAX_REPEATS);
}

#[test]
fn the_devices_clock_counts_only_while_the_hosts_bears_it_out() {
    let took = |device| Took {
        device: Some(Duration::from_nanos(device)),
        ..wall(1_000)
    };
    let read = |device| Clock::Device.read(took(device)).as_nanos();
    assert_eq!(read(990), 990);
    assert_eq!(read(1_001), 1_000, "longer than the wait for it");
    assert_eq!(read(900), 1_000, "far shorter than the wait for it");
    assert_eq!(Clock::Wall.read(took(990)).as_nanos(), 1_000);
}

#[test]
fn a_device_whose_time_stands_still_is_an_error() {
    let Some(session) = session() else { return };
    let adapter = adapters().pop().unwrap();
    let mut bench = Bench {
        session: &session,
        adapter: &market::gpu::AdapterInfo {
            form: AdapterForm::Discrete,
            ..adapter.info().clone()
        },
        effort: Effort::Quick,
        report: &mut |_, _| (),
    };
    let mut stands = |_| Ok(wall(0));
    let plan = Plan::of(bench.effort);
    let pace = Pace::settle(&mut bench, &mut stands, &plan).unwrap();
    let result = pace.time(&mut bench, Quantity::Bytes(1), (&mut stands, &plan));
    assert!(
        matches!(result, Err(ProbeError::Absurd { .. })),
        "{result:?}"
    );
}
