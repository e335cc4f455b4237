//! Owns the walk over `/proc`: which processes hold a card open, and what the kernel counted for them.
//!
//! Listing the open files of every process costs too much to do twice a second, so a process is searched
//! for graphics devices when it appears, again and again in its first minute, and then every four seconds;
//! the devices found are read each time. Never stops at a process that may not be looked into or is gone
//! meanwhile: it is counted or skipped.

use std::collections::{BTreeMap, BTreeSet};

use market::gpu::Label;

use super::fdinfo::{self, Client};
use crate::telemetry::{Files, PciAddress};

/// Where graphics devices' nodes are.
const DEVICES: &str = "/dev/dri";

/// A process is searched again after so long, in ms, or after so many walks. The walks are spread by process, so that
/// each costs the same.
const SEARCH_MS: u64 = 4_000;
const SEARCH_WALKS: u64 = 8;

/// For so long a new process is searched each time, in ms: programs open a card when they start.
const YOUNG_MS: u64 = 60_000;

/// The most open files of one process that are looked at.
const FILES_OF_A_PROCESS: usize = 4_096;

/// The most clients of a card that are kept.
const CLIENTS: usize = 4_096;

/// What tells one client from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ClientKey {
    /// The kernel's number.
    Number(u64),
    /// For kernels that give none.
    File { pid: u32, descriptor: String },
}

/// The clients of a card.
#[derive(Debug, Clone, Default)]
pub(crate) struct Found {
    /// Those of other processes, each with the first process that holds it.
    pub(super) others: BTreeMap<ClientKey, (u32, Client)>,
    /// Processes that could not be looked into.
    pub(crate) unreadable: u32,
    /// Open files of any graphics device, and those of them that the kernel describes.
    devices: u32,
    described: u32,
}

impl Found {
    /// Tells whether the kernel counts at all: before Linux 5.14 graphics devices are held and none is described.
    pub(super) fn is_counted(&self) -> bool {
        self.devices == 0 || self.described > 0
    }

    /// Reads what the kernel says of an open device.
    fn read(&mut self, process: &Files, descriptor: &str) -> Option<Client> {
        self.devices += 1;
        let client = fdinfo::parse(&process.folder("fdinfo").text(descriptor)?)?;
        self.described += 1;
        Some(client)
    }

    /// Returns what a process holds of the card's own memory, in bytes.
    pub(crate) fn memory_bytes(&self, pid: u32) -> Option<u64> {
        let clients = self.others.values().filter(|(holder, _)| *holder == pid);
        let sizes = clients.filter_map(|(_, client)| client.memory_bytes);
        sizes.reduce(u64::saturating_add)
    }
}

/// What is known of a process.
#[derive(Debug)]
struct Known {
    young_until_ms: u64,
    searched_ms: u64,
    next_search_walk: u64,
    /// The open files that are graphics devices; `None` where it could not be looked into.
    devices: Option<Vec<String>>,
}

/// A walk over all processes, again and again.
#[derive(Debug, Default)]
pub(crate) struct Walk {
    known: BTreeMap<u32, Known>,
    walks: u64,
}

impl Walk {
    /// Walks over the processes below `proc`, on any clock that only goes forward. A client that one of this node's
    /// own processes holds is its own, even where others hold it too.
    pub(crate) fn scan(
        &mut self,
        proc: &Files,
        (card, own_pids): (PciAddress, &BTreeSet<u32>),
        now_ms: u64,
    ) -> Found {
        let mut found = Found::default();
        let mut own = BTreeSet::new();
        let mut known = BTreeMap::new();
        self.walks += 1;
        let names = proc.names("");
        for pid in names.iter().filter_map(|name| name.parse::<u32>().ok()) {
            let process = proc.folder(pid.to_string());
            let now = self.visit(pid, &process, now_ms);
            found.unreadable += u32::from(now.devices.is_none());
            for descriptor in now.devices.iter().flatten() {
                let Some(client) = found.read(&process, descriptor) else {
                    continue;
                };
                if client.card != Some(card) {
                    continue;
                }
                let key = key(&client, pid, descriptor);
                if own_pids.contains(&pid) {
                    own.insert(key);
                } else if found.others.len() < CLIENTS {
                    found.others.entry(key).or_insert((pid, client));
                }
            }
            known.insert(pid, now);
        }
        self.known = known;
        found.others.retain(|key, _| !own.contains(key));
        found
    }

    /// Returns what is known of a process, searched anew where that is due or a device that it held is closed.
    fn visit(&mut self, pid: u32, process: &Files, now_ms: u64) -> Known {
        let before = self.known.remove(&pid);
        let is_first_walk = self.walks == 1;
        let young_until_ms = match &before {
            Some(before) => before.young_until_ms,
            None if is_first_walk => 0,
            None => now_ms.saturating_add(YOUNG_MS),
        };
        if let Some(before) = before.filter(|before| !self.is_due(before, now_ms)) {
            let mut devices = before.devices.iter().flatten();
            if devices.all(|name| is_device(process, name)) {
                return before;
            }
        }
        let spread = if is_first_walk {
            u64::from(pid) % SEARCH_WALKS
        } else {
            0
        };
        Known {
            young_until_ms,
            searched_ms: now_ms,
            next_search_walk: self.walks + SEARCH_WALKS - spread,
            devices: devices(process),
        }
    }

    fn is_due(&self, known: &Known, now_ms: u64) -> bool {
        now_ms < known.young_until_ms
            || now_ms.saturating_sub(known.searched_ms) >= SEARCH_MS
            || self.walks >= known.next_search_walk
    }
}

fn key(client: &Client, pid: u32, descriptor: &str) -> ClientKey {
    let number = client.id.map(ClientKey::Number);
    number.unwrap_or_else(|| ClientKey::File {
        pid,
        descriptor: descriptor.to_owned(),
    })
}

/// Searches a process for graphics devices.
fn devices(process: &Files) -> Option<Vec<String>> {
    let descriptors = process.listed("fd")?.into_iter();
    let devices = descriptors
        .take(FILES_OF_A_PROCESS)
        .filter(|descriptor| is_device(process, descriptor));
    Some(devices.collect())
}

/// Tells whether an open file is of a graphics device.
fn is_device(process: &Files, descriptor: &str) -> bool {
    let target = process.folder("fd").link(descriptor);
    target.is_some_and(|target| target.starts_with(DEVICES))
}

/// Returns a process's name as the kernel has it (at most 15 bytes), without control characters.
pub(crate) fn name_of(proc: &Files, pid: u32) -> Option<Label> {
    let name = Label::sanitized(&proc.text(format!("{pid}/comm"))?);
    (!name.as_str().is_empty()).then_some(name)
}

#[cfg(test)]
mod tests;
