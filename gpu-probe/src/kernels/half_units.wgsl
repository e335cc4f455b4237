// The same product on matrix units. A workgroup is one subgroup, which computes 4 x 4 units. Where a driver splits
// it into smaller subgroups, each computes all of them: the rate then reads too low, never too high.
enable f16;
enable wgpu_cooperative_matrix;

struct Parameters {
    // The side of the matrices, a multiple of four units.
    side: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> left: array<f16>;
@group(0) @binding(2) var<storage, read> right: array<f16>;
@group(0) @binding(3) var<storage, read_write> product: array<f32>;

const UNIT = {{UNIT}}u;

@compute @workgroup_size({{SUBGROUP}})
fn multiply(@builtin(workgroup_id) group: vec3<u32>) {
    let side = parameters.side;
    let first_row = group.y * UNIT * 4u;
    let first_column = group.x * UNIT * 4u;
{{ACCUMULATORS}}
    for (var k = 0u; k < side; k += UNIT) {
        let line = k * side;
{{STEP}}
    }
{{STORES}}
}
