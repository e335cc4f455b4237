//! Owns what this node thinks of the sellers that it has dealt with, out of its own runs.
//!
//! Never takes anybody else's word, and computes nothing itself: the rule is `market::reputation`'s.

use std::collections::BTreeMap;

use market::reputation::{Deal, Reputation};
use market::{AccountId, NodeId};

use crate::record::{RunRecord, has_ended};

/// Returns the reputation of every seller that an attempt of these runs has ended with, by what `payer` saw of it. A
/// deal weighs what was locked for it.
pub(crate) fn of(records: &[RunRecord], payer: AccountId) -> Vec<(NodeId, Reputation)> {
    let mut deals: BTreeMap<NodeId, Vec<Deal>> = BTreeMap::new();
    let attempts = records.iter().flat_map(|record| &record.attempts);
    for attempt in attempts.filter(|attempt| has_ended(attempt)) {
        let lost = attempt
            .lost
            .as_ref()
            .map(|_| market::receipt::Outcome::Lost);
        let Some(outcome) = lost.or(attempt.outcome) else {
            continue;
        };
        deals.entry(attempt.provider).or_default().push(Deal {
            payer,
            fee: attempt.deposit,
            outcome,
        });
    }
    let opinions = deals.into_iter();
    opinions
        .map(|(node, deals)| (node, Reputation::of(deals)))
        .collect()
}

#[cfg(test)]
mod tests;
