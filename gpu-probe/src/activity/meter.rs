//! Owns turning two readings of the kernel's counters into shares of the time between them.
//!
//! Never lets a counter go back: the kernel may show less than before for a while, and its
//! documentation asks to keep the larger value until it is passed.

use std::collections::BTreeMap;

use super::Load;
use super::fdinfo::{self, Engine, Work};
use super::processes::{ClientKey, Found};

const NANOSECONDS_PER_MS: u64 = 1_000_000;

/// The counters of the last reading.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    before: Option<Reading>,
}

#[derive(Debug)]
struct Reading {
    at_ms: u64,
    counters: BTreeMap<ClientKey, BTreeMap<String, Work>>,
}

impl Meter {
    /// Returns what each process did since the last reading, on any clock that only goes forward. `None` with the
    /// first reading, and where the kernel or the driver does not count.
    ///
    /// A client that is new is taken to have begun since the last reading if its counters allow that; else it
    /// only became visible, and counts from the next reading on.
    pub(crate) fn loads(&mut self, found: &Found, now_ms: u64) -> Option<Vec<Load>> {
        let clients = &found.others;
        if !found.is_counted() {
            return None;
        }
        if !clients.is_empty()
            && clients
                .values()
                .all(|(_, client)| client.engines.is_empty())
        {
            return None;
        }
        let before = self.before.take();
        let window_ms = before
            .as_ref()
            .and_then(|before| now_ms.checked_sub(before.at_ms))
            .filter(|window_ms| *window_ms > 0);
        let mut loads = Vec::new();
        let mut counters: BTreeMap<ClientKey, BTreeMap<String, Work>> = BTreeMap::new();
        for (key, (pid, client)) in clients {
            let earlier = before.as_ref().and_then(|before| before.counters.get(key));
            for (name, engine) in &client.engines {
                let earlier = earlier.and_then(|earlier| earlier.get(name)).copied();
                let kept = counters.entry(key.clone()).or_default();
                kept.insert(name.clone(), later(earlier, engine.work));
                let permille = window_ms.map_or(0, |window| share(earlier, *engine, window));
                loads.push(Load {
                    pid: *pid,
                    class: fdinfo::class(name),
                    permille,
                });
            }
        }
        self.before = Some(Reading {
            at_ms: now_ms,
            counters,
        });
        window_ms.map(|_| loads)
    }

    /// Notes that the card slept until now: no counter moved, and the time does not dilute what comes next.
    pub(crate) fn rest(&mut self, now_ms: u64) {
        if let Some(before) = &mut self.before {
            before.at_ms = now_ms;
        }
    }
}

/// Returns the larger of two readings of one counter.
fn later(before: Option<Work>, now: Work) -> Work {
    match (before, now) {
        (Some(Work::Nanoseconds(before)), Work::Nanoseconds(now)) => {
            Work::Nanoseconds(before.max(now))
        }
        (Some(Work::Cycles { busy: before, .. }), Work::Cycles { busy, total }) => Work::Cycles {
            busy: before.max(busy),
            total,
        },
        _ => now,
    }
}

/// Returns the part of a window in which a group of engines worked, 0 to 1,000.
fn share(before: Option<Work>, now: Engine, window_ms: u64) -> u16 {
    let (worked, whole) = match (before, now.work) {
        (Some(Work::Nanoseconds(before)), Work::Nanoseconds(now)) => (
            now.saturating_sub(before),
            window_ms.saturating_mul(NANOSECONDS_PER_MS),
        ),
        (
            Some(Work::Cycles {
                busy: busy_before,
                total: total_before,
            }),
            Work::Cycles { busy, total },
        ) => (
            busy.saturating_sub(busy_before),
            total.saturating_sub(total_before),
        ),
        (None, Work::Nanoseconds(all)) => {
            let window = window_ms.saturating_mul(NANOSECONDS_PER_MS);
            let possible = window.saturating_mul(u64::from(now.capacity));
            (if all <= possible { all } else { 0 }, window)
        }
        // A driver that changes its unit, or cycles without an earlier total.
        _ => return 0,
    };
    let whole = u128::from(whole) * u128::from(now.capacity);
    let permille = (u128::from(worked) * 1_000).checked_div(whole).unwrap_or(0);
    u16::try_from(permille.min(1_000)).unwrap_or(1_000)
}

#[cfg(test)]
mod tests;
