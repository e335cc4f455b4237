//! Owns the walk over `/proc`: which processes hold a card open, and what the kernel counted for them.
//!
//! Costs one listing for each process and one link for each of its open files; only graphics devices'
//! files are read. Never stops at a process that may not be looked into or is gone meanwhile: it is
//! counted or skipped.

use std::collections::{BTreeMap, BTreeSet};

use market::gpu::Label;

use super::fdinfo::{self, Client};
use crate::telemetry::{Files, PciAddress};

/// Where graphics devices' nodes are.
const DEVICES: &str = "/dev/dri/";

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
}

impl Found {
    /// Returns what a process holds of the card's own memory, in bytes.
    pub(crate) fn memory_bytes(&self, pid: u32) -> Option<u64> {
        let clients = self.others.values().filter(|(holder, _)| *holder == pid);
        let sizes = clients.filter_map(|(_, client)| client.memory_bytes);
        sizes.reduce(u64::saturating_add)
    }
}

/// Walks over the processes below `proc`. A client that one of this node's own processes holds is its own, even
/// where others hold it too.
pub(crate) fn scan(proc: &Files, card: PciAddress, own_pids: &BTreeSet<u32>) -> Found {
    let mut found = Found::default();
    let mut own = BTreeSet::new();
    let names = proc.names("");
    for pid in names.iter().filter_map(|name| name.parse::<u32>().ok()) {
        let process = proc.folder(pid.to_string());
        let Some(descriptors) = process.listed("fd") else {
            found.unreadable += 1;
            continue;
        };
        for descriptor in descriptors.into_iter().take(FILES_OF_A_PROCESS) {
            let Some(client) = client(&process, &descriptor) else {
                continue;
            };
            if client.card != Some(card) {
                continue;
            }
            let number = client.id.map(ClientKey::Number);
            let key = number.unwrap_or(ClientKey::File { pid, descriptor });
            if own_pids.contains(&pid) {
                own.insert(key);
            } else if found.others.len() < CLIENTS {
                found.others.entry(key).or_insert((pid, client));
            }
        }
    }
    found.others.retain(|key, _| !own.contains(key));
    found
}

/// Reads what the kernel counts for an open file, where it is a graphics device.
fn client(process: &Files, descriptor: &str) -> Option<Client> {
    let target = process.folder("fd").link(descriptor)?;
    target.to_str()?.starts_with(DEVICES).then_some(())?;
    fdinfo::parse(&process.folder("fdinfo").text(descriptor)?)
}

/// Returns a process's name as the kernel has it (at most 15 bytes), without control characters.
pub(crate) fn name_of(proc: &Files, pid: u32) -> Option<Label> {
    let name = Label::sanitized(&proc.text(format!("{pid}/comm"))?);
    (!name.as_str().is_empty()).then_some(name)
}

#[cfg(all(test, unix))]
mod tests;
