//! Owns the openings of one attempt that were signed and sent, and to which no proof came back. All carry one
//! nonce, which the ledger takes once, so at most one of them ever opens.
//!
//! Never drops one that could still open a channel: it is found open, known to be dead, or watched.

use std::time::{Duration, Instant};

use market::Timestamp;

use crate::reserve::{Fate, Opening};

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
    /// Takes in an opening that brought no proof.
    pub(super) async fn take(&mut self, fate: Fate, opening: Opening) {
        match fate {
            Fate::Unknown => self.doubtful.push(opening),
            Fate::Refused => self.refused.push(opening),
            Fate::NeverSent => opening.forget().await,
        }
    }

    /// Looks for a while whether one of the openings without an answer is final after all. Those that were
    /// refused, or were waited for before, are looked at once.
    pub(super) async fn look(&mut self) -> Option<(Opening, Timestamp)> {
        let patience = Instant::now() + LAST_LOOK;
        let waits = !self.doubtful.is_empty();
        self.refused.append(&mut self.doubtful);
        loop {
            // Asked before the look: an opening that has lapsed and is not there then never will be.
            let can_open = self.refused.iter().any(Opening::can_open);
            if let Some((position, at)) = self.find_open().await {
                return Some((self.refused.swap_remove(position), at));
            }
            if !waits || !can_open || Instant::now() >= patience {
                return None;
            }
            tokio::time::sleep(LAST_LOOK_STEP).await;
        }
    }

    async fn find_open(&self) -> Option<(usize, Timestamp)> {
        for (position, opening) in self.refused.iter().enumerate() {
            if let Ok(Some(at)) = opening.look().await {
                return Some((position, at));
            }
        }
        None
    }

    /// Forgets all: their nonce is used, so they open nothing any more.
    pub(super) async fn forget(&mut self) {
        for opening in self.doubtful.drain(..).chain(self.refused.drain(..)) {
            opening.forget().await;
        }
    }

    /// Leaves all to be watched until they can open nothing.
    pub(super) fn watch(&mut self) {
        let all = self.doubtful.drain(..).chain(self.refused.drain(..));
        all.for_each(Opening::watch);
    }
}
