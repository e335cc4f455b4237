//! Tests of the check: honest kernels pass, and kernels that save work do not.

use throughput_proof::{Mismatch, Position};

use super::*;
use crate::kernels::Kernel;
use crate::tests::session;

fn operands() -> Operands {
    Operands::new(&Seed::derive(b"tests"))
}

/// Runs a kernel once at side 256 and checks what it left.
fn run_and_check(session: &Session, kernel: &Kernel) -> Result<(), ProbeError> {
    let kernel = session.pipeline(kernel)?;
    let workload = Workload::prepare(session, operands(), kernel, 256)?;
    workload.forget()?;
    workload.run(1)?;
    workload.check(&Seed::derive(b"positions"))
}

/// Plants a change into the honest kernel and returns how many of the entries the check found wrong.
fn wrong_entries_after(from: &str, to: &str) -> Option<usize> {
    let session = session()?;
    let mut kernel = kernels::multiply(Accumulate::Separate);
    assert!(kernel.source.contains(from), "nothing to change");
    kernel.source = kernel.source.replace(from, to);
    match run_and_check(&session, &kernel) {
        Err(ProbeError::WrongResult(Mismatch::Value { wrong, .. })) => Some(wrong),
        other => unreachable!("a planted fault ended as {other:?}"),
    }
}

#[test]
fn both_honest_kernels_agree_with_the_cpu_bit_for_bit() {
    let Some(session) = session() else { return };
    for accumulate in [Accumulate::Separate, Accumulate::Fused] {
        run_and_check(&session, &kernels::multiply(accumulate)).unwrap();
    }
}

#[test]
fn a_kernel_that_skips_half_of_the_sum_is_rejected() {
    let wrong = wrong_entries_after("k < parameters.depth;", "k < parameters.depth / 2u;");
    assert!(wrong.is_none_or(|wrong| wrong == 64), "{wrong:?}");
}

#[test]
fn a_kernel_that_leaves_a_quarter_uncomputed_is_rejected() {
    let skip = "if group.x == 1u && group.y == 1u { return; }\n    let first_row =";
    let wrong = wrong_entries_after("let first_row =", skip);
    assert!(
        wrong.is_none_or(|wrong| (1..40).contains(&wrong)),
        "{wrong:?}"
    );
}

#[test]
fn a_kernel_that_adds_in_another_order_is_rejected() {
    let backwards = "let at = (parameters.depth - TILE_DEPTH - k + load_line) * quads";
    let wrong = wrong_entries_after("let at = (k + load_line) * quads", backwards);
    assert!(wrong.is_none_or(|wrong| wrong > 0), "{wrong:?}");
}

#[test]
fn the_device_makes_the_operands_that_the_verifier_expects() {
    let Some(session) = session() else { return };
    let kernel = kernels::multiply(Accumulate::Separate);
    let kernel = session.pipeline(&kernel).unwrap();
    let workload = Workload::prepare(&session, operands(), kernel, 256).unwrap();
    let matrices = [
        (Matrix::Left, &workload.buffers.left),
        (Matrix::Right, &workload.buffers.right),
    ];
    for (matrix, buffer) in matrices {
        for Position {
            row: line,
            column: block,
        } in [at(0, 0), at(255, 63), at(17, 40)]
        {
            let places: Vec<(&wgpu::Buffer, u64)> = (0..4)
                .map(|k| (buffer, 4 * u64::from((4 * block + k) * 256 + line)))
                .collect();
            let words = session.read_words(&places).unwrap();
            let found: Vec<i32> = words
                .iter()
                .map(|word| f32::from_bits(*word) as i32)
                .collect();
            assert_eq!(found, operands().block(matrix, line, block));
        }
    }
}

fn at(row: u32, column: u32) -> Position {
    Position { row, column }
}

#[test]
fn the_sustained_rate_is_the_low_end_of_the_second_half() {
    let rates: Vec<u64> = (1..=40).rev().collect();
    let measured = statistics(&rates);
    assert_eq!(measured.sustained_mflops, 2);
    assert_eq!(measured.spread_mflops.p50, 20);
    assert_eq!(statistics(&[7]).sustained_mflops, 7);
}

#[test]
fn rates_count_two_operations_a_term() {
    let shape = Shape::new(1_000, 1_000, 1_000).unwrap();
    // 3 * 2 * 10^9 operations in 2 ms are 3 TFLOP/s.
    assert_eq!(mflops(shape, 3, Duration::from_millis(2)), 3_000_000);
}
