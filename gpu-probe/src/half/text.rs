//! Owns the text of the f16 kernels.
//!
//! Never indexes an accumulator: each is a variable of its own, so that it stays in a register.

use std::fmt::Write as _;

use crate::device::MatrixUnits;
use crate::kernels::Kernel;
use crate::mixer;

/// Rows of one invocation of the plain kernel; it computes as many columns.
const ROWS: usize = 8;

/// Units across and down of one subgroup.
const UNITS: usize = 4;

/// Returns the kernel that makes an operand.
pub(super) fn operands() -> Kernel {
    Kernel {
        source: include_str!("../kernels/half_operands.wgsl").replace(mixer::PLACE, mixer::TEXT),
        entry_point: "generate",
    }
}

/// Returns the product on plain arithmetic: 8 x 8 entries an invocation.
pub(super) fn plain() -> Kernel {
    let (mut accumulators, mut step, mut stores) = (String::new(), String::new(), String::new());
    for (row, quad) in pairs(ROWS, 2) {
        let component = ["x", "y", "z", "w"][row % 4];
        let (half, down, right) = (row / 4, row / 4 * 64 + row % 4, quad * 16);
        let sum = format!("sum_{row}_{quad}");
        line(&mut accumulators, &format!("var {sum} = vec4<f32>();"));
        let a = format!("a{half}.{component}");
        line(
            &mut step,
            &format!("{sum} = fma(vec4<f32>({a}), b{quad}, {sum});"),
        );
        let at = format!("(first_row + {down}u) * quads + first_quad + {right}u");
        line(&mut stores, &format!("product[{at}] = {sum};"));
    }
    Kernel {
        source: include_str!("../kernels/half_tiles.wgsl")
            .replace("{{ACCUMULATORS}}", &accumulators)
            .replace("{{STEP}}", &step)
            .replace("{{STORES}}", &stores),
        entry_point: "multiply",
    }
}

/// Returns the product on matrix units.
pub(super) fn on_units(units: MatrixUnits) -> Kernel {
    let MatrixUnits { side, lanes } = units;
    let matrix = |scalar, role| format!("coop_mat{side}x{side}<{scalar}, {role}>");
    let (mut accumulators, mut step, mut stores) = (String::new(), String::new(), String::new());
    for unit in 0..UNITS {
        let (a, b) = (matrix("f16", "A"), matrix("f16", "B"));
        let at = |first| format!("line + {first} + {unit}u * UNIT");
        let (row, column) = (at("first_row"), at("first_column"));
        // Line k of `left` is a column of A, line k of `right` a row of B.
        line(
            &mut step,
            &format!("let a{unit} = coopLoad<{a}>(&left[{row}], side);"),
        );
        line(
            &mut step,
            &format!("let b{unit} = coopLoadT<{b}>(&right[{column}], side);"),
        );
    }
    for (row, column) in pairs(UNITS, UNITS) {
        let sum = format!("sum_{row}_{column}");
        let zero = matrix("f32", "C");
        line(&mut accumulators, &format!("var {sum} = {zero}();"));
        line(
            &mut step,
            &format!("{sum} = coopMultiplyAdd(a{row}, b{column}, {sum});"),
        );
        // Named values: naga 30 emits what stands inside of coopStore only after it.
        let place = format!("(first_row + {row}u * UNIT) * side + first_column + {column}u * UNIT");
        let (at, stored) = (
            format!("at_{row}_{column}"),
            format!("stored_{row}_{column}"),
        );
        line(&mut stores, &format!("let {at} = {place};"));
        line(&mut stores, &format!("let {stored} = {sum};"));
        line(
            &mut stores,
            &format!("coopStoreT({stored}, &product[{at}], side);"),
        );
    }
    Kernel {
        source: include_str!("../kernels/half_units.wgsl")
            .replace("{{UNIT}}", &side.to_string())
            .replace("{{SUBGROUP}}", &lanes.to_string())
            .replace("{{ACCUMULATORS}}", &accumulators)
            .replace("{{STEP}}", &step)
            .replace("{{STORES}}", &stores),
        entry_point: "multiply",
    }
}

fn pairs(rows: usize, columns: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..rows).flat_map(move |row| (0..columns).map(move |column| (row, column)))
}

fn line(text: &mut String, statement: &str) {
    writeln!(text, "        {statement}").expect("writing to a String does not fail");
}

#[cfg(test)]
mod tests;
