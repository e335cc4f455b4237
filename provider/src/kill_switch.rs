//! Owns the shortest way from the owner's wish to the end of a worker, past every queue.
//!
//! Never settles anything: the lease hears of the yield by its own way and closes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sandbox::Killer;

/// Ends the worker of one lease, whether it runs, starts, or will only be started. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct KillSwitch {
    // A mutex and no owning task: the owner's wish must not wait for any task, and the lock is held for a few
    // instructions, never while a worker is being ended.
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    is_pulled: bool,
    killer: Option<Killer>,
}

impl KillSwitch {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment, so a poisoned lock still holds a whole state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a worker behind the switch. Where the switch was pulled already, the worker is ended at once.
    /// Blocks until then.
    pub(crate) fn arm(&self, killer: Killer) {
        let is_pulled = {
            let mut state = self.lock();
            state.killer = Some(killer.clone());
            state.is_pulled
        };
        if is_pulled {
            killer.kill();
        }
    }

    /// Ends the worker and everything it started, and every worker that comes later. Blocks until it is gone;
    /// returns whether there was one.
    pub(crate) fn pull(&self) -> bool {
        let killer = {
            let mut state = self.lock();
            state.is_pulled = true;
            state.killer.take()
        };
        let Some(killer) = killer else { return false };
        killer.kill();
        true
    }

    /// Tells whether somebody wanted the worker gone.
    pub(crate) fn is_pulled(&self) -> bool {
        self.lock().is_pulled
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
