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
    by_reason: BTreeMap<Misfit, u32>,
}

impl Rejections {
    /// Counts one offer: with the reason against it, or `None` where it fits.
    pub fn count(&mut self, misfit: Option<Misfit>) {
        self.considered = self.considered.saturating_add(1);
        if let Some(reason) = misfit {
            let count = self.by_reason.entry(reason).or_default();
            *count = count.saturating_add(1);
        }
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
        let fitting = self.considered.saturating_sub(self.rejected());
        let fit = (fitting > 0).then(|| format!("{fitting} fit"));
        let reasons = self.ranked();
        let rejected = reasons
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"));
        let words: Vec<String> = fit.into_iter().chain(rejected).collect();
        write!(f, ": {}", words.join(", "))
    }
}
