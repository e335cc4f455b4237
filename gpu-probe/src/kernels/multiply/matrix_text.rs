//! Owns the WGSL of the matrix kernel that feeds matrix units: one variable a block of the product.
//!
//! Never decides a shape. The operands are stored k-major, so blocks of A are read column by column (`coopLoad`) and
//! blocks of B row by row (`coopLoadT`).

use std::fmt::Write as _;

use super::{EXACT_TERMS, Multiply};

/// Returns the source for blocks of `side` and subgroups of `lanes`.
pub(super) fn source(kernel: &Multiply, side: u32, lanes: u32) -> String {
    let (rows, columns) = (kernel.tile_rows(), kernel.tile_columns());
    let blocks = (rows / side, columns / side);
    let number = |number: u32| number.to_string();
    include_str!("../multiply_matrix.wgsl")
        .replace("{{SIDE}}", &number(side))
        .replace("{{LANES}}", &number(lanes))
        .replace("{{TILE_ROWS}}", &number(rows))
        .replace("{{TILE_COLUMNS}}", &number(columns))
        .replace("{{BLOCK}}", &number(side * side))
        .replace("{{TOTALS}}", &number(rows * columns))
        .replace("{{EXACT_TERMS}}", &number(EXACT_TERMS))
        .replace("{{ACCUMULATORS}}", &accumulators(side, blocks))
        .replace("{{STEPS}}", &steps(side, blocks))
        .replace("{{ADDITIONS}}", &additions(side, columns, blocks))
}

fn accumulators(side: u32, (down, across): (u32, u32)) -> String {
    let mut text = String::new();
    for (row, column) in each(down, across) {
        let zero = format!("coop_mat{side}x{side}<f32, C>()");
        line(&mut text, &format!("var sum_{row}_{column} = {zero};"));
    }
    text
}

fn steps(side: u32, (down, across): (u32, u32)) -> String {
    let mut text = String::new();
    for row in 0..down {
        let at = format!("k * rows + first_row + {}u", row * side);
        let load = format!("coopLoad<coop_mat{side}x{side}<f16, A>>(&left[{at}], rows)");
        line(&mut text, &format!("let a{row} = {load};"));
    }
    for column in 0..across {
        let at = format!("k * columns + first_column + {}u", column * side);
        let load = format!("coopLoadT<coop_mat{side}x{side}<f16, B>>(&right[{at}], columns)");
        line(&mut text, &format!("let b{column} = {load};"));
    }
    for (row, column) in each(down, across) {
        let sum = format!("sum_{row}_{column}");
        let added = format!("coopMultiplyAdd(a{row}, b{column}, {sum})");
        line(&mut text, &format!("{sum} = {added};"));
    }
    text
}

fn additions(side: u32, columns: u32, (down, across): (u32, u32)) -> String {
    let mut text = String::new();
    for (row, column) in each(down, across) {
        let first = row * side * columns + column * side;
        line(
            &mut text,
            &format!("coopStoreT(sum_{row}_{column}, &block[0], SIDE);"),
        );
        line(&mut text, &format!("add_block({first}u, lane);"));
    }
    text
}

/// Every block of the tile: its row and its column of blocks.
fn each(down: u32, across: u32) -> impl Iterator<Item = (u32, u32)> {
    (0..down).flat_map(move |row| (0..across).map(move |column| (row, column)))
}

fn line(text: &mut String, statement: &str) {
    writeln!(text, "            {statement}").expect("writing to a String does not fail");
}

#[cfg(test)]
mod tests;
