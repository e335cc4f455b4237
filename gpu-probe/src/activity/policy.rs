//! Owns when a card goes back to its owner and when it is sold again. Pure: samples and times come in,
//! decisions go out.
//!
//! ```text
//!            others use the shader cores more than the limit for 2 s ─┐
//!  selling   warmer than the owner's limit ────────────────────────────┼──► Yield ──► paused
//!            more power than the owner's limit for 2 s ────────────────┘                │
//!     ▲                                                                                 │
//!     └── Resume ◄── no use above the limit for 120 s, and 60 s, later longer, below each limit's margin ┘
//! ```
//! Each line is a gate of its own; the card is sold while all are open.
//!
//! - **Unknown** figures neither shut a gate nor open it. Taking the card away for a sensor that fails would
//!   stop every card without one; handing it out again because the thermometer broke would undo the
//!   limit when it matters most. A card whose figures stay unknown after a yield stays with its owner.
//! - **Late** samples: use is an average since the last sample, so a late one that shows use counts for
//!   the whole gap, and the card is yielded at once. Quiet counts for at most two sampling intervals of a
//!   paused card, since a game that began a minute ago hides in an average of an hour.
//! - **Out of order**: a sample from before the last one is refused and changes nothing.
//! - **None at all**: nothing changes, since a driver that hangs says nothing of who plays. The caller asks for the next sample at [`Policy::poll_timeout`].
//!
//! Never flaps: a yield lasts at least the gate's quiet time, and after a resume use and power need their
//! whole time again.

use std::fmt;

use market::gpu::Label;

use super::gate::{Delays, Gate, Level};
use crate::telemetry::{Sample, Silence};

/// The owner's limits, and how fast they act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicySettings {
    /// Others may occupy the shader cores this much, 0 to 1,000.
    pub use_limit_permille: u16,
    /// More use, or more power, than the limit for so long takes the card away, in ms.
    pub over_for_ms: u64,
    /// No use above the limit for so long gives it back, in ms.
    pub quiet_for_ms: u64,
    /// The warmest that the card may be, in degrees Celsius.
    pub temperature_limit_c: Option<i16>,
    /// How far below the limit the card must cool, in degrees.
    pub temperature_margin_c: i16,
    /// The most power that the card may draw, in milliwatts.
    pub power_limit_mw: Option<u32>,
    /// How far below the limit the power must fall, in thousandths of the limit.
    pub power_margin_permille: u16,
    /// So long below a limit's margin gives the card back, in ms.
    pub cool_for_ms: u64,
    /// A limit that shuts again within an hour keeps the card twice as long as before, up to this, in ms: what is below
    /// the draw of every job would otherwise end each one after seconds.
    pub most_cool_for_ms: u64,
    /// The time between samples while selling, in ms.
    pub selling_interval_ms: u64,
    /// The time between samples while paused, in ms.
    pub paused_interval_ms: u64,
}

impl Default for PolicySettings {
    /// A tenth of the card for 2 s, quiet for 120 s; no limits of the owner's, and where there are some, 5 degrees
    /// or 5 % below them for 60 s; a sample each 500 ms while selling, each 5 s while paused.
    fn default() -> Self {
        Self {
            use_limit_permille: 100,
            over_for_ms: 2_000,
            quiet_for_ms: 120_000,
            temperature_limit_c: None,
            temperature_margin_c: 5,
            power_limit_mw: None,
            power_margin_permille: 50,
            cool_for_ms: 60_000,
            most_cool_for_ms: 3_600_000,
            selling_interval_ms: 500,
            paused_interval_ms: 5_000,
        }
    }
}

/// What one sample says that matters here. `None` is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observation {
    /// How much others occupied the shader cores since the last sample, 0 to 1,000.
    pub use_permille: Option<u16>,
    /// The program that did most of it.
    pub top: Option<Label>,
    /// The card's temperature in degrees Celsius.
    pub temperature_c: Option<i16>,
    /// The power drawn, in milliwatts.
    pub power_mw: Option<u32>,
    /// Whether the card is powered down: it is cool and draws next to nothing, though no sensor says so.
    pub is_asleep: bool,
}

impl From<&Sample> for Observation {
    fn from(sample: &Sample) -> Self {
        let Sample {
            telemetry,
            activity,
            ..
        } = sample;
        Self {
            use_permille: activity.shaders_permille(),
            top: activity.top.as_ref().and_then(|user| user.name.clone()),
            temperature_c: telemetry.temperature_c.shown(),
            power_mw: telemetry.power.drawn_mw,
            is_asleep: telemetry.silence == Some(Silence::Asleep),
        }
    }
}

/// Why the card is with its owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum YieldReason {
    /// Somebody else occupies the shader cores.
    InUse {
        /// How much, 0 to 1,000.
        permille: u16,
        /// The program that does most of it.
        top: Option<Label>,
    },
    /// It is warmer than its owner allows.
    TooHot {
        /// Degrees Celsius.
        celsius: i16,
        /// What the owner allows.
        limit: i16,
    },
    /// It draws more power than its owner allows.
    TooMuchPower {
        /// Milliwatts.
        milliwatts: u32,
        /// What the owner allows.
        limit: u32,
    },
}

impl fmt::Display for YieldReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let watts = |milliwatts: u32| milliwatts.saturating_add(500) / 1_000;
        match self {
            Self::InUse { permille, top } => {
                let percent = permille.saturating_add(5) / 10;
                write!(f, "a game or another program uses the card ({percent} %")?;
                match top {
                    Some(top) => write!(f, ", most by {top})"),
                    None => f.write_str(")"),
                }
            }
            Self::TooHot { celsius, limit } => write!(f, "{celsius} °C: your limit is {limit} °C"),
            Self::TooMuchPower { milliwatts, limit } => {
                let (drawn, limit) = (watts(*milliwatts), watts(*limit));
                write!(f, "{drawn} W: your limit is {limit} W")
            }
        }
    }
}

/// What the caller must do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// End the work on the card now and take the offer back.
    Yield(YieldReason),
    /// Offer the card again.
    Resume,
}

/// A sample from before the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sample of {sample_ms} ms came after one of {last_ms} ms")]
pub struct Late {
    /// When the sample was taken.
    pub sample_ms: u64,
    /// When the last one was.
    pub last_ms: u64,
}

/// A gate and why it is shut.
#[derive(Debug)]
struct Rule {
    gate: Gate,
    /// The last reason that was seen over the limit.
    reason: Option<YieldReason>,
}

impl Rule {
    fn new(delays: Delays) -> Self {
        Self {
            gate: Gate::new(delays),
            reason: None,
        }
    }

    fn feed(&mut self, (level, reason): (Level, Option<YieldReason>), held_ms: u64) {
        self.gate.feed(level, held_ms);
        self.reason = reason.or(self.reason.take());
    }

    fn reason(&self) -> Option<&YieldReason> {
        self.reason.as_ref().filter(|_| self.gate.is_shut())
    }
}

/// The machine. Times are milliseconds of any clock that only goes forward.
#[derive(Debug)]
pub struct Policy {
    settings: PolicySettings,
    /// Others' use, temperature, power: in the order in which a reason is told.
    rules: [Rule; 3],
    is_selling: bool,
    last_ms: u64,
    pending: Option<Decision>,
}

impl Policy {
    /// Starts with the card for sale.
    pub fn new(settings: PolicySettings, now_ms: u64) -> Self {
        let quiet_step_ms = settings.paused_interval_ms.saturating_mul(2);
        let delays = |shut_after_ms, (open_after_ms, most_open_after_ms)| Delays {
            shut_after_ms,
            open_after_ms,
            most_open_after_ms,
            quiet_step_ms,
        };
        let quiet = (settings.quiet_for_ms, settings.quiet_for_ms);
        let cool = (settings.cool_for_ms, settings.most_cool_for_ms);
        let rules = [
            Rule::new(delays(settings.over_for_ms, quiet)),
            Rule::new(delays(0, cool)),
            Rule::new(delays(settings.over_for_ms, cool)),
        ];
        Self {
            settings,
            rules,
            is_selling: true,
            last_ms: now_ms,
            pending: None,
        }
    }

    /// Takes what was observed between the last sample and `now_ms`.
    ///
    /// # Errors
    /// The sample is older than the last one; it changed nothing.
    pub fn handle_sample(&mut self, seen: &Observation, now_ms: u64) -> Result<(), Late> {
        let held_ms = now_ms.checked_sub(self.last_ms).ok_or(Late {
            sample_ms: now_ms,
            last_ms: self.last_ms,
        })?;
        self.last_ms = now_ms;
        let levels = [
            use_level(&self.settings, seen),
            temperature_level(&self.settings, seen),
            power_level(&self.settings, seen),
        ];
        for (rule, level) in self.rules.iter_mut().zip(levels) {
            rule.feed(level, held_ms);
        }
        self.decide();
        Ok(())
    }

    /// Returns what is to be done, once.
    pub fn poll_decision(&mut self) -> Option<Decision> {
        self.pending.take()
    }

    /// Returns when the next sample is wanted, in ms.
    pub fn poll_timeout(&self) -> u64 {
        let interval_ms = if self.is_selling {
            self.settings.selling_interval_ms
        } else {
            self.settings.paused_interval_ms
        };
        self.last_ms.saturating_add(interval_ms)
    }

    /// Tells whether the card may be worked on.
    pub fn is_selling(&self) -> bool {
        self.is_selling
    }

    /// Returns why the card is with its owner; empty while it is sold.
    pub fn reasons(&self) -> Vec<&YieldReason> {
        self.rules.iter().filter_map(Rule::reason).collect()
    }

    /// Returns the least time until the card is sold again, in ms: if from now on all is known and quiet.
    pub fn resumes_in_ms(&self) -> Option<u64> {
        let waits = self.rules.iter();
        waits.filter_map(|rule| rule.gate.opens_in_ms()).max()
    }

    fn decide(&mut self) {
        let reason = self.rules.iter().find_map(Rule::reason).cloned();
        let decision = match (self.is_selling, reason) {
            (true, Some(reason)) => Decision::Yield(reason),
            (false, None) => {
                for rule in &mut self.rules {
                    rule.gate.start_anew();
                }
                Decision::Resume
            }
            _ => return,
        };
        self.is_selling = decision == Decision::Resume;
        // Decisions alternate: one that nobody took is undone by the next.
        self.pending = match self.pending.take() {
            None => Some(decision),
            Some(_) => None,
        };
    }
}

fn use_level(settings: &PolicySettings, seen: &Observation) -> (Level, Option<YieldReason>) {
    match seen.use_permille {
        None => (Level::Unknown, None),
        Some(permille) if permille > settings.use_limit_permille => {
            let top = seen.top.clone();
            (Level::Over, Some(YieldReason::InUse { permille, top }))
        }
        Some(_) => (Level::Clear, None),
    }
}

fn temperature_level(
    settings: &PolicySettings,
    seen: &Observation,
) -> (Level, Option<YieldReason>) {
    let Some(limit) = settings.temperature_limit_c else {
        return (Level::Clear, None);
    };
    let margin = limit.saturating_sub(settings.temperature_margin_c);
    match seen.temperature_c {
        _ if seen.is_asleep => (Level::Clear, None),
        None => (Level::Unknown, None),
        Some(celsius) if celsius > limit => {
            (Level::Over, Some(YieldReason::TooHot { celsius, limit }))
        }
        Some(celsius) if celsius > margin => (Level::Between, None),
        Some(_) => (Level::Clear, None),
    }
}

fn power_level(settings: &PolicySettings, seen: &Observation) -> (Level, Option<YieldReason>) {
    let Some(limit) = settings.power_limit_mw else {
        return (Level::Clear, None);
    };
    let margin = u64::from(limit) * u64::from(settings.power_margin_permille) / 1_000;
    let below = u64::from(limit).saturating_sub(margin);
    match seen.power_mw {
        _ if seen.is_asleep => (Level::Clear, None),
        None => (Level::Unknown, None),
        Some(milliwatts) if milliwatts > limit => {
            let reason = YieldReason::TooMuchPower { milliwatts, limit };
            (Level::Over, Some(reason))
        }
        Some(milliwatts) if u64::from(milliwatts) > below => (Level::Between, None),
        Some(_) => (Level::Clear, None),
    }
}

#[cfg(test)]
mod tests;
