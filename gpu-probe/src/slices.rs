//! Owns how a workload is timed: how often it runs in a slice, the warm-up, the clock that is believed, and
//! what a rate may be.
//!
//! Never turns a timing that cannot be true into a rate.
//!
//! ```text
//! Pace::settle: repeats for a slice of 50 ms ──► slices until two agree ──► Pace { repeats, clock }
//! Pace::time:   slices for the plan's length ──► a rate each ──► Spread
//! ```

use std::time::{Duration, Instant};

use market::gpu::Spread;

use crate::device::Took;
use crate::error::ProbeError;
use crate::{Bench, Effort, Stage};

/// How long a slice should last: short enough that a desktop stays responsive, long enough to time.
const SLICE: Duration = Duration::from_millis(50);

/// The most runs in one slice: more take longer to record than to wait for.
const MAX_REPEATS: u32 = 4_096;

/// Clocks count as settled when two slices differ by less than this part.
const SETTLED_PART: u32 = 33;

/// The device's clock is believed while it says at least this part of the host's time, in hundredths: starting a
/// slice and noticing its end take under a hundredth.
const DEVICE_PERCENT_MIN: u32 = 95;

/// No device does more operations a second: four times what the fastest card's f16 matrix units claim, 10 PFLOP/s.
const MAX_OPERATIONS_PER_S: u128 = 10_000_000_000_000_000;

/// No memory moves more bytes a second: over ten times that of the fastest cards, 100 TB/s.
const MAX_BYTES_PER_S: u128 = 100_000_000_000_000;

/// One run of a workload, as often as it is told, and how long that took.
pub(crate) type Run<'a> = dyn FnMut(u32) -> Result<Took, ProbeError> + 'a;

/// What one run does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quantity {
    /// Arithmetic operations; their rate is in 10^6 a second.
    Operations(u64),
    /// Bytes moved; their rate is in MiB a second.
    Bytes(u64),
}

impl Quantity {
    /// Returns the rate of `repeats` runs in `took`.
    ///
    /// # Errors
    /// The time is zero, or so short that no hardware could have done the work.
    pub(crate) fn rate(self, repeats: u32, took: Duration) -> Result<u64, ProbeError> {
        const NANOS_PER_S: u128 = 1_000_000_000;
        let (once, unit, unit_size, most) = match self {
            Self::Operations(count) => (count, "operations", 1_000_000, MAX_OPERATIONS_PER_S),
            Self::Bytes(count) => (count, "bytes", 1 << 20, MAX_BYTES_PER_S),
        };
        let amount = u128::from(once) * u128::from(repeats);
        let nanos = took.as_nanos();
        let absurd = ProbeError::Absurd {
            amount,
            unit,
            nanos,
        };
        match (amount * NANOS_PER_S).checked_div(nanos) {
            Some(per_s) if per_s <= most => {
                Ok(u64::try_from(per_s / unit_size).expect("the bounds in units fit 64 bits"))
            }
            _ => Err(absurd),
        }
    }
}

/// Warms a workload up, clears its result, so that what is checked later was made after this, and times it.
///
/// `quantity` is what one run does.
pub(crate) fn measure(
    bench: &mut Bench<'_>,
    quantity: Quantity,
    (run, result): (&mut Run<'_>, &wgpu::Buffer),
) -> Result<Spread, ProbeError> {
    let plan = Plan::of(bench.effort);
    let pace = Pace::settle(bench, run, &plan)?;
    let session = bench.session;
    session.run(|encoder| encoder.clear_buffer(result, 0, None))?;
    pace.time(bench, quantity, (run, &plan))
}

/// How long the parts of a measurement take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Warming up lasts at least so long.
    pub(crate) warm_up_min: Duration,
    /// Warming up lasts at most so long.
    pub(crate) warm_up_max: Duration,
    /// What is timed lasts so long.
    pub(crate) timed: Duration,
}

/// One timed slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slice {
    /// When it ended, since the first one began.
    pub(crate) ended: Duration,
    /// Its rate, in its quantity's unit.
    pub(crate) rate: u64,
}

impl Plan {
    /// Returns that of figures other than the fp32 matrix product.
    pub(crate) const fn of(effort: Effort) -> Self {
        match effort {
            Effort::Quick => Self {
                warm_up_min: Duration::from_millis(100),
                warm_up_max: Duration::from_millis(200),
                timed: Duration::from_millis(200),
            },
            // What is soaked is the matrix multiplication.
            Effort::Full | Effort::Soak(_) => Self {
                // Clocks of idle cards take 220 to 440 ms to rise.
                warm_up_min: Duration::from_millis(450),
                warm_up_max: Duration::from_millis(1_000),
                timed: Duration::from_millis(1_500),
            },
        }
    }
}

/// Whose time counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clock {
    Device,
    Wall,
}

impl Clock {
    /// Returns the time by this clock; where the device's own disagrees with the host's, the host's.
    fn read(self, took: Took) -> Duration {
        match (self, believed(took)) {
            (Self::Device, Some(device)) => device,
            _ => took.wall,
        }
    }
}

/// Returns the device's time where it is no longer than the host's, and not so short that it cannot be true.
fn believed(took: Took) -> Option<Duration> {
    let plausible =
        |device: &Duration| *device <= took.wall && *device * 100 >= took.wall * DEVICE_PERCENT_MIN;
    took.device.filter(plausible)
}

/// How a workload is run: found once while it warms up.
pub(crate) struct Pace {
    repeats: u32,
    clock: Clock,
}

impl Pace {
    /// Finds how often the workload fits into a slice and runs it until two slices in a row agree, within the
    /// plan's bounds.
    pub(crate) fn settle(
        bench: &mut Bench<'_>,
        run: &mut Run<'_>,
        plan: &Plan,
    ) -> Result<Self, ProbeError> {
        (bench.report)(Stage::WarmingUp, 0);
        // The first run pays for what is made late: memory that is cleared, code that is compiled.
        run(1)?;
        let mut repeats = 1;
        let mut took = run(repeats)?;
        let start = Instant::now();
        loop {
            let next = fitted(repeats, took.wall);
            let is_fitted = next.abs_diff(repeats) * 4 <= repeats;
            repeats = next;
            let now = run(repeats)?;
            let difference = now.wall.abs_diff(took.wall);
            let settled = is_fitted && difference * SETTLED_PART < took.wall;
            took = now;
            let elapsed = start.elapsed();
            if elapsed >= plan.warm_up_max || (settled && elapsed >= plan.warm_up_min) {
                break;
            }
        }
        let clock = match believed(took) {
            Some(_) => Clock::Device,
            None => Clock::Wall,
        };
        tracing::debug!(repeats, ?took, ?clock, "pace");
        Ok(Self {
            repeats: fitted(repeats, took.wall),
            clock,
        })
    }

    /// Runs slices for the plan's length, at least one, and returns their rates.
    pub(crate) fn time(
        &self,
        bench: &mut Bench<'_>,
        quantity: Quantity,
        what: (&mut Run<'_>, &Plan),
    ) -> Result<Spread, ProbeError> {
        let slices = self.slices(bench, quantity, what)?;
        let rates: Vec<u64> = slices.iter().map(|slice| slice.rate).collect();
        Ok(Spread::of(&rates).expect("a timed run has at least one slice"))
    }

    /// Runs slices for the plan's length and returns them in order, at least one.
    pub(crate) fn slices(
        &self,
        bench: &mut Bench<'_>,
        quantity: Quantity,
        (run, plan): (&mut Run<'_>, &Plan),
    ) -> Result<Vec<Slice>, ProbeError> {
        let start = Instant::now();
        let mut slices = Vec::new();
        loop {
            let took = self.clock.read(run(self.repeats)?);
            let ended = start.elapsed();
            let rate = quantity.rate(self.repeats, took)?;
            slices.push(Slice { ended, rate });
            let permille = ended.as_millis() * 1_000 / plan.timed.as_millis().max(1);
            (bench.report)(
                Stage::Timing,
                u16::try_from(permille.min(1_000)).expect("at most 1,000"),
            );
            if permille >= 1_000 {
                return Ok(slices);
            }
        }
    }
}

/// Returns how many runs fill a slice, if `repeats` took `took`.
fn fitted(repeats: u32, took: Duration) -> u32 {
    let wanted = SLICE.as_nanos() * u128::from(repeats) / took.as_nanos().max(1);
    u32::try_from(wanted)
        .unwrap_or(u32::MAX)
        .clamp(1, MAX_REPEATS)
}

#[cfg(test)]
mod tests;
