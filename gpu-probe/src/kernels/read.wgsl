// Reads a buffer once: every invocation adds up 32 vectors. They lie a workgroup's width apart, so that neighbours
// read neighbours, or side by side, so that each invocation has cache lines of its own.

@group(0) @binding(0) var<storage, read> words: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read_write> sums: array<u32>;

const WIDTH = 256u;
const INVOCATION_STEP = {{INVOCATION_STEP}}u;
const TURN_STEP = {{TURN_STEP}}u;
const TURNS = 32u;

@compute @workgroup_size(256)
fn add_up(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {
    let first = group.x * WIDTH * TURNS + local.x * INVOCATION_STEP;
    var sum = vec4<u32>();
    for (var turn = 0u; turn < TURNS; turn += 1u) {
        sum += words[first + turn * TURN_STEP];
    }
    sums[group.x * WIDTH + local.x] = sum.x + sum.y + sum.z + sum.w;
}
