//! Owns the openings of one attempt that were signed and sent, and to which no proof came back. All carry one
//! nonce, which the ledger takes once, so at most one of them ever opens.
//!
//! Never drops one that could still open a channel, or has: it is found on the ledger, known to be dead, or watched.

use std::time::{Duration, Instant};

use crate::reserve::{Fate, Opened, Opening, ReserveError};

/// How long a buyer whom all offers failed waits for those whose answer was lost, and how often it looks.
const LAST_LOOK: Duration = Duration::from_secs(30);
const LAST_LOOK_STEP: Duration = Duration::from_secs(1);

/// Openings without a proof.
#[derive(Default)]
pub(super) struct Sent {
    /// May be final: the answer was lost, or says nothing about it.
    doubtful: Vec<Opening>,
    /// Refused in words. A word is no proof, so they are watched all the same.
    refused: Vec<Opening>,
}

impl Sent {
    /// Takes in openings that an earlier run of this node sent.
    pub(super) fn of(openings: Vec<Opening>) -> Self {
        Self {
            doubtful: openings,
            refused: Vec::new(),
        }
    }

    /// Returns how many there are.
    pub(super) fn count(&self) -> usize {
        self.doubtful.len() + self.refused.len()
    }

    /// Tells whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Waits until one of them has opened a channel, be it closed by now, or none can any more, however long the ledger cannot be asked:
    /// before that is known nothing more may be locked in their place.
    pub(super) async fn settle(&mut self) -> Option<(Opening, Opened)> {
        self.refused.append(&mut self.doubtful);
        loop {
            let can_open = self.refused.iter().any(Opening::can_open);
            match self.find().await {
                Ok(Some((position, opened))) => {
                    return Some((self.refused.swap_remove(position), opened));
                }
                Ok(None) if !can_open => return None,
                Ok(None) | Err(_) => tokio::time::sleep(LAST_LOOK_STEP).await,
            }
        }
    }

    /// Takes in an opening that brought no proof.
    pub(super) async fn take(&mut self, fate: Fate, opening: Opening) {
        match fate {
            Fate::Unknown => self.doubtful.push(opening),
            Fate::Refused => self.refused.push(opening),
            Fate::NeverSent => opening.forget().await,
        }
    }

    /// Looks for a while whether one of the openings without an answer is final after all. Those that were
    /// refused, or were waited for before, are looked at once. What can open nothing any more is left to the watch.
    pub(super) async fn look(&mut self) -> Option<(Opening, Opened)> {
        let patience = Instant::now() + LAST_LOOK;
        let waits = !self.doubtful.is_empty();
        self.refused.append(&mut self.doubtful);
        loop {
            // Asked before the look: an opening that has lapsed and is not there then never will be.
            let can_open: Vec<bool> = self.refused.iter().map(Opening::can_open).collect();
            match self.find().await {
                Ok(Some((position, opened))) => {
                    return Some((self.refused.swap_remove(position), opened));
                }
                Ok(None) => self.leave_lapsed(&can_open),
                Err(_) => {}
            }
            if !waits || !can_open.contains(&true) || Instant::now() >= patience {
                return None;
            }
            tokio::time::sleep(LAST_LOOK_STEP).await;
        }
    }

    /// Finds the one that has opened a channel. Fails where there is none among those that could be looked up.
    async fn find(&self) -> Result<Option<(usize, Opened)>, ReserveError> {
        let mut failed = None;
        for (position, opening) in self.refused.iter().enumerate() {
            match opening.look().await {
                Ok(Some(opened)) => return Ok(Some((position, opened))),
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(None), Err)
    }

    /// Leaves those to be watched that can open nothing any more and have not, as far as this look tells.
    fn leave_lapsed(&mut self, can_open: &[bool]) {
        let all = std::mem::take(&mut self.refused).into_iter().zip(can_open);
        for (opening, can_open) in all {
            match can_open {
                true => self.refused.push(opening),
                false => opening.watch(),
            }
        }
    }

    /// Forgets all: their nonce is used, so they open nothing any more.
    pub(super) async fn forget(&mut self) {
        for opening in self.doubtful.drain(..).chain(self.refused.drain(..)) {
            opening.forget().await;
        }
    }

    /// Leaves all to be watched until they can open nothing.
    pub(super) fn watch(self) {
        let all = self.doubtful.into_iter().chain(self.refused);
        all.for_each(Opening::watch);
    }
}
