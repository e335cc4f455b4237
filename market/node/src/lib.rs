//! market-node.

pub mod clock;
pub mod lease_protocol;
pub mod ledger;
pub mod store;
