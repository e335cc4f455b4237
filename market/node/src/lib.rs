//! market-node.

pub mod lease_protocol;
