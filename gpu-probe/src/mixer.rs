//! Owns the cheap random words that a device and the CPU make alike, and their text for shaders.
//!
//! Never meets an opponent: the challenge that a stranger sends has its own generator.

/// The same functions in WGSL; a kernel's source has [`PLACE`] where they go.
pub(crate) const TEXT: &str = include_str!("kernels/mixer.wgsl");

/// What [`TEXT`] replaces.
pub(crate) const PLACE: &str = "{{MIXER}}";

/// Returns a word that looks random for every other `word`: PCG-RXS-M-XS-32
/// (Jarzynski and Olano: "Hash functions for GPU rendering", JCGT 2020).
pub(crate) const fn mixed(word: u32) -> u32 {
    let state = word.wrapping_mul(747_796_405).wrapping_add(2_891_336_453);
    let value = ((state >> ((state >> 28) + 4)) ^ state).wrapping_mul(277_803_737);
    (value >> 22) ^ value
}

/// Returns a word that depends on the seed, the invocation and the chain.
pub(crate) const fn start_word(seed: u32, invocation: u32, chain: u32) -> u32 {
    mixed(mixed(invocation ^ seed).wrapping_add(chain))
}
