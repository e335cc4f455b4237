//! Tests of the product of f16: an honest kernel passes, and kernels that save work do not.

use super::*;
use crate::tests::session;

/// Runs a kernel once at side 256 and checks what it left.
fn run_and_check(session: &Session, tiles: &Tiles) -> Result<(), ProbeError> {
    let pipeline = session.pipeline(&tiles.kernel)?;
    let product = Product::prepare(session, (&pipeline, tiles.side), 256)?;
    product.dispatch.run(1)?;
    product.check()
}

/// Opens an adapter with f16, or says that the test skips.
fn session_with_f16() -> Option<Session> {
    let session = session()?;
    if !session.has_f16() {
        eprintln!("skipped: shaders have no f16");
        return None;
    }
    Some(session)
}

fn assert_wrong(from: &str, to: &str) {
    let Some(session) = session_with_f16() else {
        return;
    };
    let mut tiles = Tiles::plain();
    assert!(tiles.kernel.source.contains(from), "nothing to change");
    tiles.kernel.source = tiles.kernel.source.replace(from, to);
    let result = run_and_check(&session, &tiles);
    assert!(
        matches!(result, Err(ProbeError::WrongWords { .. })),
        "{result:?}"
    );
}

#[test]
fn an_honest_product_agrees_with_the_cpu() {
    let Some(session) = session_with_f16() else {
        return;
    };
    run_and_check(&session, &Tiles::plain()).unwrap();
}

#[test]
fn matrix_units_agree_with_the_cpu() {
    let Some(session) = session() else { return };
    let Some(units) = session.matrix_units() else {
        eprintln!("skipped: shaders have no matrix units");
        return;
    };
    let tiles = Tiles {
        kernel: text::on_units(units),
        side: 4 * units.side,
    };
    run_and_check(&session, &tiles).unwrap();
}

#[test]
fn a_kernel_that_skips_half_of_the_sum_is_rejected() {
    assert_wrong("k < parameters.side;", "k < parameters.side / 2u;");
}

#[test]
fn a_kernel_that_accumulates_in_f16_is_rejected() {
    let rounded = "sum_0_0 = vec4<f32>(vec4<f16>(sum_0_0));\n        workgroupBarrier();\n    }";
    assert_wrong("workgroupBarrier();\n    }", rounded);
}

#[test]
fn elements_reach_both_limits_and_never_pass_them() {
    let elements = (0..2_000).map(|index| element(7, index));
    let (low, high) = elements.fold((0, 0), |(low, high), x| (x.min(low), x.max(high)));
    assert_eq!((low, high), (-63, 63));
    assert!(63 * 63 * SIDES[4] < 1 << 24, "sums are exact");
}
