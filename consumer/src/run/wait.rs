//! Owns the decision what a run waits for that cannot go on now: another provider, or its own money.
//!
//! Pure: never asks a clock or the ledger.

use std::time::Duration;

use market::{Amount, Timestamp};
use market_node::api::PendingRefund;

use crate::buyer::RunError;

/// What a run waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// An offer that fits.
    Provider,
    /// Money that is on its way back and is enough.
    Refund {
        /// How much of it there is by then.
        amount: Amount,
        /// How long until it is due.
        left: Duration,
    },
}

/// What kind of wait it is: each is told once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Provider,
    Refund,
}

impl Wait {
    pub(super) fn kind(self) -> Kind {
        match self {
            Self::Provider => Kind::Provider,
            Self::Refund { .. } => Kind::Refund,
        }
    }

    /// Returns how long what is waited for still takes; `None` where that is not known, or is past.
    pub(super) fn left(self) -> Option<Duration> {
        match self {
            Self::Provider => None,
            Self::Refund { left, .. } => (!left.is_zero()).then_some(left),
        }
    }

    /// Says in words what is waited for and until when.
    pub(super) fn words(self, error: &RunError, patience: Duration) -> String {
        match self {
            Self::Provider => format!(
                "{error}; waiting up to {} s for another provider",
                patience.as_secs()
            ),
            Self::Refund { amount, left } => format!(
                "the account cannot lock the next deposit yet; waiting for the refund of {amount}, which is due \
                 in {} s",
                left.as_secs()
            ),
        }
    }
}

/// Decides what is waited for where `missing` is needed and `pending` is on its way back: the first refunds that
/// are enough together, or else a cheaper provider.
pub(super) fn wait_for(missing: Amount, mut pending: Vec<PendingRefund>, now: Timestamp) -> Wait {
    pending.sort_by_key(|refund| refund.due_at);
    let mut sum = Amount::ZERO;
    for refund in pending {
        sum = sum
            .checked_add(refund.amount)
            .unwrap_or(market::amount::SUPPLY_CAP);
        if sum >= missing {
            return Wait::Refund {
                amount: sum,
                left: refund.due_at.saturating_since(now),
            };
        }
    }
    Wait::Provider
}

#[cfg(test)]
mod tests;
