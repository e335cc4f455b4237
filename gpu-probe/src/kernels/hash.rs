//! Owns the kernel that hashes tiles: the schedule of its message words, written out.
//!
//! Never knows what the words mean.

use std::fmt::Write as _;

use super::Kernel;

/// The tiles that one workgroup hashes.
pub(crate) const TILES_PER_GROUP: u32 = 16;

/// Rounds of the compression function.
const ROUNDS: usize = 7;

/// Where each message word of the next round comes from (BLAKE3 paper, table 2).
const PERMUTATION: [usize; 16] = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8];

/// Returns the kernel that hashes every tile of a product.
pub(crate) fn hash() -> Kernel {
    Kernel {
        source: include_str!("hash.wgsl").replace("{{ROUNDS}}", &rounds()),
        entry_point: "hash",
    }
}

fn rounds() -> String {
    let mut text = String::new();
    let mut order: [usize; 16] = std::array::from_fn(|word| word);
    for _ in 0..ROUNDS {
        let word = |at: usize| {
            let vector = ["a", "b", "c", "d"][order[at] / 4];
            let component = ["x", "y", "z", "w"][order[at] % 4];
            format!("m.{vector}.{component}")
        };
        // Columns and diagonals take their words in pairs: the first of each pair before the second rotation.
        let vector = |first: usize| {
            let words = [0, 2, 4, 6].map(|step| word(first + step));
            format!("vec4<u32>({})", words.join(", "))
        };
        let words = [vector(0), vector(1), vector(8), vector(9)];
        writeln!(text, "    s = mix_round(s, {});", words.join(", "))
            .expect("writing to a String does not fail");
        order = PERMUTATION.map(|from| order[from]);
    }
    text
}
