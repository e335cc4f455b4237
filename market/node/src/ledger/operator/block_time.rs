//! Owns which time the next block carries.
//!
//! Never goes back, and never follows the wall clock further than stated: block time is the time of the block
//! before plus what elapsed since, and leans towards the wall clock by at most a twentieth of that. What elapsed
//! while the operator was away is told by the system's uptime; only after a boot is the wall clock asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use market::Timestamp;

/// The share of the elapsed time by which block time may lean towards the wall clock: 1/20.
const LEAN: u32 = 20;

/// How often the uptime is noted beside the log.
const NOTE_EVERY: Duration = Duration::from_secs(1);

/// How far a wall clock may be ahead of the log after a boot before the operator is warned.
const SUSPICIOUS: Duration = Duration::from_secs(3_600);

/// Where this machine stands since it booted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Uptime {
    /// Differs with every boot.
    pub(super) boot: String,
    /// Milliseconds since then, sleep included.
    pub(super) since_boot_ms: u64,
}

impl Uptime {
    /// Asks the system; `None` where it does not tell.
    pub(super) fn read() -> Option<Self> {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let uptime = fs::read_to_string("/proc/uptime").ok()?;
        let (seconds, hundredths) = uptime.split_whitespace().next()?.split_once('.')?;
        let seconds: u64 = seconds.parse().ok()?;
        let hundredths: u64 = hundredths.get(..2)?.parse().ok()?;
        Some(Self {
            boot: boot.trim().to_owned(),
            since_boot_ms: seconds.checked_mul(1_000)?.checked_add(hundredths * 10)?,
        })
    }
}

/// The time of the newest block, when it was made, and where that is noted for the next run.
#[derive(Debug)]
pub(super) struct BlockTime {
    last: Timestamp,
    made: Instant,
    note: PathBuf,
    noted: Option<Instant>,
}

impl BlockTime {
    /// Goes on from the newest block of the log. `wall` is believed only where the system's uptime does not
    /// tell how long the operator was away.
    pub(super) fn resume(tip: Timestamp, directory: &Path, wall: Timestamp) -> Self {
        let note = directory.join("uptime");
        let written = fs::read_to_string(&note).ok();
        let elapsed = written.and_then(|text| time_by_uptime(&text, &Uptime::read()?));
        let now = elapsed.unwrap_or(wall);
        let ahead = wall.saturating_since(tip);
        if elapsed.is_none() && ahead > SUSPICIOUS {
            tracing::warn!(
                ahead_s = ahead.as_secs(),
                "this machine's clock is more than an hour ahead of the newest block, and is believed because \
                 nothing tells how long the operator was away; if it is wrong, stop the operator, set the clock \
                 and start again"
            );
        }
        Self {
            last: tip.max(now),
            made: Instant::now(),
            note,
            noted: None,
        }
    }

    /// Returns the time of a block that is made at `instant`, when the wall clock shows `wall`.
    pub(super) fn propose(&self, wall: Timestamp, instant: Instant) -> Timestamp {
        let elapsed = instant.saturating_duration_since(self.made);
        let lean = elapsed / LEAN;
        let earliest = self.last.saturating_add(elapsed - lean);
        let latest = self.last.saturating_add(elapsed + lean);
        wall.clamp(earliest, latest)
    }

    /// Notes that a block of this time was made at `instant`.
    pub(super) fn made(&mut self, time: Timestamp, instant: Instant) {
        self.last = time;
        self.made = instant;
        let is_due = self
            .noted
            .is_none_or(|noted| instant.saturating_duration_since(noted) >= NOTE_EVERY);
        if is_due && let Some(uptime) = Uptime::read() {
            self.noted = Some(instant);
            let text = note_text(&uptime, time);
            if let Err(error) = fs::write(&self.note, text) {
                tracing::debug!(%error, "the uptime was not noted; after a restart the wall clock is asked");
            }
        }
    }
}

fn note_text(uptime: &Uptime, time: Timestamp) -> String {
    format!(
        "{} {} {}\n",
        uptime.boot,
        uptime.since_boot_ms,
        time.as_millis()
    )
}

/// Returns protocol time by what an earlier run noted; `None` after a boot, or where the note is damaged.
fn time_by_uptime(note: &str, uptime: &Uptime) -> Option<Timestamp> {
    let mut words = note.strip_suffix('\n')?.split(' ');
    let (boot, since_boot_ms, time_ms) = (words.next()?, words.next()?, words.next()?);
    if boot != uptime.boot || words.next().is_some() {
        return None;
    }
    let elapsed_ms = uptime
        .since_boot_ms
        .checked_sub(since_boot_ms.parse().ok()?)?;
    let time = Timestamp::from_millis(time_ms.parse().ok()?);
    Some(time.saturating_add(Duration::from_millis(elapsed_ms)))
}

#[cfg(test)]
mod tests;
