//! Owns the chain of rounds: whose device is meant, the seed of each round and what its root commits to.
//!
//! Never gives a round's seed without its number and the root of the round before, so that no round is the same product
//! as another one, and none begins before its turn unless a root is made up.

use std::fmt;

use crate::draw::Place;
use crate::message::Challenge;
use crate::operands::{Operands, Seed};
use crate::tile::Leaf;
use crate::tree::{self, Path};
use crate::workload::Workload;

/// Whose device is challenged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// The prover's public key.
    pub key: [u8; 32],
    /// The number of the GPU in its host, from zero.
    pub gpu: u32,
}

/// What a round commits to: its number, the mode, the lengths, the number of tiles and all of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Root([u8; 32]);

impl Root {
    /// Wraps 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Commits to the leaves of round `round`; `None` if they are not one for each tile.
    pub fn of(workload: Workload, round: u32, leaves: &[Leaf]) -> Option<Self> {
        let is_whole = leaves.len() == workload.tiles() as usize;
        is_whole.then(|| Self::over(workload, round, &tree::top(leaves)))
    }

    /// Returns the root under which `leaf` is the tile at `place` with this path, if there can be one.
    pub(crate) fn above(
        workload: Workload,
        place: Place,
        leaf: &Leaf,
        path: &Path,
    ) -> Option<Self> {
        let of_all = (place.tile as usize, workload.tiles() as usize);
        let top = tree::top_above(leaf, of_all, path)?;
        Some(Self::over(workload, place.round, &top))
    }

    fn over(workload: Workload, round: u32, top: &[u8; 32]) -> Self {
        let shape = workload.shape();
        let mut hasher = blake3::Hasher::new_derive_key("throughput-proof 1 root");
        hasher.update(&round.to_le_bytes());
        hasher.update(&[workload.mode().code()]);
        for word in [
            shape.rows(),
            shape.columns(),
            shape.depth(),
            workload.tiles(),
        ] {
            hasher.update(&word.to_le_bytes());
        }
        hasher.update(top);
        Self(*hasher.finalize().as_bytes())
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, ..] = self.0;
        write!(f, "Root({a:02x}{b:02x}{c:02x}{d:02x})")
    }
}

/// Returns the seed of a round: [`Seed::derive`] of `rho || key || gpu || round`, followed by the root of the round
/// before where there is one.
///
/// Without its number two rounds that follow the same root would be the same product, and a prover that repeats a root
/// would compute one for two.
pub fn round_seed(rho: &[u8; 32], subject: &Subject, round: u32, before: Option<&Root>) -> Seed {
    let mut material = Vec::with_capacity(100);
    material.extend_from_slice(rho);
    material.extend_from_slice(&subject.key);
    material.extend_from_slice(&subject.gpu.to_le_bytes());
    material.extend_from_slice(&round.to_le_bytes());
    if let Some(root) = before {
        material.extend_from_slice(root.as_bytes());
    }
    Seed::derive(&material)
}

/// Returns the operands of round `round` of a challenge whose roots are known up to the round before.
pub(crate) fn round_operands(challenge: &Challenge, (round, roots): (u32, &[Root])) -> Operands {
    let before = round.checked_sub(1).map(|before| &roots[before as usize]);
    let seed = round_seed(&challenge.rho, &challenge.subject, round, before);
    Operands::in_mode(challenge.workload.mode(), &seed)
}

#[cfg(test)]
mod tests;
