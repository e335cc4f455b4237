//! Owns bids that stand: what a run waits with while nobody sells at its price.
//!
//! ```text
//!   book changes ──┐                          ┌─► Look ─► the search of any run: reserve, one nonce
//!   offers ─► Desk ┼─► Machine (pure, one a bid) ─► Post ─► the node's order book
//!   protocol time ─┘                          └─► End  ─► order cancelled, the run says so
//! ```
//! Never reserves by itself and never trusts an offer more than gossip: what fits is found by the quote that
//! `run` uses, and reserved by the search that `run` uses.

mod desk;
mod machine;
mod offer;
mod order;

use std::sync::Arc;

use market::order::Slot;
use tokio::sync::Notify;

pub(crate) use desk::serve;
pub(crate) use machine::{Found, Machine, Step};
pub(crate) use order::{body, least_class, offered_kind};

/// The first slot that bids use; the one before is the seller's.
const FIRST_SLOT: u8 = 1;

/// A bid of a live run.
#[derive(Debug, Clone)]
pub(crate) struct Standing {
    /// Where its order stands in the book.
    pub(crate) slot: Slot,
    pub(crate) machine: Machine,
    /// Wakes the run's task.
    pub(crate) wake: Arc<Notify>,
}

impl Standing {
    /// Begins a bid in a slot that is not among the `taken` ones; `None` where all are taken.
    pub(crate) fn begin(machine: Machine, taken: impl Fn(Slot) -> bool) -> Option<Self> {
        let slots = (FIRST_SLOT..market::order::SLOTS).filter_map(Slot::new);
        let mut free = slots.filter(|slot| !taken(*slot));
        Some(Self {
            slot: free.next()?,
            machine,
            wake: Arc::new(Notify::new()),
        })
    }
}

#[cfg(test)]
mod race;
#[cfg(test)]
mod tests;
