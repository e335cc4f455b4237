//! Owns looking at one card from the caller's thread: its figures and who else uses it, at one moment.
//!
//! Never keeps a thread, never sleeps, and never fails: what cannot be read is unknown.

use std::collections::BTreeSet;
use std::time::Instant;

use market::gpu::AdapterInfo;

use super::files::Files;
use super::{Sensors, Telemetry};
use crate::activity::{self, Activity, Meter, Walk};

/// Where processes are.
const PROCESSES: &str = "proc";

/// A card that is watched.
///
/// A sample reads some thirty small files of the card, or asks NVIDIA's library a dozen questions, and for
/// AMD's and Intel's cards walks over the machine's processes. On two busy virtual cores the walk took 0.2 ms with
/// 80 processes that hold 400 files open, and 8 ms of processor time with 390 processes and 14,000 files; searching
/// every file each time took 60 ms. The price: a program that has run for over a minute and opens a card only then is
/// seen up to 4 s later.
pub struct Watch {
    sensors: Sensors,
    processes: Files,
    walk: Walk,
    meter: Meter,
    opened: Instant,
}

/// What was seen at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// When, in milliseconds since the watch was opened: a clock that only goes forward.
    pub at_ms: u64,
    /// The card's figures.
    pub telemetry: Telemetry,
    /// What others did since the last sample.
    pub activity: Activity,
}

impl Watch {
    /// Finds the sources for an adapter. Where there is none, samples say why.
    pub fn open(adapter: &AdapterInfo) -> Self {
        Self::of(Sensors::open(adapter), &Files::below("/"))
    }

    fn of(sensors: Sensors, root: &Files) -> Self {
        Self {
            sensors,
            processes: root.folder(PROCESSES),
            walk: Walk::default(),
            meter: Meter::default(),
            opened: Instant::now(),
        }
    }

    /// Looks once. `own_pids` are the processes that are not others: this one and its workers.
    pub fn sample(&mut self, own_pids: &BTreeSet<u32>) -> Sample {
        let elapsed = self.opened.elapsed().as_millis();
        self.sample_at(own_pids, u64::try_from(elapsed).unwrap_or(u64::MAX))
    }

    fn sample_at(&mut self, own_pids: &BTreeSet<u32>, at_ms: u64) -> Sample {
        let activity = self.activity(own_pids, at_ms);
        Sample {
            at_ms,
            telemetry: self.sensors.read(at_ms),
            activity,
        }
    }

    fn activity(&mut self, own_pids: &BTreeSet<u32>, at_ms: u64) -> Activity {
        if self.sensors.is_asleep() {
            self.meter.rest(at_ms);
            return Activity::none();
        }
        let name = |pid| activity::name_of(&self.processes, pid);
        if let Some(library) = self.sensors.library() {
            let loads = library.loads().filter(|loads| {
                // In a container the library counts processes by numbers that nobody here knows: the node's own may be
                // among them.
                let is_known = |pid| own_pids.contains(&pid) || name(pid).is_some();
                loads
                    .iter()
                    .all(|load| load.permille == 0 || is_known(load.pid))
            });
            return loads.map_or_else(Activity::default, |loads| {
                Activity::of(&loads, own_pids, name)
            });
        }
        let Some(card) = self.sensors.card().filter(|card| card.counts_use()) else {
            return Activity::default();
        };
        let wanted = (card.address(), own_pids);
        let found = self.walk.scan(&self.processes, wanted, at_ms);
        let loads = self.meter.loads(&found, at_ms);
        let mut activity = loads.map_or_else(Activity::default, |loads| {
            Activity::of(&loads, own_pids, name)
        });
        activity.unreadable_processes = found.unreadable;
        if let Some(top) = &mut activity.top {
            top.memory_bytes = found.memory_bytes(top.pid);
        }
        activity
    }
}

#[cfg(test)]
mod tests;
