//! The order book and what is read from it: who fits a need, what a job will cost where, and candles.
//!
//! This crate is pure and single-writer. It never performs I/O, never reads a clock, never takes a
//! lock and never uses a float: `now` is passed in, and the same messages give the same answers on
//! every machine.
//!
//! ```text
//! bytes -> Bulletin -> check() -> Message -> Book::apply -> registers
//!                      signature            ranges, quotas     |
//!                                                              v
//!                          Need -> quote() <- Book::asks -> depth, best, classes
//! ledger -> Trade -> Tape -> candles, last price, volume
//! ```

mod book;
mod candle;
mod checked;
mod eligibility;
pub mod limit_book;
mod quote;
mod rejections;

pub use book::{
    Book, Capacity, Change, ClassSummary, Level, ListedAsk, ListedBid, ListingCertificate, Posting,
    Refused, Side, Standing,
};
pub use candle::{Candle, Interval, Tape, Trade, Volume};
pub use checked::{Checked, Message, check};
pub use eligibility::{Counterparties, Misfit, Need, Proof};
pub use quote::{Offer, Precision, Quote, Work, draw, fit, quote};
pub use rejections::Rejections;

#[cfg(test)]
mod fixture;
