// Sixteen independent chains of the map x -> x * x + c in every invocation; c in (-2, -1.875] makes them chaotic,
// so that a step left out, or rounded elsewhere, changes what is stored. The steps are generated.

struct Parameters {
    // How often the unrolled steps run.
    turns: u32,
    seed: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> results: array<u32>;

{{MIXER}}
// Four starts in [-1, 1), each exact in fp32.
fn starts(invocation: u32, chain: u32) -> vec4<f32> {
    let words = vec4<u32>(
        start_word(parameters.seed, invocation, chain),
        start_word(parameters.seed, invocation, chain + 1u),
        start_word(parameters.seed, invocation, chain + 2u),
        start_word(parameters.seed, invocation, chain + 3u),
    );
    return vec4<f32>(vec4<i32>(words >> vec4<u32>(9u)) - vec4<i32>(4194304)) * 0x1p-22;
}

@compute @workgroup_size(256)
fn chains(@builtin(global_invocation_id) id: vec3<u32>) {
    // Exact too: an integer in [-2^24, -15 * 2^20) times 2^-23.
    let offset = i32(start_word(parameters.seed, id.x, 16u) >> 12u) - 16777216;
    let c = vec4<f32>(f32(offset) * 0x1p-23);
    var a = starts(id.x, 0u);
    var b = starts(id.x, 4u);
    var d = starts(id.x, 8u);
    var e = starts(id.x, 12u);
    for (var turn = 0u; turn < parameters.turns; turn += 1u) {
{{STEPS}}
    }
    let folded = bitcast<vec4<u32>>(a) ^ bitcast<vec4<u32>>(b) ^ bitcast<vec4<u32>>(d) ^ bitcast<vec4<u32>>(e);
    results[id.x] = folded.x ^ folded.y ^ folded.z ^ folded.w;
}
