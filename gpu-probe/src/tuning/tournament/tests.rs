//! Tests of the tournament on the device that is there.

use throughput_proof::Seed;

use super::*;
use crate::gemm::workload::tests::planted;
use crate::tests::session;
use crate::tuning::candidates::candidates;

fn operands() -> Operands {
    Operands::new(&Seed::derive(b"tests"))
}

#[test]
fn a_winner_is_one_of_the_field_and_right() {
    let Some(session) = session() else { return };
    let kernels = candidates(&session.offered());
    let winner = fastest(&session, operands(), &kernels, Duration::ZERO).unwrap();
    let kernel = winner.workload.kernel().adding(Sum::Fused);
    assert_eq!(
        kernel, kernels[0],
        "without time nothing but the first is tried"
    );
    assert!(winner.repeats() >= 1);
}

#[test]
fn a_kernel_that_is_wrong_loses_to_one_that_is_right() {
    let Some(session) = session() else { return };
    let kernel = candidates(&session.offered())[0];
    let half = ("k < parameters.depth;", "k < parameters.depth / 2u;");
    let entrant = |workload| Entrant::timed(workload).unwrap();
    let wrong = || entrant(planted(&session, kernel.adding(Sum::Separate), half));
    let right = Workload::prepare(&session, operands(), square(256), kernel).unwrap();
    let kept = correct(vec![wrong(), entrant(right)]).unwrap();
    assert_eq!(kept.workload.kernel(), kernel);
    let nobody = correct(vec![wrong()]);
    assert!(matches!(nobody, Err(ProbeError::WrongResult(_))));
}

#[test]
fn kernels_far_behind_leave_the_field() {
    let Some(session) = session() else { return };
    let kernel = candidates(&session.offered())[0];
    let entrant = |once| Entrant {
        workload: Workload::prepare(&session, operands(), square(256), kernel).unwrap(),
        once: Duration::from_micros(once),
    };
    let field = leading([1_300, 1_000, 1_200, 1_100].map(entrant).into());
    let left: Vec<u128> = field
        .iter()
        .map(|entrant| entrant.once.as_micros())
        .collect();
    assert_eq!(left, [1_000, 1_100]);
}
