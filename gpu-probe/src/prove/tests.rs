//! Tests of a proof on the device of this machine.

use super::*;
use crate::adapters;

/// Proves at a small size on the last adapter of the list: a processor where there is one.
fn proved(mode: Mode, reported_mflops: u64) -> Option<SelfProof> {
    let Some(adapter) = adapters().pop() else {
        eprintln!("skipped: no adapter");
        return None;
    };
    let mut device = DeviceProver::open(&adapter, &Tuning::default()).unwrap();
    let shape = Shape::new(128, 128, 256).unwrap();
    let workload = Workload::new(mode, shape, 20).unwrap();
    device.prepare(mode, shape).unwrap();
    let exchange = Exchange::new(device, workload, reported_mflops);
    Some(exchange.run().unwrap())
}

#[test]
fn a_device_proves_what_it_did_in_both_modes() {
    for mode in [Mode::F, Mode::I] {
        let Some(proof) = proved(mode, 1) else { return };
        let proved = proof.verdict.clone().unwrap();
        assert!(proved.mflops >= 1, "{proof:?}");
        assert_eq!(proved.workload, proof.workload);
        assert!(proof.sent_bytes > 64 * 4_096, "64 tiles were opened");
        assert!(proof.cost_ppm() > 0);
    }
}

#[test]
fn a_device_that_reports_too_much_proves_nothing() {
    let Some(proof) = proved(Mode::F, u64::MAX) else {
        return;
    };
    // Nothing is left of the time that so fast a device would take; on a busy machine the exchange does not even end.
    let verdict = proof.verdict.unwrap_err();
    let too_slow = matches!(
        verdict,
        Rejection::TooSlow { .. } | Rejection::LateRoots { .. } | Rejection::LateOpenings { .. }
    );
    assert!(too_slow, "{verdict:?}");
}
