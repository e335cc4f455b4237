//! The nouns of the market and the rules about them: ids, amounts, time, GPU reports and classes,
//! orders, jobs, agreements, vouchers, receipts and the ledger, with their one signed wire form.
//!
//! This crate is pure. It never performs I/O, never reads a clock, never draws entropy and never
//! uses a float for money, ordering or identity: time and randomness are passed in by callers. Where
//! money is counted, arithmetic that could wrap or divide by zero does not pass the lints.

pub mod address;
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
pub mod agreement;
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
pub mod amount;
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
pub mod delegation;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
pub mod genesis;
pub mod gpu;
pub mod ids;
pub mod job;
pub mod keys;
pub mod lease;
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
pub mod ledger;
pub mod order;
pub mod progress;
pub mod receipt;
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
pub mod reputation;
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
pub mod share_cap;
pub mod time;
#[cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]
pub mod voucher;
pub mod wire;

pub use amount::{Amount, PricePerHour};
pub use ids::{
    AccountId, AgreementId, BlobHash, ChainId, ChannelId, HeaderId, JobId, NodeId, OrderId, TxId,
};
pub use time::Timestamp;
pub use wire::Signed;
