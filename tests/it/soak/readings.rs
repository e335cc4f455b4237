//! Owns looking at processes from outside while they run: memory and open files, and how both go.
//!
//! Never asks the process itself.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Instant;

use serde::Serialize;

use crate::market::Market;
use crate::node::Node;
use crate::processes::memory_kib;

/// A process at one moment.
#[derive(Debug, Clone, Copy)]
struct Reading {
    jobs: u32,
    memory_kib: u64,
    files: u64,
}

/// All readings of a soak, by the node's name and its process.
#[derive(Debug)]
pub(super) struct Readings {
    started: Instant,
    of: BTreeMap<(String, u32), Vec<Reading>>,
}

/// How one process went.
#[derive(Debug, Serialize)]
pub(super) struct NodeReadings {
    pub(super) node: String,
    /// Readings of its longest life.
    pub(super) readings: usize,
    /// Jobs bought on the market meanwhile.
    pub(super) jobs: u32,
    /// Memory after a quarter of that life, and at its end, in MiB.
    pub(super) memory_mib: (f64, f64),
    /// Least squares over the last three quarters, in KiB a job.
    pub(super) slope_kib_per_job: f64,
    /// Open files after a quarter, and at the end.
    pub(super) files: (u64, u64),
    /// How often it was started.
    pub(super) lives: usize,
}

impl Default for Readings {
    fn default() -> Self {
        Self {
            started: Instant::now(),
            of: BTreeMap::new(),
        }
    }
}

impl Readings {
    /// Looks at every node of a market.
    pub(super) fn take(&mut self, market: &Market, jobs: u32) {
        self.look("operator", &market.operator, jobs);
        for (number, node) in market.providers().enumerate() {
            self.look(&format!("provider {}", number + 1), node, jobs);
        }
        for (number, node) in market.consumers().enumerate() {
            self.look(&format!("consumer {}", number + 1), node, jobs);
        }
    }

    fn look(&mut self, name: &str, node: &Node, jobs: u32) {
        let pid = node.pid();
        if let Some((memory_kib, files)) = memory_kib(pid).zip(open_files(pid)) {
            let reading = Reading {
                jobs,
                memory_kib,
                files,
            };
            let life = self.of.entry((name.to_owned(), pid)).or_default();
            life.push(reading);
        }
    }

    /// Returns every process that was looked at.
    pub(super) fn pids(&self) -> BTreeSet<u32> {
        self.of.keys().map(|(_, pid)| *pid).collect()
    }

    /// Returns how the nodes went, each in its longest life.
    pub(super) fn nodes(&self) -> Vec<NodeReadings> {
        let names: BTreeSet<&String> = self.of.keys().map(|(name, _)| name).collect();
        eprintln!("readings over {} s", self.started.elapsed().as_secs());
        names.into_iter().map(|name| self.node(name)).collect()
    }

    fn node(&self, name: &str) -> NodeReadings {
        let lives = self.of.iter().filter(|((node, _), _)| node == name);
        let lives: Vec<&Vec<Reading>> = lives.map(|(_, life)| life).collect();
        let longest = lives.iter().max_by_key(|life| life.len());
        let longest = longest.expect("every node was looked at");
        let settled = &longest[longest.len() / 4..];
        let (first, last) = (settled[0], settled[settled.len() - 1]);
        let mib = |reading: Reading| reading.memory_kib as f64 / 1_024.0;
        NodeReadings {
            node: name.to_owned(),
            readings: longest.len(),
            jobs: last.jobs - longest[0].jobs,
            memory_mib: (mib(first), mib(last)),
            slope_kib_per_job: slope(settled),
            files: (first.files, last.files),
            lives: lives.len(),
        }
    }
}

/// Fits a line to memory over jobs; 0 where the jobs do not differ.
fn slope(readings: &[Reading]) -> f64 {
    let count = readings.len() as f64;
    let point = |reading: &Reading| (f64::from(reading.jobs), reading.memory_kib as f64);
    let sums = readings
        .iter()
        .map(point)
        .fold((0.0, 0.0), |sums, (x, y)| (sums.0 + x, sums.1 + y));
    let (mean_x, mean_y) = (sums.0 / count, sums.1 / count);
    let (mut covariance, mut variance) = (0.0, 0.0);
    for (x, y) in readings.iter().map(point) {
        covariance += (x - mean_x) * (y - mean_y);
        variance += (x - mean_x) * (x - mean_x);
    }
    if variance > 0.0 {
        covariance / variance
    } else {
        0.0
    }
}

fn open_files(pid: u32) -> Option<u64> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).ok()?;
    u64::try_from(entries.count()).ok()
}

#[test]
fn a_line_is_fitted_to_the_readings() {
    let reading = |jobs| Reading {
        jobs,
        memory_kib: 1_000 + 3 * u64::from(jobs),
        files: 10,
    };
    let rising: Vec<Reading> = (0..20).map(reading).collect();
    assert!((slope(&rising) - 3.0).abs() < 1e-9);
    assert!(slope(&[reading(4), reading(4)]).abs() < 1e-9);
    let own = memory_kib(std::process::id()).expect("this process has memory");
    assert!(own > 1_000 && open_files(std::process::id()) > Some(2));
}
