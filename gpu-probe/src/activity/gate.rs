//! Owns one rule with two thresholds: shut after so much time over the one, open after so much time below
//! the other.
//!
//! Never moves by what is not known: an unknown level neither shuts the gate nor opens it, and the time
//! until the next known level counts for nothing.

/// Where a figure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Above the limit.
    Over,
    /// Between the two thresholds.
    Between,
    /// Below both.
    Clear,
    /// Nobody knows.
    Unknown,
}

/// How long it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Delays {
    /// Time over the limit that shuts the gate; zero shuts it at once.
    pub(super) shut_after_ms: u64,
    /// Time below both thresholds, without a break, that opens it.
    pub(super) open_after_ms: u64,
    /// A gate that shuts again within an hour of opening stays shut for twice as long as before, up to this.
    pub(super) most_open_after_ms: u64,
    /// The most time that one level can count as quiet: an average over a long gap says little about its end.
    pub(super) quiet_step_ms: u64,
}

/// A gate that stays open for so long is forgiven that it ever shut.
const FORGIVEN_AFTER_MS: u64 = 3_600_000;

/// A gate; open at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gate {
    delays: Delays,
    is_shut: bool,
    over_ms: u64,
    clear_ms: u64,
    /// How much quiet opens it the next time.
    wait_ms: u64,
    /// For how long it has been open.
    open_ms: u64,
}

impl Gate {
    pub(super) fn new(delays: Delays) -> Self {
        Self {
            delays,
            is_shut: false,
            over_ms: 0,
            clear_ms: 0,
            wait_ms: delays.open_after_ms,
            open_ms: u64::MAX,
        }
    }

    pub(super) fn is_shut(&self) -> bool {
        self.is_shut
    }

    /// Returns how much quiet is still wanted before the gate opens; `None` while it is open.
    pub(super) fn opens_in_ms(&self) -> Option<u64> {
        let left = self.wait_ms.saturating_sub(self.clear_ms);
        self.is_shut.then_some(left)
    }

    /// Takes the level that held for the time since the last one.
    pub(super) fn feed(&mut self, level: Level, held_ms: u64) {
        if !self.is_shut {
            self.open_ms = self.open_ms.saturating_add(held_ms);
        }
        match level {
            Level::Over => {
                self.clear_ms = 0;
                self.over_ms = self.over_ms.saturating_add(held_ms);
                if !self.is_shut && self.over_ms >= self.delays.shut_after_ms {
                    self.shut();
                }
            }
            Level::Between => {
                self.over_ms = 0;
                self.clear_ms = 0;
            }
            Level::Clear => {
                self.over_ms = 0;
                let quiet_ms = held_ms.min(self.delays.quiet_step_ms);
                self.clear_ms = self.clear_ms.saturating_add(quiet_ms);
                if self.is_shut && self.clear_ms >= self.wait_ms {
                    (self.is_shut, self.open_ms) = (false, 0);
                }
            }
            Level::Unknown => {}
        }
    }

    fn shut(&mut self) {
        self.is_shut = true;
        self.wait_ms = match self.open_ms {
            FORGIVEN_AFTER_MS.. => self.delays.open_after_ms,
            _ => self
                .wait_ms
                .saturating_mul(2)
                .min(self.delays.most_open_after_ms),
        };
    }

    /// Forgets the time over the limit: the card was handed out anew.
    pub(super) fn start_anew(&mut self) {
        self.over_ms = 0;
    }
}
