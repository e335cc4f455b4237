//! Owns what the buying side has seen of a provider's work, and when nothing will come of it.
//!
//! Never reads a clock and never acts: moments are handed in, the lease's task does the rest.

use std::time::{Duration, Instant};

use market::Amount;
use market::agreement::{Meter, Rates};
use market::lease::Phase;
use market::progress::Progress;
use market::receipt::Outcome;
use market_node::lease::Snapshot;

/// How often a provider may give bytes that do not match before it is given up.
const MAX_CORRUPT: u32 = 2;

/// How slowly inputs may reach the provider before it must begin, in bytes a second.
const INPUT_RATE: u64 = 1 << 20;

/// For how long a full disk of this machine counts after it was last met.
const ROOM_MEMORY: Duration = Duration::from_secs(10);

/// What was seen of a provider's work under one agreement.
///
/// What it says of itself counts for little: only outputs that arrive and payments that this side agreed to show
/// that something comes of it.
#[derive(Debug)]
pub(crate) struct Signs {
    rates: Rates,
    deposit: Amount,
    patience: Duration,
    /// When it must have begun.
    start_by: Instant,
    /// How long the work may take.
    wall_clock: Duration,
    /// When it began, as far as this process saw.
    began: Instant,
    /// When something last came of it, moved on by the time for which it was excused.
    last: Instant,
    /// When it was last looked whether there is hope.
    looked: Instant,
    promised: Amount,
    delivered: Meter,
    corrupt: u32,
    room: Option<(String, Instant)>,
    /// Whether the worker was confined and began on the job.
    pub(crate) work_began: bool,
    /// What the job said when it failed.
    pub(crate) failure: Option<String>,
    /// Why the provider is given up.
    pub(crate) given_up: Option<String>,
}

impl Signs {
    /// Begins at the opening, or when a restarted node takes the lease up again. `work` is how many bytes of inputs
    /// it has and how long it may take.
    pub(crate) fn new(
        (rates, deposit): (Rates, Amount),
        work: (u64, Duration),
        patience: Duration,
        now: Instant,
    ) -> Self {
        let (input_bytes, wall_clock) = work;
        let transfer = Duration::from_secs(input_bytes / INPUT_RATE);
        Self {
            rates,
            deposit,
            patience,
            start_by: now + patience + transfer,
            wall_clock,
            began: now,
            last: now,
            looked: now,
            promised: Amount::ZERO,
            delivered: Meter::default(),
            corrupt: 0,
            room: None,
            work_began: false,
            failure: None,
            given_up: None,
        }
    }

    /// Goes on from what an earlier run of this node had seen.
    #[must_use]
    pub(crate) fn resumed(mut self, delivered: Meter) -> Self {
        self.delivered = delivered;
        self.work_began = true;
        self
    }

    /// A piece of an output has arrived.
    pub(crate) fn seen(&mut self, now: Instant) {
        self.last = now;
    }

    /// An output has arrived when the meter stood so.
    pub(crate) fn delivered(&mut self, meter: Meter) {
        self.delivered = meter;
        self.room = None;
    }

    /// The provider gave bytes that do not match; tells whether that was once too often.
    pub(crate) fn corrupt(&mut self) -> bool {
        self.corrupt += 1;
        self.corrupt >= MAX_CORRUPT
    }

    /// This machine could not take an output; tells whether that is new.
    pub(crate) fn no_room(&mut self, reason: String, now: Instant) -> bool {
        let is_new = self.room_problem(now).is_none();
        self.room = Some((reason, now));
        is_new
    }

    /// Returns why this machine takes no output now, where it does not.
    pub(crate) fn room_problem(&self, now: Instant) -> Option<&str> {
        let (reason, at) = self.room.as_ref()?;
        let fresh = now.saturating_duration_since(*at) < ROOM_MEMORY;
        fresh.then_some(reason)
    }

    /// Takes a report of the job in.
    pub(crate) fn reported(&mut self, report: &Progress, now: Instant) {
        if self.is_free() {
            // There is no payment to go by.
            self.last = now;
        }
        match report {
            Progress::Started { .. } | Progress::Step(_) | Progress::Text { .. }
                if !self.work_began =>
            {
                self.work_began = true;
                (self.began, self.last) = (now, now);
            }
            Progress::Failed { reason } => self.failure = Some(reason.clone()),
            _ => {}
        }
    }

    fn is_free(&self) -> bool {
        self.rates.price_per_hour.0 == Amount::ZERO
    }

    /// Takes a change of the lease in.
    pub(crate) fn changed(&mut self, snapshot: &Snapshot, now: Instant) {
        if snapshot.promised != self.promised || self.is_free() {
            (self.promised, self.last) = (snapshot.promised, now);
        }
    }

    /// Takes the end in, with what is missing of the outputs. A job that is complete and whole here is done,
    /// whatever was thought of the provider before; one that is complete by its word alone is its fault.
    pub(crate) fn ended(&mut self, outcome: Outcome, missing: Option<String>) {
        match (outcome, missing) {
            (Outcome::Completed, None) => self.given_up = None,
            (Outcome::Completed, Some(missing)) => {
                let reason = format!("the provider says that the job is complete, and {missing}");
                self.given_up.get_or_insert(reason);
            }
            _ => {}
        }
    }

    /// Returns why nothing more will come of a provider that still answers; `None` while there is hope. What
    /// is waiting for this machine, or for a silent link, is not the provider's fault.
    pub(crate) fn hopeless(&mut self, snapshot: &Snapshot, now: Instant) -> Option<String> {
        let since = now.saturating_duration_since(self.looked);
        self.looked = now;
        if snapshot.silent_since.is_some() || self.room_problem(now).is_some() {
            self.last = now.min(self.last + since);
            return None;
        }
        let works = matches!(
            snapshot.phase,
            Phase::Preparing | Phase::Running | Phase::Paused
        );
        let delivers = snapshot.phase == Phase::Delivering;
        if self.given_up.is_some() || !(works || delivers) {
            return None;
        }
        if !self.work_began && works {
            return (now >= self.start_by).then(|| {
                format!(
                    "the provider has not begun the job within {} s",
                    (self.patience).as_secs()
                )
            });
        }
        if snapshot.phase == Phase::Paused && self.has_paid_all_ticks(snapshot.promised) {
            return Some(format!(
                "{} ticks were paid and nothing was delivered for them; a job that makes no output for so long \
                 needs a higher budget.delivery_ticks or a lower train.checkpoint_every",
                self.rates.delivery_ticks
            ));
        }
        if works && now.saturating_duration_since(self.began) >= self.wall_clock + self.patience {
            return Some(format!(
                "the provider still works after the {} s of limits.wall_clock_s",
                self.wall_clock.as_secs()
            ));
        }
        self.idle(now)
    }

    /// Returns why a provider of whom nothing comes is left. Between two payments there can be a tick and a part
    /// of one.
    fn idle(&self, now: Instant) -> Option<String> {
        let ticks = Duration::from_millis(self.rates.tick_ms.into()) * 2;
        let idle = now.saturating_duration_since(self.last);
        (idle >= self.patience.max(ticks)).then(|| {
            format!(
                "the provider answers, and nothing has come of it for {} s: no output, and no work that is to be \
                 paid",
                idle.as_secs()
            )
        })
    }

    /// Tells whether so much was promised since the last delivery that the next tick would be beyond D ticks,
    /// while there is money for it.
    fn has_paid_all_ticks(&self, promised: Amount) -> bool {
        let tick_ms = u64::from(self.rates.tick_ms);
        let due_with = |ticks: u64| {
            let ahead = tick_ms.saturating_mul(ticks);
            self.rates.due(Meter {
                running_ms: self.delivered.running_ms.saturating_add(ahead),
                ..self.delivered
            })
        };
        let ticks = u64::from(self.rates.delivery_ticks);
        // What is asked for is rarely the limit itself: one tick below it no further voucher fits.
        let (Some(limit), Some(nearly)) = (due_with(ticks), due_with(ticks.saturating_sub(1)))
        else {
            return false;
        };
        promised > nearly && limit < self.deposit
    }
}

#[cfg(test)]
mod tests;
