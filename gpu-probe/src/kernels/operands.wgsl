{{EXTENSIONS}}// Makes one operand, stored k-major: line k holds element k of every row of A, or of every column of B.
// An invocation makes four elements along k from one block of Philox4x32-10.

struct Parameters {
    // Rows of A or columns of B.
    side: u32,
    // 0 for A, 1 for B.
    tag: u32,
    // The generator's key, and the last word of its counter.
    key_0: u32,
    key_1: u32,
    word: u32,
    // How many values an element can have: 8,191 in mode F, 511 in mode I.
    values: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read_write> matrix: array<{{ELEMENT}}>;

// The high word of a product, from four products of half words.
fn high_word(a: u32, b: u32) -> u32 {
    let a_low = a & 0xffffu;
    let a_high = a >> 16u;
    let b_low = b & 0xffffu;
    let b_high = b >> 16u;
    let cross = a_high * b_low;
    let cross_too = a_low * b_high;
    let middle = ((a_low * b_low) >> 16u) + (cross & 0xffffu) + (cross_too & 0xffffu);
    return a_high * b_high + (cross >> 16u) + (cross_too >> 16u) + (middle >> 16u);
}

fn philox(start: vec4<u32>, start_key: vec2<u32>) -> vec4<u32> {
    var words = start;
    var key = start_key;
    for (var round = 0u; round < 10u; round += 1u) {
        let high = vec2<u32>(high_word(0xD2511F53u, words.x), high_word(0xCD9E8D57u, words.z));
        let low = vec2<u32>(0xD2511F53u * words.x, 0xCD9E8D57u * words.z);
        words = vec4<u32>(high.y ^ words.y ^ key.x, low.y, high.x ^ words.w ^ key.y, low.x);
        key += vec2<u32>(0x9E3779B9u, 0xBB67AE85u);
    }
    return words;
}

// Maps a word to an integer around zero: in [-4095, 4095] or in [-255, 255].
fn element(word: u32) -> {{ELEMENT}} {
    let value = ((word >> 16u) * parameters.values) >> 16u;
    return {{ELEMENT}}(i32(value) - i32(parameters.values / 2u));
}

@compute @workgroup_size(64)
fn generate(@builtin(global_invocation_id) id: vec3<u32>) {
    let line = id.x;
    let block = id.y;
    if line >= parameters.side {
        return;
    }
    let counter = vec4<u32>(line, block, parameters.tag, parameters.word);
    let words = philox(counter, vec2<u32>(parameters.key_0, parameters.key_1));
    let at = block * 4u * parameters.side + line;
    matrix[at] = element(words.x);
    matrix[at + parameters.side] = element(words.y);
    matrix[at + 2u * parameters.side] = element(words.z);
    matrix[at + 3u * parameters.side] = element(words.w);
}
