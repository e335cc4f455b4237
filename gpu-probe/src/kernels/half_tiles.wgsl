// The product of two square matrices of f16 with f32 accumulators. Both operands are stored k-major: line k of
// `left` holds the k-th column of A, line k of `right` the k-th row of B.
//
// A workgroup of 16 x 16 computes a tile of 128 x 128. Elements become f32 once, on their way into workgroup
// memory. The text between braces is generated, so that every accumulator is a variable of its own.
enable f16;

struct Parameters {
    // The side of the matrices, a multiple of 128.
    side: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> left: array<vec4<f16>>;
@group(0) @binding(2) var<storage, read> right: array<vec4<f16>>;
@group(0) @binding(3) var<storage, read_write> product: array<vec4<f32>>;

const TILE_QUADS = 32u;
const TILE_DEPTH = 8u;

var<workgroup> left_tile: array<vec4<f32>, 256>;
var<workgroup> right_tile: array<vec4<f32>, 256>;

@compute @workgroup_size(16, 16)
fn multiply(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let quads = parameters.side / 4u;
    let load_line = index / TILE_QUADS;
    let load_quad = index % TILE_QUADS;
{{ACCUMULATORS}}
    for (var k = 0u; k < parameters.side; k += TILE_DEPTH) {
        let at = (k + load_line) * quads + load_quad;
        left_tile[index] = vec4<f32>(left[at + group.y * TILE_QUADS]);
        right_tile[index] = vec4<f32>(right[at + group.x * TILE_QUADS]);
        workgroupBarrier();
        for (var step = 0u; step < TILE_DEPTH; step += 1u) {
            let line = step * TILE_QUADS;
            let a0 = left_tile[line + local.y];
            let a1 = left_tile[line + 16u + local.y];
            let b0 = right_tile[line + local.x];
            let b1 = right_tile[line + 16u + local.x];
{{STEP}}
        }
        workgroupBarrier();
    }
    let first_row = (group.y * TILE_QUADS + local.y) * 4u;
    let first_quad = group.x * TILE_QUADS + local.x;
{{STORES}}
}
