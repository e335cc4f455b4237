enable f16;
enable wgpu_cooperative_matrix;
// The product of mode I on matrix units. Operands and product are stored as multiply.wgsl says. A workgroup is
// one subgroup; it sums 256 terms in blocks of f32, which is exact, and adds them to whole numbers in its memory.

struct Parameters {
    // Vectors of four in a line of each operand.
    left_quads: u32,
    right_quads: u32,
    // Lines of each operand.
    depth: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> left: array<f16>;
@group(0) @binding(2) var<storage, read> right: array<f16>;
@group(0) @binding(3) var<storage, read_write> product: array<u32>;

const SIDE = {{SIDE}}u;
const LANES = {{LANES}}u;
const TILE_ROWS = {{TILE_ROWS}}u;
const TILE_COLUMNS = {{TILE_COLUMNS}}u;

var<workgroup> block: array<f32, {{BLOCK}}>;
var<workgroup> totals: array<i32, {{TOTALS}}>;

// Adds the block in workgroup memory to the totals from `first` on. Every lane has entries of its own.
fn add_block(first: u32, lane: u32) {
    workgroupBarrier();
    for (var at = lane; at < SIDE * SIDE; at += LANES) {
        totals[first + at / SIDE * TILE_COLUMNS + at % SIDE] += i32(block[at]);
    }
    workgroupBarrier();
}

@compute @workgroup_size({{LANES}})
fn multiply(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let rows = parameters.left_quads * 4u;
    let columns = parameters.right_quads * 4u;
    let first_row = group.y * TILE_ROWS;
    let first_column = group.x * TILE_COLUMNS;
    for (var at = lane; at < TILE_ROWS * TILE_COLUMNS; at += LANES) {
        totals[at] = 0i;
    }
    for (var start = 0u; start < parameters.depth; start += {{EXACT_TERMS}}u) {
{{ACCUMULATORS}}
        for (var k = start; k < start + {{EXACT_TERMS}}u; k += SIDE) {
{{STEPS}}
        }
{{ADDITIONS}}
    }
    for (var at = lane; at < TILE_ROWS * TILE_COLUMNS; at += LANES) {
        let place = (first_row + at / TILE_COLUMNS) * columns + first_column + at % TILE_COLUMNS;
        product[place] = bitcast<u32>(totals[at]);
    }
}
