//! Owns what a soak says at its end: one JSON object, and the same as tables for docs/measurements.
//!
//! Never says that it went well where it did not.

use std::collections::BTreeMap;

use serde::Serialize;

use super::blocks::Blocks;
use super::leftovers::Money;
use super::readings::NodeReadings;
use crate::credits;

/// The most that a node's memory may rise over the last three quarters of its longest life, in MiB. Of a whole soak
/// a consumer keeps about half a MiB in its store's cache; the rest is what chance does to an allocator.
const MEMORY_RISE_MIB: f64 = 12.0;

/// The most that a node's open files may rise.
const FILES_RISE: u64 = 24;

/// A whole soak.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) jobs: u32,
    pub(super) seed: u64,
    pub(super) seconds: u64,
    pub(super) outcomes: BTreeMap<String, u32>,
    pub(super) accidents: BTreeMap<&'static str, u32>,
    pub(super) blocks: Blocks,
    pub(super) money: Money,
    pub(super) nodes: Vec<NodeReadings>,
}

impl Summary {
    /// Prints the object on a line of its own, then the tables.
    pub(super) fn print(&self) {
        let json = serde_json::to_string(self).expect("a summary is plain data");
        println!("{json}\n");
        println!("| soak | |\n| --- | --- |");
        println!(
            "| jobs | {} in {} s, seed {} |",
            self.jobs, self.seconds, self.seed
        );
        println!("| runs by their end | {} |", list(&self.outcomes));
        println!("| accidents | {} |", list(&self.accidents));
        let Blocks {
            blocks,
            transactions,
            not_conserved,
            live_channels,
        } = &self.blocks;
        println!(
            "| blocks | {blocks} with {transactions} transactions; money not conserved after {not_conserved} |"
        );
        println!(
            "| channels | {live_channels} live at the end; all settled {} s after the last job |",
            self.money.settled_after_s
        );
        println!(
            "\n| node | lives | jobs meanwhile | memory at 1/4, end (MiB) | slope (KiB a job) | files at 1/4, end |"
        );
        println!("| --- | --- | --- | --- | --- | --- |");
        for node in &self.nodes {
            println!(
                "| {} | {} | {} | {:.1}, {:.1} | {:.1} | {}, {} |",
                node.node,
                node.lives,
                node.jobs,
                node.memory_mib.0,
                node.memory_mib.1,
                node.slope_kib_per_job,
                node.files.0,
                node.files.1
            );
        }
    }

    /// Fails unless it went well.
    pub(super) fn check(&self) {
        let Self {
            blocks,
            money,
            outcomes,
            ..
        } = self;
        assert_eq!(blocks.not_conserved, 0, "money was not conserved");
        assert!(money.conserved, "money is not conserved");
        assert_eq!(credits::nano(&money.in_channels), 0, "deposits are locked");
        assert_eq!(blocks.live_channels, 0, "channels are open");
        let completed = outcomes.get("completed").copied().unwrap_or(0);
        let all: u32 = outcomes.values().sum();
        assert!(
            all >= self.jobs,
            "{all} runs of {} jobs are known",
            self.jobs
        );
        assert!(
            completed * 10 >= self.jobs * 8,
            "{completed} were completed"
        );
        for node in &self.nodes {
            node.check();
        }
    }
}

impl NodeReadings {
    fn check(&self) {
        let rise = self.memory_mib.1 - self.memory_mib.0;
        assert!(rise < MEMORY_RISE_MIB, "{} grew by {rise} MiB", self.node);
        let files = self.files.1.saturating_sub(self.files.0);
        assert!(
            files < FILES_RISE,
            "{} opened {files} files more",
            self.node
        );
    }
}

fn list<K: std::fmt::Display>(counts: &BTreeMap<K, u32>) -> String {
    let counts = counts.iter().map(|(what, count)| format!("{count} {what}"));
    counts.collect::<Vec<_>>().join(", ")
}
