//! Owns who else uses a card, how much, and when its owner gets it back.
//!
//! ```text
//! /proc/PID/fdinfo ──► processes ──► meter ──┐ loads of processes
//! NVIDIA's library ──────────────────────────┴──► Activity ──► Policy ──► yield, resume
//! ```
//! Never looks into a process beyond its name and its graphics device files, and never counts this
//! node's own workers as others. Feral GameMode is not asked: only its D-Bus interface knows which
//! games it serves, and what a game draws shows here without it.

mod fdinfo;
mod gate;
mod meter;
mod policy;
mod processes;

use std::collections::{BTreeMap, BTreeSet};

use market::gpu::Label;

pub(crate) use meter::Meter;
pub use policy::{Decision, Late, Observation, Policy, PolicySettings, YieldReason};
pub(crate) use processes::{Walk, name_of};

/// What an engine of a card is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EngineClass {
    /// Drawing: the engine that games fill. Compute work runs on it too where a driver has no other.
    Render,
    /// Computing beside drawing.
    Compute,
    /// Moving memory.
    Copy,
    /// Video in and out.
    Video,
    /// What a driver does not name in a way that is known here.
    Other,
}

impl EngineClass {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Render,
        Self::Compute,
        Self::Copy,
        Self::Video,
        Self::Other,
    ];

    /// Tells whether the engine occupies the shader cores, which is what a worker and a game compete for.
    const fn occupies_shaders(self) -> bool {
        matches!(self, Self::Render | Self::Compute)
    }
}

/// What others did with a card between two samples.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Activity {
    /// The part of the time that each class of engine worked for other processes, 0 to 1,000; `None` where
    /// nobody counts, or there is no earlier sample. Processes of other users count only where this one may look.
    pub others_permille: Option<BTreeMap<EngineClass, u16>>,
    /// Whoever occupied the shader cores most, if anybody did.
    pub top: Option<User>,
    /// Processes that could not be looked into.
    pub unreadable_processes: u32,
}

impl Activity {
    /// Returns how much others occupied the shader cores, drawing and computing together, 0 to 1,000.
    pub fn shaders_permille(&self) -> Option<u16> {
        let shares = self.others_permille.as_ref()?.iter();
        let shaders = shares.filter(|(class, _)| class.occupies_shaders());
        let sum: u16 = shaders.map(|(_, permille)| *permille).sum();
        Some(sum.min(1_000))
    }

    /// Nobody can have used a card that sleeps.
    pub(crate) fn none() -> Self {
        Self::of(&[], &BTreeSet::new(), |_| None)
    }

    /// Sums the loads of all processes but this node's own.
    pub(crate) fn of(
        loads: &[Load],
        own_pids: &BTreeSet<u32>,
        name: impl Fn(u32) -> Option<Label>,
    ) -> Self {
        let mut shares: BTreeMap<EngineClass, u16> =
            EngineClass::ALL.iter().map(|class| (*class, 0)).collect();
        let mut shaders: BTreeMap<u32, u16> = BTreeMap::new();
        for load in loads.iter().filter(|load| !own_pids.contains(&load.pid)) {
            add(shares.entry(load.class).or_default(), load.permille);
            if load.class.occupies_shaders() {
                add(shaders.entry(load.pid).or_default(), load.permille);
            }
        }
        let top = shaders.into_iter().max_by_key(|(_, permille)| *permille);
        let top = top.filter(|(_, permille)| *permille > 0);
        Self {
            others_permille: Some(shares),
            top: top.map(|(pid, permille)| User {
                pid,
                name: name(pid),
                permille,
                memory_bytes: None,
            }),
            unreadable_processes: 0,
        }
    }
}

fn add(share: &mut u16, permille: u16) {
    *share = share.saturating_add(permille).min(1_000);
}

/// A process that uses a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub pid: u32,
    /// Its name, where it still runs.
    pub name: Option<Label>,
    /// How much it occupied the shader cores, 0 to 1,000.
    pub permille: u16,
    /// What it holds of the card's own memory, with what it shares with others.
    pub memory_bytes: Option<u64>,
}

/// What one process did on one class of engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) pid: u32,
    pub(crate) class: EngineClass,
    /// 0 to 1,000.
    pub(crate) permille: u16,
}

#[cfg(test)]
mod tests;
