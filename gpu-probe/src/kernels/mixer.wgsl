// The mixer of PCG-RXS-M-XS-32 (Jarzynski and Olano: "Hash functions for GPU rendering", JCGT 2020).
fn mixed(word: u32) -> u32 {
    let state = word * 747796405u + 2891336453u;
    let value = ((state >> ((state >> 28u) + 4u)) ^ state) * 277803737u;
    return (value >> 22u) ^ value;
}

// A word that depends on the seed, the invocation and the chain.
fn start_word(seed: u32, invocation: u32, chain: u32) -> u32 {
    return mixed(mixed(invocation ^ seed) + chain);
}
