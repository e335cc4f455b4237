// Hashes tiles of 32 x 32 words of a product with BLAKE3 (plain hash mode). A tile's 4,096 bytes are four chunks, eight
// rows each: an invocation hashes one, and the first of each four then joins them.
//
// Constants, flags and the order of words are those of the BLAKE3 paper (O'Connor, Aumasson, Neves, Wilcox-O'Hearn, 2020).

struct Parameters {
    // Vectors of four from one row of the product to the next.
    row_quads: u32,
    // Tiles side by side, and all of them.
    tiles_across: u32,
    tiles: u32,
}

@group(0) @binding(0) var<uniform> parameters: Parameters;
@group(0) @binding(1) var<storage, read> product: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> leaves: array<vec4<u32>>;

const IV_LOW = vec4<u32>(0x6A09E667u, 0xBB67AE85u, 0x3C6EF372u, 0xA54FF53Au);
const IV_HIGH = vec4<u32>(0x510E527Fu, 0x9B05688Cu, 0x1F83D9ABu, 0x5BE0CD19u);
const CHUNK_START = 1u;
const CHUNK_END = 2u;
const PARENT = 4u;
const ROOT = 8u;

// A chaining value, and a block of sixteen words.
struct Value { low: vec4<u32>, high: vec4<u32> }
struct Block { a: vec4<u32>, b: vec4<u32>, c: vec4<u32>, d: vec4<u32> }
// The four rows of the state; each vector operation is four of the paper's.
struct State { a: vec4<u32>, b: vec4<u32>, c: vec4<u32>, d: vec4<u32> }

fn mix(start: State, x: vec4<u32>, y: vec4<u32>) -> State {
    var s = start;
    s.a += s.b + x;
    s.d ^= s.a;
    s.d = (s.d >> vec4<u32>(16u)) | (s.d << vec4<u32>(16u));
    s.c += s.d;
    s.b ^= s.c;
    s.b = (s.b >> vec4<u32>(12u)) | (s.b << vec4<u32>(20u));
    s.a += s.b + y;
    s.d ^= s.a;
    s.d = (s.d >> vec4<u32>(8u)) | (s.d << vec4<u32>(24u));
    s.c += s.d;
    s.b ^= s.c;
    s.b = (s.b >> vec4<u32>(7u)) | (s.b << vec4<u32>(25u));
    return s;
}

// One round: columns, then diagonals.
fn mix_round(start: State, x: vec4<u32>, y: vec4<u32>, z: vec4<u32>, w: vec4<u32>) -> State {
    var s = mix(start, x, y);
    s = mix(State(s.a, s.b.yzwx, s.c.zwxy, s.d.wxyz), z, w);
    return State(s.a, s.b.wxyz, s.c.zwxy, s.d.yzwx);
}

fn compress(value: Value, m: Block, counter: u32, flags: u32) -> Value {
    var s = State(value.low, value.high, IV_LOW, vec4<u32>(counter, 0u, 64u, flags));
{{ROUNDS}}
    return Value(s.a ^ s.c, s.b ^ s.d);
}

fn parent(left: Value, right: Value, flags: u32) -> Value {
    let m = Block(left.low, left.high, right.low, right.high);
    return compress(Value(IV_LOW, IV_HIGH), m, 0u, PARENT | flags);
}

var<workgroup> chunks: array<Value, 64>;

@compute @workgroup_size(64)
fn hash(
    @builtin(global_invocation_id) id: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let tile = id.x / 4u;
    let chunk = id.x % 4u;
    let is_tile = tile < parameters.tiles;
    if is_tile {
        let row = tile / parameters.tiles_across * 32u + chunk * 8u;
        let column_quad = tile % parameters.tiles_across * 8u;
        var value = Value(IV_LOW, IV_HIGH);
        for (var block = 0u; block < 16u; block += 1u) {
            let at = (row + block / 2u) * parameters.row_quads + column_quad + block % 2u * 4u;
            let m = Block(product[at], product[at + 1u], product[at + 2u], product[at + 3u]);
            let flags = select(0u, CHUNK_START, block == 0u) | select(0u, CHUNK_END, block == 15u);
            value = compress(value, m, chunk, flags);
        }
        chunks[index] = value;
    }
    workgroupBarrier();
    if is_tile && chunk == 0u {
        let first = parent(chunks[index], chunks[index + 1u], 0u);
        let second = parent(chunks[index + 2u], chunks[index + 3u], 0u);
        let root = parent(first, second, ROOT);
        leaves[tile * 2u] = root.low;
        leaves[tile * 2u + 1u] = root.high;
    }
}
