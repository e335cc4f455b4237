//! Tests of the chains on a device: honest kernels pass, and kernels that save work do not.

use super::*;
use crate::kernels::Kernel;
use crate::tests::session;

/// Runs a small dispatch of a kernel once.
fn run_once<'a>(session: &'a Session, kernel: &Kernel) -> Chains<'a> {
    let pipeline = session.pipeline(kernel).unwrap();
    let chains = Chains::sized(session, pipeline, CHAINS * 2, 4).unwrap();
    chains.dispatch.run(1).unwrap();
    chains
}

/// Returns the kernel with half of its turns left out.
fn lazy(mut kernel: Kernel) -> Kernel {
    let (all, half) = ("turn < parameters.turns;", "turn < parameters.turns / 2u;");
    assert!(kernel.source.contains(all), "nothing to change");
    kernel.source = kernel.source.replace(all, half);
    kernel
}

fn assert_wrong<T: std::fmt::Debug>(result: Result<T, ProbeError>) {
    assert!(
        matches!(
            result,
            Err(ProbeError::WrongWords {
                wrong: 60..,
                checked: 64,
                ..
            })
        ),
        "{result:?}"
    );
}

#[test]
fn honest_chains_agree_with_the_cpu_bit_for_bit() {
    let Some(session) = session() else { return };
    for kernel in [chains::fma(), chains::mul_add()] {
        run_once(&session, &kernel).rounding().unwrap();
    }
    run_once(&session, &chains::dots())
        .check(chains::dots_end)
        .unwrap();
}

#[test]
fn nothing_is_fused_where_the_driver_is_told_so() {
    let Some(session) = session() else { return };
    if !session.takes_spirv() {
        eprintln!("skipped: the driver takes no SPIR-V");
        return;
    }
    let pipeline = unfused_pipeline(&session).unwrap();
    let chains = Chains::sized(&session, pipeline, CHAINS * 2, 4).unwrap();
    chains.dispatch.run(1).unwrap();
    assert_eq!(chains.rounding().unwrap(), Rounding::Separate);
}

#[test]
fn chains_of_floats_that_skip_half_of_their_steps_are_rejected() {
    let Some(session) = session() else { return };
    for kernel in [chains::fma(), chains::mul_add()] {
        assert_wrong(run_once(&session, &lazy(kernel)).rounding());
    }
}

#[test]
fn chains_of_dots_that_skip_half_of_their_steps_are_rejected() {
    let Some(session) = session() else { return };
    let lazy = run_once(&session, &lazy(chains::dots()));
    assert_wrong(lazy.check(chains::dots_end));
}

#[test]
fn a_device_that_rounds_one_chain_otherwise_is_rejected() {
    let Some(session) = session() else { return };
    let mut kernel = chains::mul_add();
    // One chain of sixteen is off by one unit in the last place at every step.
    kernel.source = kernel.source.replace(
        "a = a * a + c",
        "a = a * (a * vec4<f32>(0x1.000002p0, 1.0, 1.0, 1.0)) + c",
    );
    assert_wrong(run_once(&session, &kernel).rounding());
}
