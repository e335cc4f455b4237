//! Owns what a node knows of past trades: the tape, which one task fills from the operator's pages and everybody else
//! reads.
//!
//! Never takes a trade from anywhere but an operator of this market, never asks for more than has come since, and never
//! keeps a reader waiting for one that is away: he gets what is known, with the height up to which that is all.
//!
//! ```text
//! reader --read--> MarketDataActor --one task at a time--> LedgerClient::trades(after the newest) --> operator's index
//!                     Tape, height                           or rebuild(): all pages, each trade held against the
//!                                                            proof of its channel
//! ```
//!
//! A channel's proof says who paid whom, how much, at which price and for what, and that it is closed. The time and
//! the block of a trade, and that none is left out, are the operator's word: no proof of a state says when.

mod actor;
mod handle;
mod rebuild;

pub use actor::{MarketDataActor, MarketDataConfig, start};
pub use handle::{MarketData, MarketDataError, Seen};
pub use rebuild::{RebuildError, Rebuilding};

#[cfg(test)]
mod tests;
