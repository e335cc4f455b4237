//! Owns how many transactions each submitter may have waiting, so that none fills the queue alone.
//!
//! Never knows what a transaction says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use market::AccountId;

use crate::ledger::protocol::Unavailable;

/// The most transactions that one key may have waiting: a sixty-fourth of the queue.
pub const MAX_WAITING_PER_SUBMITTER: usize = 64;

/// Who has how many transactions waiting.
#[derive(Debug, Default)]
pub(super) struct Admission {
    // A mutex and no owning task: each submitter adds or takes one, and the lock is held for that long.
    waiting: Mutex<BTreeMap<AccountId, usize>>,
}

/// A place in the queue; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Place {
    admission: Arc<Admission>,
    submitter: AccountId,
}

impl Admission {
    /// Takes a place for a transaction of `submitter`, the key that signed it first.
    ///
    /// # Errors
    /// It has [`MAX_WAITING_PER_SUBMITTER`] waiting.
    pub(super) fn admit(self: &Arc<Self>, submitter: AccountId) -> Result<Place, Unavailable> {
        let mut waiting = self.lock();
        let count = waiting.entry(submitter).or_default();
        if *count >= MAX_WAITING_PER_SUBMITTER {
            return Err(Unavailable::SubmitterBusy);
        }
        *count += 1;
        Ok(Place {
            admission: Arc::clone(self),
            submitter,
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AccountId, usize>> {
        // Every change is one addition, so a poisoned lock still holds whole counts.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut waiting = self.admission.lock();
        if let Some(count) = waiting.get_mut(&self.submitter) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                waiting.remove(&self.submitter);
            }
        }
    }
}

#[cfg(test)]
mod tests;
