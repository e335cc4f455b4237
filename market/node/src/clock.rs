//! Owns protocol time in a running node: the time of the newest verified block header plus the
//! monotonic time that has passed since.
//!
//! Never reads the wall clock for a decision about money or orders. The wall clock serves only the
//! genesis, an operator's block proposals, and display; [`wall_now`] is the one place that reads it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use market::Timestamp;

/// The newest verified header that was seen, and when this machine saw it.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    height: u64,
    /// Protocol time at `seen`.
    time: Timestamp,
    seen: Instant,
}

impl Anchor {
    fn time_at(&self, instant: Instant) -> Timestamp {
        self.time
            .saturating_add(instant.saturating_duration_since(self.seen))
    }
}

/// Protocol time, shared by all parts of a node. Cheap to clone; all clones tell the same time.
///
/// Its time never goes back: a header that is older than what the clock already shows is noted, and
/// the clock goes on from where it was.
#[derive(Debug, Clone, Default)]
pub struct ProtocolClock {
    // A mutex and no owning task: every part of a node reads the time, synchronously and often, and
    // the lock is held for a few instructions only.
    anchor: Arc<Mutex<Option<Anchor>>>,
}

impl ProtocolClock {
    /// Makes a clock that knows no header yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Anchor>> {
        // An anchor is written in one assignment, so a poisoned lock still holds a whole one.
        self.anchor.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns protocol time, or `None` until a header has been verified.
    pub fn now(&self) -> Option<Timestamp> {
        self.at(Instant::now())
    }

    fn at(&self, instant: Instant) -> Option<Timestamp> {
        self.lock().map(|anchor| anchor.time_at(instant))
    }

    /// Returns the height of the newest verified header.
    pub fn height(&self) -> Option<u64> {
        self.lock().map(|anchor| anchor.height)
    }

    /// Returns how long ago the newest header was noted.
    pub fn silence(&self) -> Option<Duration> {
        self.lock().map(|anchor| anchor.seen.elapsed())
    }

    /// Notes a verified header. Headers at or below the known height change nothing.
    pub fn observe(&self, height: u64, time: Timestamp) {
        self.observe_at(height, time, Instant::now());
    }

    fn observe_at(&self, height: u64, time: Timestamp, instant: Instant) {
        let mut anchor = self.lock();
        let shown = match *anchor {
            Some(known) if known.height >= height => return,
            Some(known) => known.time_at(instant),
            None => time,
        };
        *anchor = Some(Anchor {
            height,
            time: time.max(shown),
            seen: instant,
        });
    }
}

/// Reads the wall clock: for the genesis, for an operator's block proposals, and for display.
pub fn wall_now() -> Timestamp {
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
