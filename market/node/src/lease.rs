//! Owns running a lease machine inside a node: its mailbox, its timer, its messages on the network and its
//! records on disk. Both sides of an agreement use this one actor.
//!
//! Never decides what a lease does (`market::lease` does) and never carries out what only one side can do:
//! those outputs go to that side's own task as effects, which answers with inputs.
//!
//! ```text
//!   peer ── LeaseRouter ──► Mail::Message ─┐                         ┌─► Sender ──► peer (ordered, retried)
//!   effects' task ───────► Mail::Input ────┤► LeaseRunner (one task) ├─► NodeStore (flushed first)
//!   Sender: lost, gone, back ───────────────┘                         └─► effects' task ─► reports to Sender
//! ```

mod doubt;
mod outbox;
mod router;
mod runner;
mod sender;

pub use router::{LeaseRouter, OfferRequest, ProgressBatch, ReserveRequest, RouterHandle, Takers};
pub use runner::{LeaseHandle, LeaseParts, Snapshot, spawn};

/// Things that wait for one lease; a peer that sends more waits for its answers.
const MAILBOX: usize = 64;

#[cfg(test)]
mod tests;
