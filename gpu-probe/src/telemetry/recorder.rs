//! Owns recording a card's figures on a thread of its own while something else runs.
//!
//! Never outlives its owner but by a reading: stopping or dropping it ends the thread, and stopping waits for it a while.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use market::gpu::{AdapterInfo, Spread};

use super::{Sensors, Telemetry, ThrottleReason};

/// The most power readings kept: half an hour at ten a second. Beyond that every second one is dropped.
const MOST_READINGS: usize = 18_000;

/// How long the last reading is waited for.
const LAST_READING: Duration = Duration::from_secs(2);

/// A recording under way.
pub struct Recorder {
    /// Dropped to end the recording; nothing is ever sent.
    stop: SyncSender<()>,
    recorded: Receiver<Recording>,
}

/// What was seen while something ran. `None` is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recording {
    /// The power drawn, in milliwatts.
    pub power_mw: Option<Spread>,
    /// The warmest that the card was, in degrees Celsius, as [`Temperatures::shown`](super::Temperatures::shown) means it.
    pub hottest_c: Option<i16>,
    /// Whatever held the clocks back at any time.
    pub throttle: Option<BTreeSet<ThrottleReason>>,
}

impl Recording {
    /// Tells whether heat or an emergency brake held the clocks back; `None` where the card does not tell.
    pub fn is_throttled(&self) -> Option<bool> {
        let is_bad = |reason: &ThrottleReason| {
            matches!(
                reason,
                ThrottleReason::Thermal | ThrottleReason::HardwareSlowdown
            )
        };
        self.throttle
            .as_ref()
            .map(|reasons| reasons.iter().any(is_bad))
    }
}

impl Recorder {
    /// Starts to record an adapter's figures, one reading each `interval`; `None` where the system has no thread
    /// to spare. A tenth of a second suits: drivers renew their figures hardly more often.
    pub fn start(adapter: &AdapterInfo, interval: Duration) -> Option<Self> {
        let adapter = adapter.clone();
        Self::of(move || Sensors::open(&adapter), interval)
    }

    fn of(open: impl FnOnce() -> Sensors + Send + 'static, interval: Duration) -> Option<Self> {
        let (stop, stopped) = sync_channel(0);
        let (done, recorded) = sync_channel(1);
        let record = move || {
            let mut sensors = open();
            let start = Instant::now();
            let mut notes = Notes::default();
            loop {
                let now_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
                notes.take(sensors.read(now_ms));
                match stopped.recv_timeout(interval) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            // Nobody waits any more where the last reading took too long.
            let _ = done.send(notes.finish());
        };
        let builder = thread::Builder::new().name("telemetry".into());
        builder.spawn(record).ok()?;
        Some(Self { stop, recorded })
    }

    /// Ends the recording and returns what it saw, of at least one reading. Waits for a reading under way, but not for a
    /// driver that does not answer: then nothing is known.
    pub fn stop(self) -> Recording {
        drop(self.stop);
        // A reading that panicked is a bug in a driver's library; the benchmark goes on without figures.
        self.recorded.recv_timeout(LAST_READING).unwrap_or_default()
    }
}

/// What was seen so far.
#[derive(Default)]
struct Notes {
    power_mw: Vec<u64>,
    seen: Recording,
}

impl Notes {
    fn take(&mut self, telemetry: Telemetry) {
        let celsius = telemetry.temperature_c.shown();
        self.seen.hottest_c = self.seen.hottest_c.max(celsius);
        if let Some(reasons) = telemetry.throttle {
            let all = self.seen.throttle.get_or_insert_default();
            all.extend(reasons);
        }
        if self.power_mw.len() >= MOST_READINGS {
            let mut keep = false;
            self.power_mw.retain(|_| {
                keep = !keep;
                keep
            });
        }
        self.power_mw
            .extend(telemetry.power.drawn_mw.map(u64::from));
    }

    fn finish(self) -> Recording {
        Recording {
            power_mw: Spread::of(&self.power_mw),
            ..self.seen
        }
    }
}

#[cfg(test)]
mod tests;
