//! Owns what a row of failed tries to reach the other side of a lease says about that side, and when the next
//! try is due.
//!
//! Never sends anything and never reads a clock: tries and their moments are handed in.

use std::time::{Duration, Instant};

use market::lease::{Gone, Input};

/// How long every address must refuse before that counts as the end of the program behind them.
const REFUSED_FOR: Duration = Duration::from_secs(2);

/// How long the other node must know nothing of the agreement. It may be a moment behind: its lease starts when
/// it has the proof of the opening.
const UNKNOWN_FOR: Duration = Duration::from_secs(5);

/// For how long an agreement that is not known yet is looked for often, and how often.
const SOON: Duration = Duration::from_secs(1);
const SOON_PAUSE: Duration = Duration::from_millis(25);

/// Pauses between tries: at first, after half a minute, and after five.
const PAUSES: [(Duration, Duration); 3] = [
    (Duration::from_secs(300), Duration::from_secs(15)),
    (Duration::from_secs(30), Duration::from_secs(2)),
    (Duration::ZERO, Duration::from_millis(500)),
];

/// How a try failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// The other node answers and does not know the agreement.
    Unknown,
    /// Nothing listens at any of its addresses.
    Refused,
    /// It did not arrive, or no answer did.
    Lost,
}

/// What is to be done after a failed try.
#[derive(Debug, PartialEq)]
pub(super) struct Next {
    /// What the lease must hear, once.
    pub(super) news: Option<Input>,
    /// How long to wait before the next try.
    pub(super) pause: Duration,
}

/// A row of failed tries. A new one begins with the first failure after a success.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    since: Option<Instant>,
    /// The newest kind of failure, and since when there was no other.
    latest: Option<(Failure, Instant)>,
    lost_told: bool,
    gone_told: Option<Gone>,
}

impl Doubt {
    /// Notes a failed try.
    pub(super) fn failed(&mut self, failure: Failure, now: Instant) -> Next {
        let since = *self.since.get_or_insert(now);
        let alike_since = match self.latest {
            Some((latest, since)) if latest == failure => since,
            _ => now,
        };
        self.latest = Some((failure, alike_since));
        let row = now.saturating_duration_since(since);
        let alike = now.saturating_duration_since(alike_since);
        Next {
            news: self.news(failure, alike),
            pause: pause(failure, row),
        }
    }

    /// Tells whether the lease heard of a lost link, so that it must hear of its return.
    pub(super) fn was_told(&self) -> bool {
        self.lost_told || self.gone_told.is_some()
    }

    fn news(&mut self, failure: Failure, alike: Duration) -> Option<Input> {
        let evidence = match failure {
            Failure::Refused if alike >= REFUSED_FOR => Some(Gone::Refused),
            Failure::Unknown if alike >= UNKNOWN_FOR => Some(Gone::UnknownAgreement),
            _ => None,
        };
        if let Some(reason) = evidence {
            let fresh = self.gone_told.replace(reason) != Some(reason);
            return fresh.then_some(Input::PeerGone { reason });
        }
        let behind = failure == Failure::Unknown && alike < SOON;
        if behind || std::mem::replace(&mut self.lost_told, true) {
            return None;
        }
        Some(Input::LinkLost)
    }
}

fn pause(failure: Failure, row: Duration) -> Duration {
    if failure == Failure::Unknown && row < SOON {
        return SOON_PAUSE;
    }
    let found = PAUSES.iter().find(|(after, _)| row >= *after);
    found.map_or(SOON_PAUSE, |(_, pause)| *pause)
}

#[cfg(test)]
mod tests;
