//! What every peer does, once: the swarm, the replicated order book, blob transfer, the store, keys,
//! settings, the ledger service and its clients, and the local API.
//!
//! Never holds rules about money or matching; `market` and `matching` do. Never sells or buys; the crates
//! `provider` and `consumer` do, on top of this one.

pub mod api;
pub mod backup;
pub mod blobs;
pub mod book;
pub mod clock;
pub mod config;
pub mod disk;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod home;
pub mod identity;
pub mod lease;
pub mod lease_protocol;
pub mod ledger;
pub mod log;
pub mod market_data;
pub mod membership;
pub mod metrics;
pub mod network;
pub mod node;
pub mod operator_keys;
pub mod proposal;
pub mod recover;
pub mod revocation;
pub mod sealed;
pub mod settle;
pub mod store;
