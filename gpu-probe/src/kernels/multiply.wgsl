{{EXTENSIONS}}// The product of two matrices. Both operands are stored k-major: line k of `left` holds the k-th column of
// A, line k of `right` the k-th row of B, so that loads are contiguous. The product is stored row by row.
//
// An invocation computes a few groups of four rows by a few groups of four columns; the text between braces
// is generated, so that every accumulator is a variable of its own.

struct Parameters {
    // Vectors of four in a line of each operand.
    left_quads: u32,
    right_quads: u32,
    // Lines of each operand.
    depth: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> left: array<vec4<{{ELEMENT}}>>;
@group(0) @binding(2) var<storage, read> right: array<vec4<{{ELEMENT}}>>;
@group(0) @binding(3) var<storage, read_write> product: array<vec4<u32>>;

{{TILES}}
@compute @workgroup_size({{ACROSS}}, {{DOWN}})
fn multiply(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
    {{LANE}}
) {
    let left_quads = parameters.left_quads;
    let right_quads = parameters.right_quads;
    let tile_row_quad = group.y * {{TILE_ROW_QUADS}}u;
    let tile_column_quad = group.x * {{TILE_COLUMN_QUADS}}u;
    let row_quad = tile_row_quad + local.y;
    let column_quad = tile_column_quad + local.x;
{{ACCUMULATORS}}
{{SUMS}}
    let first_row = row_quad * 4u;
{{STORES}}
}
