//! Tests of the check: every honest kernel passes, and kernels that save work do not.

use throughput_proof::{Mismatch, Position};

use super::*;
use crate::kernels::{Reading, Sum};
use crate::tests::session;
use crate::tuning::candidates::candidates;
use crate::tuning::candidates::tests::all;

fn problem() -> (Operands, Shape) {
    let operands = Operands::new(&Seed::derive(b"tests"));
    (operands, Shape::new(256, 256, 256).unwrap())
}

/// Plants a change into a kernel's source and prepares it; what is planted must be there.
pub(crate) fn planted(session: &Session, kernel: Multiply, (from, to): (&str, &str)) -> Workload {
    let mut source = kernel.kernel();
    assert!(
        source.source.contains(from),
        "nothing to change in {kernel}"
    );
    source.source = source.source.replace(from, to);
    let pipeline = session.pipeline(&source).unwrap();
    Workload::compiled(session, problem(), kernel, pipeline).unwrap()
}

/// Runs once and returns how many of 64 entries are wrong.
fn wrong_entries(workload: &Workload) -> usize {
    workload.forget().unwrap();
    workload.run(1).unwrap();
    match workload.check(&Seed::derive(b"positions"), 64) {
        Ok(()) => 0,
        Err(ProbeError::WrongResult(Mismatch::Value { wrong, .. })) => wrong,
        Err(other) => unreachable!("a check ended as {other:?}"),
    }
}

/// Those kernels that the device can run and that compile in little time everywhere: one of each way of reading.
fn one_of_each_reading(session: &Session) -> Vec<Multiply> {
    let mut kernels: Vec<Multiply> = Vec::new();
    for kernel in all() {
        let is_new = kernels.iter().all(|known| {
            std::mem::discriminant(&known.reading) != std::mem::discriminant(&kernel.reading)
        });
        let runs = kernel.reading != Reading::Subgroup || session.offered().has_subgroups;
        if is_new && runs {
            kernels.push(kernel);
        }
    }
    kernels
}

#[test]
fn every_kernel_agrees_with_the_cpu_bit_for_bit() {
    let Some(session) = session() else { return };
    let offered = session.offered();
    let (operands, shape) = problem();
    for kernel in all() {
        let subgroups = kernel.reading != Reading::Subgroup || offered.has_subgroups;
        if subgroups && kernel.workgroup_bytes() <= offered.workgroup_bytes {
            let workload = Workload::prepare(&session, operands, shape, kernel).unwrap();
            assert_eq!(wrong_entries(&workload), 0, "{kernel}");
        }
    }
}

#[test]
fn unfused_additions_have_the_same_bits() {
    let Some(session) = session() else { return };
    let (operands, shape) = problem();
    for kernel in one_of_each_reading(&session) {
        let kernel = kernel.adding(Sum::Separate);
        let workload = Workload::prepare(&session, operands, shape, kernel).unwrap();
        assert_eq!(wrong_entries(&workload), 0, "{kernel}");
    }
}

#[test]
fn a_kernel_that_skips_half_of_the_sum_is_rejected() {
    let Some(session) = session() else { return };
    for kernel in one_of_each_reading(&session) {
        let half = ("k < parameters.depth;", "k < parameters.depth / 2u;");
        let workload = planted(&session, kernel, half);
        assert_eq!(wrong_entries(&workload), 64, "{kernel}");
    }
}

#[test]
fn a_kernel_that_leaves_a_quarter_uncomputed_is_rejected() {
    let Some(session) = session() else { return };
    for kernel in one_of_each_reading(&session) {
        let quads = (kernel.tile_rows() / 4, kernel.tile_columns() / 4);
        let skip = format!(
            "if (group.y * {}u) % 64u >= 32u && group.x * {}u >= 0u {{ return; }}\n let first_row =",
            quads.0, quads.1,
        );
        let workload = planted(&session, kernel, ("let first_row =", &skip));
        let wrong = wrong_entries(&workload);
        assert!((1..64).contains(&wrong), "{kernel}: {wrong}");
    }
}

#[test]
fn a_kernel_that_adds_in_another_order_is_rejected() {
    let Some(session) = session() else { return };
    for kernel in one_of_each_reading(&session) {
        // A double buffer takes the number of the next line from this one: its order cannot be turned around so.
        if matches!(kernel.reading, Reading::DoubleBuffered { .. }) {
            continue;
        }
        let lines = kernel.lines();
        let backwards = format!("let line = parameters.depth - {lines}u - k;");
        let workload = planted(&session, kernel, ("let line = k;", &backwards));
        assert!(wrong_entries(&workload) > 0, "{kernel}");
    }
}

#[test]
fn the_device_makes_the_operands_that_the_verifier_expects() {
    let Some(session) = session() else { return };
    let kernel = candidates(&session.offered())[0];
    let (operands, shape) = problem();
    let workload = Workload::prepare(&session, operands, shape, kernel).unwrap();
    let matrices = [
        (Matrix::Left, &workload.buffers.left),
        (Matrix::Right, &workload.buffers.right),
    ];
    for (matrix, buffer) in matrices {
        for (line, block) in [(0, 0), (255, 63), (17, 40)] {
            let places: Vec<(&wgpu::Buffer, u64)> = (0..4)
                .map(|k| (buffer, 4 * u64::from((4 * block + k) * 256 + line)))
                .collect();
            let words = session.read_words(&places).unwrap();
            let found: Vec<i32> = words
                .iter()
                .map(|word| f32::from_bits(*word) as i32)
                .collect();
            assert_eq!(found, operands.block(matrix, line, block));
        }
    }
}

#[test]
fn sides_that_the_tile_does_not_divide_are_computed_whole() {
    let Some(session) = session() else { return };
    let operands = Operands::new(&Seed::derive(b"tests"));
    let shape = Shape::new(96, 32, 64).unwrap();
    for kernel in one_of_each_reading(&session) {
        let workload = Workload::prepare(&session, operands, shape, kernel).unwrap();
        workload.run(1).unwrap();
        let every_entry = 96 * 32;
        let seed = Seed::derive(b"positions");
        workload.check(&seed, every_entry).unwrap();
        assert_eq!(workload.stride() % kernel.tile_columns(), 0);
    }
}

#[test]
fn a_change_of_kernel_keeps_the_product_right() {
    let Some(session) = session() else { return };
    let (operands, shape) = problem();
    let kernels = one_of_each_reading(&session);
    let mut workload = Workload::prepare(&session, operands, shape, kernels[0]).unwrap();
    for kernel in kernels {
        workload = workload.with_kernel(kernel).unwrap();
        assert_eq!(wrong_entries(&workload), 0, "{kernel}");
    }
}

#[test]
fn an_entry_is_where_the_stride_says() {
    let Some(session) = session() else { return };
    let kernel = candidates(&session.offered())[0];
    let (operands, shape) = problem();
    let workload = Workload::prepare(&session, operands, shape, kernel).unwrap();
    workload.run(1).unwrap();
    let at = Position {
        row: 3,
        column: 250,
    };
    let offset = 4 * u64::from(at.row * workload.stride() + at.column);
    let words = session.read_words(&[(workload.product(), offset)]).unwrap();
    assert_eq!(words, [operands.entry(shape, at).to_bits()]);
}
