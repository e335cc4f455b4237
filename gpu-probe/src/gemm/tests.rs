//! Tests of the benchmark's figures and of what it remembers.

use super::*;
use crate::kernels::Sum;
use crate::tests::session;
use crate::{adapters, best_adapter};

#[test]
fn a_soak_lasts_as_long_as_it_is_told() {
    let plan = plan(Effort::Soak(Duration::from_secs(7)));
    assert_eq!(plan.timed, Duration::from_secs(7));
}

/// Measures for a moment with what is remembered.
fn measured(tuning: &mut Tuning) -> Option<Rates> {
    let session = session()?;
    let adapter = best_adapter().unwrap();
    let bench = Bench {
        session: &session,
        adapter: adapter.info(),
        effort: Effort::Soak(Duration::ZERO),
        report: &mut |_, _| (),
    };
    Some(measure(bench, tuning).unwrap().0)
}

#[test]
fn what_is_remembered_is_used_and_kept() {
    let Some(session) = session() else { return };
    let Some(adapter) = adapters().into_iter().next() else {
        return;
    };
    // Whichever kernel a tournament would choose: the second of the list, adding in the way that is tried last.
    let kernel = candidates(&session.offered())[1].adding(Sum::Separate);
    let mut tuning = Tuning::default();
    tuning.remember(adapter.info(), &kernel);
    let before = tuning.clone();
    let rates = measured(&mut tuning).unwrap();
    assert!(rates.burst > 0);
    assert_eq!(rates.throttling, None, "one slice shows no throttling");
    assert_eq!(tuning, before);
}

#[test]
fn a_name_that_is_no_kernel_is_replaced_by_a_finding() {
    let Some(session) = session() else { return };
    let Some(adapter) = adapters().into_iter().next() else {
        return;
    };
    let kernel = candidates(&session.offered())[0];
    let mut known = Tuning::default();
    known.remember(adapter.info(), &kernel);
    let text = known
        .to_string()
        .replace(&kernel.to_string(), "9x9-nothing");
    let mut tuning: Tuning = text.parse().unwrap();
    measured(&mut tuning).unwrap();
    let found = tuning.kernel(adapter.info()).unwrap();
    assert!(named(&session.offered(), found).is_some(), "{found}");
}
