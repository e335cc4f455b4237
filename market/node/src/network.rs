//! Owns the one swarm of a node: who is connected, calls to other nodes, gossip.
//!
//! Never interprets what it carries: requests, answers and gossip are handed to the parts of the node
//! that own them, and come back as answers and verdicts.
//!
//! ```text
//!  parts of the node            this module                         other nodes
//!  ┌───────────────┐ commands  ┌───────────┐  TCP, Noise, Yamux  ┌─────────────┐
//!  │ Client (many) │ ────────> │ EventLoop │ <─────────────────> │ their swarm │
//!  │               │ <──────── │ (one task)│  identify, ping,    └─────────────┘
//!  ├───────────────┤  results  │           │  Kademlia, gossipsub,
//!  │ InboundStream │ <──────── │           │  ledger, lease, blob, book
//!  └───────────────┘  queues   └───────────┘
//! ```
//!
//! What bounds it: commands and each kind of inbound thing have a queue of their own with a fixed
//! length. The event loop never waits for a queue: where one is full, a request is refused (its
//! stream closes without an answer), gossip is ignored without a penalty for its sender, and the
//! loss is counted. What streams complain about has such a queue too; where that is full, an offence is counted and
//! its sender gets off. So a slow part of the node loses its own messages, and nobody else's.

mod address;
mod answers;
mod behaviour;
mod bootstrap;
mod call;
mod client;
mod codec;
mod dial_error;
mod event_loop;
mod gossip;
mod identity;
mod inbound;
mod muxer;
mod offences;
mod peers;
mod proved;
mod report;
mod seek;
mod start;
mod versions;
mod watched;

pub use call::CallError;
pub use client::{Client, PublishError};
pub use gossip::{MAX_GOSSIP_BYTES, Topic};
pub use identity::{node_of, peer_of};
pub use inbound::{Inbound, InboundStream, Judgement, Reply, Verdict};
pub use offences::Offence;
pub use peers::PeerInfo;
pub use report::{NetworkReport, ShunnedNode};
pub use start::{NetworkConfig, StartError, start};
pub use versions::{Introduction, PROGRAM_VERSION, Spoken, VersionGap, Versions};

pub use event_loop::EventLoop;
pub use libp2p::multiaddr::Protocol;
pub use libp2p::{Multiaddr, PeerId};

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
