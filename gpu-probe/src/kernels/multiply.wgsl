// The product of two square matrices. Both operands are stored k-major: line k of `left` holds the
// k-th column of A, line k of `right` the k-th row of B, so that loads are contiguous.
//
// A workgroup of 16 x 16 computes a tile; the text between braces is generated, so that every
// accumulator is a variable of its own. Each entry has one accumulator and adds k = 0, 1, 2 ... in order.

struct Parameters {
    // Vectors of four in a line: the side / 4.
    quads: u32,
    // Lines of each operand.
    depth: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> left: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> right: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> product: array<vec4<f32>>;

const TILE_QUADS = {{QUADS}}u * 16u;
const TILE_DEPTH = {{DEPTH}}u;

var<workgroup> left_tile: array<vec4<f32>, 256>;
var<workgroup> right_tile: array<vec4<f32>, 256>;

@compute @workgroup_size(16, 16)
fn multiply(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let quads = parameters.quads;
    let load_line = index / TILE_QUADS;
    let load_quad = index % TILE_QUADS;
{{ACCUMULATORS}}
    for (var k = 0u; k < parameters.depth; k += TILE_DEPTH) {
        let at = (k + load_line) * quads + load_quad;
        left_tile[index] = left[at + group.y * TILE_QUADS];
        right_tile[index] = right[at + group.x * TILE_QUADS];
        workgroupBarrier();
{{STEPS}}
        workgroupBarrier();
    }
    let first_row = (group.y * TILE_QUADS + local.y) * 4u;
    let first_quad = group.x * TILE_QUADS + local.x;
{{STORES}}
}
