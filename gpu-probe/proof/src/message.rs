//! Owns the four messages of an exchange.
//!
//! Never decides whether an answer is right: a message that decodes is only well formed.

mod bytes;

use crate::chain::{Root, Subject};
use crate::draw::Place;
use crate::tile::Tile;
use crate::tree::Path;
use crate::workload::Workload;

pub(crate) use bytes::{read_subject, read_workload, write_subject, write_workload};

/// The longest time that a challenge gives for the roots, in milliseconds.
pub const MAX_LIMIT_MS: u32 = 600_000;

/// Asks a device to compute, from the verifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The nonce, fresh for every challenge.
    pub rho: [u8; 32],
    /// Whose device is meant.
    pub subject: Subject,
    /// What it has to compute.
    pub workload: Workload,
    /// How long the roots may take from the challenge's sending, in milliseconds, at most [`MAX_LIMIT_MS`].
    pub limit_ms: u32,
}

/// Commits to all rounds, from the prover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// One for each round, in order, at most [`MAX_ROUNDS`](crate::MAX_ROUNDS).
    pub roots: Vec<Root>,
}

/// Says which tiles are to be opened, from the verifier, drawn only after the roots came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw {
    /// What the places follow from.
    pub sigma: [u8; 32],
}

/// Shows the tiles drawn, from the prover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Openings {
    /// In the order of the draw, at most [`OPENINGS`](crate::OPENINGS).
    pub openings: Vec<Opening>,
}

/// One tile with what shows that it was committed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// Which tile it is.
    pub place: Place,
    /// Its entries.
    pub tile: Tile,
    /// From its leaf to its round's root.
    pub path: Path,
}

/// Anything that one side sends to the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// To the prover, first.
    Challenge(Challenge),
    /// To the verifier, as soon as all rounds are done.
    Roots(Roots),
    /// To the prover.
    Draw(Draw),
    /// To the verifier, last.
    Openings(Openings),
}

#[cfg(test)]
mod tests;
