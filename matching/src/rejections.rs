//! Owns the answer to "why are there no offers": how many were rejected, for which reason.
//!
//! Never counts an offer twice: the counts and the fitting offers add up to the offers considered.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::eligibility::Misfit;

/// Rejected offers by reason.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rejections {
    considered: u32,
    /// Offers that were not looked at.
    #[serde(default)]
    left_out: u32,
    by_reason: BTreeMap<Misfit, u32>,
}

impl Rejections {
    /// Makes the counts of `fitting` offers and of those with each reason against them; `left_out` were not looked at.
    pub(crate) fn new(
        fitting: u32,
        reasons: impl Iterator<Item = (Misfit, u32)>,
        left_out: u32,
    ) -> Self {
        let by_reason: BTreeMap<Misfit, u32> = reasons.filter(|(_, count)| *count > 0).collect();
        let rejected = by_reason
            .values()
            .fold(0_u32, |sum, count| sum.saturating_add(*count));
        Self {
            considered: fitting.saturating_add(rejected),
            left_out,
            by_reason,
        }
    }

    /// Returns how many offers were not looked at, because there are more than a quote looks at.
    pub fn left_out(&self) -> u32 {
        self.left_out
    }

    /// Returns how many offers were looked at.
    pub fn considered(&self) -> u32 {
        self.considered
    }

    /// Returns how many were rejected for `reason`.
    pub fn of(&self, reason: Misfit) -> u32 {
        self.by_reason.get(&reason).copied().unwrap_or(0)
    }

    /// Returns how many were rejected.
    pub fn rejected(&self) -> u32 {
        let counts = self.by_reason.values();
        counts.fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Returns how many fit.
    pub fn fitting(&self) -> u32 {
        self.considered.saturating_sub(self.rejected())
    }

    /// Returns each reason with its count, the most frequent first.
    pub fn ranked(&self) -> Vec<(Misfit, u32)> {
        let pairs = self.by_reason.iter();
        let mut ranked: Vec<_> = pairs.map(|(reason, count)| (*reason, *count)).collect();
        ranked.sort_by_key(|(reason, count)| (std::cmp::Reverse(*count), *reason));
        ranked
    }
}

impl fmt::Display for Rejections {
    /// Prints for example `40 offers: 2 fit, 31 too little memory, 4 above your price, 3 no certificate`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.considered == 0 {
            return f.write_str("no offers in the book");
        }
        let plural = if self.considered == 1 { "" } else { "s" };
        write!(f, "{} offer{plural}", self.considered)?;
        let fitting = self.fitting();
        let fit = (fitting > 0).then(|| format!("{fitting} fit"));
        let reasons = self.ranked();
        let rejected = reasons
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"));
        let words: Vec<String> = fit.into_iter().chain(rejected).collect();
        write!(f, ": {}", words.join(", "))?;
        match self.left_out {
            0 => Ok(()),
            more => write!(f, "; {more} more were not looked at"),
        }
    }
}
