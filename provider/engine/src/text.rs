//! Owns the text that is trained on: its split, its batches, and what a guess without context costs.
//!
//! Tokens are bytes. The held-out part is the end of the text, so that no window of it overlaps what is
//! trained on. Never reads a file and never draws entropy: batches follow from the seed and the step.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use market::job::{BYTE_VOCABULARY, TrainSpec};

use crate::tokens::{TokenBatch, TokenError};

/// The most held-out tokens that one measurement reads.
const MAX_HELD_OUT_TOKENS: usize = 1 << 15;

/// Why a text cannot be trained on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// A part of the text is shorter than one sequence.
    #[error(
        "the {part} part of the text has {bytes} bytes, but a sequence needs {needed}; use a longer \
         text, a shorter train.sequence or another train.held_out_bps"
    )]
    TooShort {
        /// Which part.
        part: &'static str,
        /// Its length in bytes.
        bytes: usize,
        /// What one sequence and its last target need.
        needed: usize,
    },
}

/// Input tokens and, for each, the token that follows it.
pub(crate) struct Windows {
    pub(crate) inputs: TokenBatch,
    pub(crate) targets: TokenBatch,
}

impl Windows {
    /// Cuts the rows into at most `parts` even pieces, each with its share of the tokens.
    pub(crate) fn split(&self, parts: usize) -> Result<Vec<(Self, f32)>, TokenError> {
        let rows = self.inputs.rows();
        self.slices(rows.div_ceil(parts.clamp(1, rows)))
    }

    /// Cuts the rows into pieces of at most `step` rows, each with its share of the tokens.
    pub(crate) fn slices(&self, step: usize) -> Result<Vec<(Self, f32)>, TokenError> {
        let rows = self.inputs.rows();
        let step = step.max(1);
        let mut pieces = Vec::with_capacity(rows.div_ceil(step));
        for start in (0..rows).step_by(step) {
            let range = start..rows.min(start + step);
            let share = range.len() as f32 / rows as f32;
            let piece = Self {
                inputs: self.inputs.slice_rows(range.clone())?,
                targets: self.targets.slice_rows(range)?,
            };
            pieces.push((piece, share));
        }
        Ok(pieces)
    }
}

/// A text in two parts.
pub(crate) struct Text<'data> {
    train: &'data [u8],
    held_out: &'data [u8],
    batch: usize,
    sequence: usize,
    seed: u64,
}

impl<'data> Text<'data> {
    /// Splits a text as the job says; each part must hold at least one sequence and its last target.
    pub(crate) fn split(bytes: &'data [u8], spec: &TrainSpec) -> Result<Self, TextError> {
        let share = bytes.len() as u128 * u128::from(spec.held_out_bps);
        let held_out_bytes = usize::try_from(share.div_ceil(10_000)).unwrap_or(bytes.len());
        let (train, held_out) = bytes.split_at(bytes.len().saturating_sub(held_out_bytes));
        let needed = spec.sequence as usize + 1;
        for (part, text) in [("training", train), ("held-out", held_out)] {
            if text.len() < needed {
                return Err(TextError::TooShort {
                    part,
                    bytes: text.len(),
                    needed,
                });
            }
        }
        Ok(Self {
            train,
            held_out,
            batch: spec.batch as usize,
            sequence: spec.sequence as usize,
            seed: spec.seed,
        })
    }

    /// Returns the part that is trained on.
    pub(crate) fn training_part(&self) -> &'data [u8] {
        self.train
    }

    /// Draws the batch of a step: windows at places that follow from the seed and the step alone, so
    /// that a resumed job goes on with the same batches.
    pub(crate) fn batch(&self, step: u32) -> Result<Windows, TokenError> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(u64::from(step));
        let last_start = self.train.len() - self.sequence - 1;
        let starts = (0..self.batch).map(|_| rng.random_range(0..=last_start));
        self.windows(self.train, starts)
    }

    /// Returns the held-out text as batches of windows that do not overlap, at most
    /// [`MAX_HELD_OUT_TOKENS`] from its start.
    pub(crate) fn held_out(&self) -> impl Iterator<Item = Result<Windows, TokenError>> + '_ {
        let fitting = (self.held_out.len() - 1) / self.sequence;
        let count = fitting.min((MAX_HELD_OUT_TOKENS / self.sequence).max(1));
        let starts: Vec<usize> = (0..count).map(|window| window * self.sequence).collect();
        let batches: Vec<Vec<usize>> = starts.chunks(self.batch).map(<[usize]>::to_vec).collect();
        batches
            .into_iter()
            .map(|starts| self.windows(self.held_out, starts.into_iter()))
    }

    fn windows(
        &self,
        text: &[u8],
        starts: impl Iterator<Item = usize>,
    ) -> Result<Windows, TokenError> {
        let mut inputs = Vec::new();
        let mut targets = Vec::new();
        for start in starts {
            let end = start + self.sequence;
            inputs.extend(text[start..end].iter().copied().map(i64::from));
            targets.extend(text[start + 1..=end].iter().copied().map(i64::from));
        }
        Ok(Windows {
            inputs: TokenBatch::new(&inputs, self.sequence, BYTE_VOCABULARY)?,
            targets: TokenBatch::new(&targets, self.sequence, BYTE_VOCABULARY)?,
        })
    }
}

/// Returns the entropy of a text's bytes in nats, `-sum p ln p`: the mean loss of the best guess that
/// knows how frequent each byte is and nothing else. 0 for an empty text.
pub fn unigram_entropy(text: &[u8]) -> f64 {
    let mut counts = [0_u64; 256];
    for &byte in text {
        counts[usize::from(byte)] += 1;
    }
    let total = text.len() as f64;
    let shares = counts
        .iter()
        .filter(|&&count| count > 0)
        .map(|&count| count as f64 / total);
    shares.map(|share| -share * share.ln()).sum()
}

#[cfg(test)]
mod tests;
