//! Owns the WGSL of a matrix kernel: one variable an accumulator, every loop over them written out.
//!
//! Never decides a shape.

use std::fmt::Write as _;

use super::{EXACT_TERMS, Element, Multiply, Reading, SUBGROUP_LINES, Sum};

/// Returns the source of a kernel.
pub(super) fn source(kernel: &Multiply) -> String {
    let lane = match kernel.reading {
        Reading::Subgroup => "@builtin(subgroup_invocation_id) lane: u32,",
        _ => "",
    };
    include_str!("../multiply.wgsl")
        .replace("{{EXTENSIONS}}", kernel.element.extension())
        .replace("{{ELEMENT}}", kernel.element.wgsl())
        .replace("{{TILES}}", &tiles(kernel))
        .replace("{{ACROSS}}", &kernel.across.to_string())
        .replace("{{DOWN}}", &kernel.down.to_string())
        .replace("{{LANE}}", lane)
        .replace("{{TILE_ROW_QUADS}}", &(kernel.tile_rows() / 4).to_string())
        .replace(
            "{{TILE_COLUMN_QUADS}}",
            &(kernel.tile_columns() / 4).to_string(),
        )
        .replace("{{ACCUMULATORS}}", &accumulators(kernel))
        .replace("{{SUMS}}", &sums(kernel))
        .replace("{{STORES}}", &stores(kernel))
}

/// Declares the tiles of workgroup memory.
fn tiles(kernel: &Multiply) -> String {
    let halves = match kernel.reading {
        Reading::Direct | Reading::Subgroup | Reading::MatrixUnits { .. } => return String::new(),
        Reading::Workgroup { .. } => 1,
        Reading::DoubleBuffered { .. } => 2,
    };
    let mut text = String::new();
    for side in Side::BOTH {
        let (name, vectors) = (side.name(), halves * side.vectors(kernel));
        let tile = format!("var<workgroup> {name}_tile: array<vec4<f32>, {vectors}>;");
        line(&mut text, &tile);
    }
    text
}

/// Every accumulator: its row, and its group of columns.
fn each(kernel: &Multiply) -> impl Iterator<Item = (u32, u32)> + use<> {
    let quads = kernel.column_quads;
    (0..4 * kernel.row_quads).flat_map(move |row| (0..quads).map(move |quad| (row, quad)))
}

fn accumulators(kernel: &Multiply) -> String {
    let mut text = String::new();
    for (row, quad) in each(kernel) {
        line(&mut text, &format!("var sum_{row}_{quad} = vec4<f32>();"));
        if kernel.sum == Sum::Integer {
            line(&mut text, &format!("var total_{row}_{quad} = vec4<i32>();"));
        }
    }
    text
}

/// The loop along the depth; in mode I, a loop over parts that stay exact around it.
fn sums(kernel: &Multiply) -> String {
    let mut text = String::new();
    if kernel.sum != Sum::Integer {
        sum_between(kernel, ("0u", "parameters.depth"), &mut text);
        return text;
    }
    let head = "for (var start = 0u; start < parameters.depth; start += ";
    line(&mut text, &format!("{head}{EXACT_TERMS}u) {{"));
    line(&mut text, &format!("let end = start + {EXACT_TERMS}u;"));
    sum_between(kernel, ("start", "end"), &mut text);
    for (row, quad) in each(kernel) {
        let (total, sum) = (format!("total_{row}_{quad}"), format!("sum_{row}_{quad}"));
        line(&mut text, &format!("{total} += vec4<i32>({sum});"));
        line(&mut text, &format!("{sum} = vec4<f32>();"));
    }
    line(&mut text, "}");
    text
}

fn sum_between(kernel: &Multiply, (start, end): (&str, &str), text: &mut String) {
    let lines = kernel.lines();
    if let Reading::DoubleBuffered { .. } = kernel.reading {
        line(text, "var half = 0u;");
        line(text, &format!("let first = {start};"));
        fetch(kernel, "first", text);
        keep(kernel, "first", text);
        line(text, "workgroupBarrier();");
    }
    line(
        text,
        &format!("for (var k = {start}; k < {end}; k += {lines}u) {{"),
    );
    line(text, "let line = k;");
    match kernel.reading {
        Reading::Direct => direct_step(kernel, text),
        Reading::Subgroup => subgroup_steps(kernel, text),
        Reading::Workgroup { .. } => {
            fetch(kernel, "line", text);
            keep(kernel, "line", text);
            line(text, "workgroupBarrier();");
            tile_steps(kernel, text);
            line(text, "workgroupBarrier();");
        }
        Reading::DoubleBuffered { .. } => {
            // The last turn fetches the first lines once more, which nothing reads.
            let after = format!("line + {lines}u");
            line(
                text,
                &format!("let next = select({start}, {after}, {after} < {end});"),
            );
            fetch(kernel, "next", text);
            tile_steps(kernel, text);
            line(text, "half = 1u - half;");
            keep(kernel, "next", text);
            line(text, "workgroupBarrier();");
        }
        Reading::MatrixUnits { .. } => unreachable!("matrix units have a text of their own"),
    }
    line(text, "}");
}

/// One of the operands.
#[derive(Clone, Copy)]
enum Side {
    Left,
    Right,
}

impl Side {
    const BOTH: [Self; 2] = [Self::Left, Self::Right];

    const fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Right => "right",
        }
    }

    /// The variable with the first vector of the workgroup's part of a line.
    const fn tile(self) -> &'static str {
        match self {
            Self::Left => "tile_row_quad",
            Self::Right => "tile_column_quad",
        }
    }

    /// The vectors of the workgroup's part of a line.
    const fn width(self, kernel: &Multiply) -> u32 {
        match self {
            Self::Left => kernel.tile_rows() / 4,
            Self::Right => kernel.tile_columns() / 4,
        }
    }

    /// The vectors of the workgroup's tile.
    const fn vectors(self, kernel: &Multiply) -> u32 {
        self.width(kernel) * kernel.lines()
    }
}

/// Reads this invocation's part of the lines from `first` on out of the buffers.
fn fetch(kernel: &Multiply, first: &str, text: &mut String) {
    for side in Side::BOTH {
        let (name, tile, width) = (side.name(), side.tile(), side.width(kernel));
        for (turn, offset) in offsets(kernel, side) {
            let place = format!("index + {offset}u");
            let at = format!(
                "({first} + ({place}) / {width}u) * {name}_quads + {tile} + ({place}) % {width}u"
            );
            let value = vector(kernel, side, &at);
            line(text, &format!("let {name}_{first}_{turn} = {value};"));
        }
    }
}

/// Writes what [`fetch`] read from `first` on into the tile.
fn keep(kernel: &Multiply, first: &str, text: &mut String) {
    for side in Side::BOTH {
        let (name, half) = (side.name(), half(kernel, side));
        for (turn, offset) in offsets(kernel, side) {
            let value = format!("{name}_{first}_{turn}");
            line(
                text,
                &format!("{name}_tile[{half}index + {offset}u] = {value};"),
            );
        }
    }
}

/// The turns in which all invocations together bring a tile in, and where in the tile each begins.
fn offsets(kernel: &Multiply, side: Side) -> impl Iterator<Item = (u32, u32)> + use<> {
    let invocations = kernel.across * kernel.down;
    (0..side.vectors(kernel) / invocations).map(move |turn| (turn, turn * invocations))
}

/// Where the set of lines in use begins, as the first term of an index.
fn half(kernel: &Multiply, side: Side) -> String {
    match kernel.reading {
        Reading::DoubleBuffered { .. } => format!("half * {}u + ", side.vectors(kernel)),
        _ => String::new(),
    }
}

/// A vector of an operand's buffer as f32.
fn vector(kernel: &Multiply, side: Side, at: &str) -> String {
    let name = side.name();
    match kernel.element {
        Element::F32 => format!("{name}[{at}]"),
        Element::F16 => format!("vec4<f32>({name}[{at}])"),
    }
}

/// The steps over the lines of a tile.
fn tile_steps(kernel: &Multiply, text: &mut String) {
    for step in 0..kernel.lines() {
        line(text, "{");
        for quad in 0..kernel.row_quads {
            let at = step * Side::Left.width(kernel) + quad * kernel.down;
            let half = half(kernel, Side::Left);
            line(
                text,
                &format!("let a{quad} = left_tile[{half}{at}u + local.y];"),
            );
        }
        for quad in 0..kernel.column_quads {
            let at = step * Side::Right.width(kernel) + quad * kernel.across;
            let half = half(kernel, Side::Right);
            line(
                text,
                &format!("let b{quad} = right_tile[{half}{at}u + local.x];"),
            );
        }
        add(kernel, text);
        line(text, "}");
    }
}

/// One step with operands straight from the buffers.
fn direct_step(kernel: &Multiply, text: &mut String) {
    for quad in 0..kernel.row_quads {
        let at = format!("line * left_quads + row_quad + {}u", quad * kernel.down);
        let value = vector(kernel, Side::Left, &at);
        line(text, &format!("let a{quad} = {value};"));
    }
    right_vectors(kernel, "line", text);
    add(kernel, text);
}

/// The steps over the lines that the lanes of a subgroup hold: lane `n` reads line `n` of A, larger subgroups read
/// the same lines again, and every lane reads its own columns of B.
fn subgroup_steps(kernel: &Multiply, text: &mut String) {
    for quad in 0..kernel.row_quads {
        let at = format!("(line + lane % {SUBGROUP_LINES}u) * left_quads + row_quad + {quad}u");
        let value = vector(kernel, Side::Left, &at);
        line(text, &format!("let held{quad} = {value};"));
    }
    for step in 0..SUBGROUP_LINES {
        line(text, "{");
        right_vectors(kernel, &format!("(line + {step}u)"), text);
        for quad in 0..kernel.row_quads {
            let value = format!("subgroupBroadcast(held{quad}, {step}u)");
            line(text, &format!("let a{quad} = {value};"));
        }
        add(kernel, text);
        line(text, "}");
    }
}

fn right_vectors(kernel: &Multiply, of_line: &str, text: &mut String) {
    for quad in 0..kernel.column_quads {
        let right = quad * kernel.across;
        let at = format!("{of_line} * right_quads + column_quad + {right}u");
        let value = vector(kernel, Side::Right, &at);
        line(text, &format!("let b{quad} = {value};"));
    }
}

/// Adds the product of the vectors `a` and `b` to every accumulator once.
fn add(kernel: &Multiply, text: &mut String) {
    for (row, quad) in each(kernel) {
        let component = ["x", "y", "z", "w"][row as usize % 4];
        let a = format!("a{}.{component}", row / 4);
        let sum = format!("sum_{row}_{quad}");
        let value = match kernel.sum {
            Sum::Fused | Sum::Integer => format!("fma(vec4<f32>({a}), b{quad}, {sum})"),
            Sum::Separate => format!("{sum} + {a} * b{quad}"),
        };
        line(text, &format!("{sum} = {value};"));
    }
}

fn stores(kernel: &Multiply) -> String {
    let mut text = String::new();
    for (row, quad) in each(kernel) {
        let down = (row / 4) * 4 * kernel.down + row % 4;
        let right = quad * kernel.across;
        let at = format!("(first_row + {down}u) * right_quads + column_quad + {right}u");
        let value = match kernel.sum {
            Sum::Fused | Sum::Separate => format!("sum_{row}_{quad}"),
            Sum::Integer => format!("total_{row}_{quad}"),
        };
        line(
            &mut text,
            &format!("product[{at}] = bitcast<vec4<u32>>({value});"),
        );
    }
    text
}

fn line(text: &mut String, statement: &str) {
    writeln!(text, "        {statement}").expect("writing to a String does not fail");
}
