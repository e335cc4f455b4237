//! Owns the choice of the next token from a model's scores.
//!
//! Works on the processor in f64 from a seed, so that the same scores give the same token everywhere.
//! Never runs a model.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Chooses tokens: the likeliest at temperature 0, else by chance in proportion to `exp(score / t)`.
pub(crate) struct Sampler {
    rng: ChaCha8Rng,
    temperature: f64,
}

impl Sampler {
    /// Makes a sampler for a temperature in 1/10^3.
    pub(crate) fn new(temperature_milli: u32, seed: u64) -> Self {
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            temperature: f64::from(temperature_milli) / 1e3,
        }
    }

    /// Returns the chosen token; `None` when there are no scores or one is not finite.
    pub(crate) fn choose(&mut self, scores: &[f32]) -> Option<u32> {
        if !scores.iter().all(|score| score.is_finite()) {
            return None;
        }
        let highest = scores.iter().copied().reduce(f32::max)?;
        let index = if self.temperature > 0.0 {
            self.draw(scores, highest)
        } else {
            scores.iter().position(|&score| score >= highest)?
        };
        u32::try_from(index).ok()
    }

    fn draw(&mut self, scores: &[f32], highest: f32) -> usize {
        let weight = |score: &f32| (f64::from(score - highest) / self.temperature).exp();
        let weights: Vec<f64> = scores.iter().map(weight).collect();
        let mut left = self.rng.random::<f64>() * weights.iter().sum::<f64>();
        for (index, weight) in weights.iter().enumerate() {
            left -= weight;
            if left < 0.0 {
                return index;
            }
        }
        weights.len() - 1
    }
}

#[cfg(test)]
mod tests;
