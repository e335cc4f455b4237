// Sixteen chains of dot products of four packed 8-bit integers in every invocation, in pairs that feed each
// other: x += dot(y, w), y += dot(x, w). The steps are generated.
requires packed_4x8_integer_dot_product;

struct Parameters {
    // How often the unrolled steps run.
    turns: u32,
    seed: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> results: array<u32>;

{{MIXER}}
@compute @workgroup_size(256)
fn dots(@builtin(global_invocation_id) id: vec3<u32>) {
    let w = start_word(parameters.seed, id.x, 16u);
{{STARTS}}
    for (var turn = 0u; turn < parameters.turns; turn += 1u) {
{{STEPS}}
    }
    results[id.x] = {{FOLD}};
}
