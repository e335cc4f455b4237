//! Owns reputation: how far a seller's past deals speak for it, as a whole number that follows from signed receipts.
//!
//! Never typed in, never a float, and never made by one voice: what a payer says counts by the fees that it paid, and
//! no payer counts for more than a twentieth.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::amount::Amount;
use crate::ids::AccountId;
use crate::receipt::Outcome;
use crate::share_cap::share_cap;

/// A whole, in 1/10^4.
const WHOLE: u128 = 10_000;

/// A payer weighs at most one part in this many.
const PAYER_PARTS: usize = 20;

/// What is thought of a seller of whom nothing is known, in 1/10^4.
const UNKNOWN: u128 = 9_000;

/// For how many payers that counts.
const UNKNOWN_PAYERS: u128 = 5;

/// How far a seller delivers what it sells, in 1/10^4; 9,000 where nothing is known.
///
/// Each payer has a voice `v`: of the fees that it paid in deals with the seller, the share that went with deals in
/// which the seller did its part; a deal that the seller ended early counts half. The voice weighs the sum `f` of these
/// fees, cut to the cap at which nobody has more than a twentieth ([`share_cap`]): with fewer than twenty payers all
/// weigh the same. Five payers of mean weight, who think 9,000, are there from the beginning, so that a first deal
/// neither makes nor breaks a name:
///
/// ```text
/// (5 * mean * 9000 + sum of min(f, c) * v) / (5 * mean + sum of min(f, c))
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reputation(u16);

impl Default for Reputation {
    /// Nothing is known.
    fn default() -> Self {
        Self(UNKNOWN as u16)
    }
}

/// What one receipt says of a seller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deal {
    /// Who paid.
    pub payer: AccountId,
    /// What the deal paid into the fee pool; of one's own deals, what one likes them to weigh by.
    pub fee: Amount,
    /// How it ended.
    pub outcome: Outcome,
}

impl Reputation {
    /// Computes the reputation of a seller from what its receipts say, in any order. A deal without a fee says nothing.
    pub fn of(deals: impl IntoIterator<Item = Deal>) -> Self {
        let mut voices: BTreeMap<AccountId, (u128, u128)> = BTreeMap::new();
        for deal in deals {
            let fee = u128::from(deal.fee.nanocredits());
            let (fees, kept) = voices.entry(deal.payer).or_default();
            *fees = fees.saturating_add(fee);
            *kept = kept.saturating_add(fee.saturating_mul(kept_share(deal.outcome)));
        }
        voices.retain(|_, (fees, _)| *fees > 0);
        let payers = voices.len() as u128;
        if payers == 0 {
            return Self::default();
        }
        let cap = share_cap(
            voices.values().map(|(fees, _)| *fees).collect(),
            PAYER_PARTS,
        );
        let mut weight: u128 = 0;
        let mut said: u128 = 0;
        for (fees, kept) in voices.values() {
            let counts = (*fees).min(cap);
            weight = weight.saturating_add(counts);
            let voice = kept.checked_div(*fees).unwrap_or(0);
            said = said.saturating_add(counts.saturating_mul(voice));
        }
        // The mean weighs weight / payers; both sides are taken times the payers, so that nothing is rounded.
        let before = UNKNOWN_PAYERS.saturating_mul(weight);
        let whole = before.saturating_add(weight.saturating_mul(payers));
        let said = before
            .saturating_mul(UNKNOWN)
            .saturating_add(said.saturating_mul(payers));
        let share = said.checked_div(whole).unwrap_or(UNKNOWN).min(WHOLE);
        Self(share as u16)
    }

    /// Returns the number, 0 to 10,000.
    pub const fn bps(self) -> u16 {
        self.0
    }

    /// Returns what an offer's cost is multiplied by before it is ranked, in 1/10^4: 10,000 for one that always
    /// delivers, 20,000 for one that never does.
    pub fn cost_factor_bps(self) -> u16 {
        20_000_u16.saturating_sub(self.0)
    }
}

/// Returns how far the seller did its part in a deal that ended so, in 1/10^4.
const fn kept_share(outcome: Outcome) -> u128 {
    match outcome {
        // A job that failed by itself, that was cancelled, or that ran out of money was run as long as it was paid.
        Outcome::Completed | Outcome::Cancelled | Outcome::OutOfBudget | Outcome::Failed => WHOLE,
        Outcome::Yielded => WHOLE / 2,
        Outcome::Lost => 0,
    }
}

#[cfg(test)]
mod tests;
