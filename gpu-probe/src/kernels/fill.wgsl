// Writes a pattern that names each word's place, so that memory which is not there cannot pass.

struct Parameters {
    // Another one for each buffer.
    salt: u32,
    // Invocations in a line of the dispatch.
    width: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> words: array<vec4<u32>>;

@compute @workgroup_size(256)
fn fill(@builtin(global_invocation_id) id: vec3<u32>) {
    let quad = id.y * parameters.width + id.x;
    let index = vec4<u32>(quad * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
    words[quad] = (index ^ vec4<u32>(parameters.salt)) * 0x9E3779B1u;
}
