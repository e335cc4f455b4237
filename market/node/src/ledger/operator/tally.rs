//! Owns what an operator has made final and what it has refused since its start, by reason.
//!
//! Never decides anything, and never keeps whose transaction it was.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::SubmitError;
use crate::ledger::protocol::Unavailable;

/// Counts since the start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tallied {
    /// Transactions that became final.
    pub finals: u64,
    /// Transactions that the ledger refused, by the rule that they broke.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Transactions that were not looked at, by the reason.
    pub unavailable: BTreeMap<&'static str, u64>,
}

/// Counts while the operator runs.
#[derive(Debug, Default)]
pub(super) struct Tally {
    // A mutex and no owning task: each submitter adds to one number, and the lock is held for that long.
    tallied: Mutex<Tallied>,
}

impl Tally {
    fn lock(&self) -> MutexGuard<'_, Tallied> {
        // Every change is one addition, so a poisoned lock still holds whole counts.
        self.tallied.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts transactions that have become final.
    pub(super) fn note_finals(&self, count: u64) {
        self.lock().finals += count;
    }

    /// Counts why a transaction has no proof.
    pub(super) fn note_error(&self, error: &SubmitError) {
        let mut tallied = self.lock();
        let count = match error {
            SubmitError::Rejected(reason) => tallied.rejected.entry(reason.rule()),
            SubmitError::Unavailable(why) => tallied.unavailable.entry(name(*why)),
            SubmitError::Operator(_) => tallied.unavailable.entry("unreadable"),
        };
        *count.or_default() += 1;
    }

    /// Returns the counts.
    pub(super) fn read(&self) -> Tallied {
        self.lock().clone()
    }
}

fn name(why: Unavailable) -> &'static str {
    match why {
        Unavailable::NotOperator => "not_operator",
        Unavailable::Busy => "busy",
        Unavailable::DiskFull => "disk_full",
        Unavailable::Stopped => "stopped",
        Unavailable::SubmitterBusy => "submitter_busy",
        Unavailable::NoKey => "no_key",
    }
}
