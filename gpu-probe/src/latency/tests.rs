//! Tests of the latency.

use super::*;
use crate::adapters;
use crate::tests::session;

#[test]
fn a_submission_in_no_time_is_refused() {
    assert!(matches!(
        nanos(Duration::ZERO),
        Err(ProbeError::Absurd { .. })
    ));
    assert_eq!(nanos(Duration::from_micros(40)).unwrap(), 40_000);
}

#[test]
fn an_empty_submission_takes_some_time() {
    let Some(session) = session() else { return };
    let adapter = adapters().pop().unwrap();
    let spread = measure(Bench {
        session: &session,
        adapter: adapter.info(),
        effort: Effort::Quick,
        report: &mut |_, _| (),
    })
    .unwrap();
    assert!(0 < spread.p10 && spread.p10 <= spread.p50 && spread.p50 <= spread.p90);
}
