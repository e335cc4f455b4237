// Makes one operand of small integers in f16, four elements an invocation; see the CPU's side for the formula.
enable f16;

struct Parameters {
    seed: u32,
    // Invocations in a line of the dispatch.
    width: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> matrix: array<vec4<f16>>;

{{MIXER}}
// An integer in [-63, 63].
fn element(index: u32) -> f32 {
    return f32(i32(((mixed(index ^ parameters.seed) >> 16u) * 127u) >> 16u) - 63);
}

@compute @workgroup_size(256)
fn generate(@builtin(global_invocation_id) id: vec3<u32>) {
    let quad = id.y * parameters.width + id.x;
    let first = quad * 4u;
    let elements = vec4<f32>(element(first), element(first + 1u), element(first + 2u), element(first + 3u));
    matrix[quad] = vec4<f16>(elements);
}
