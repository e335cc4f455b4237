//! The order book and what is read from it: who fits a need, what a job will cost where; and
//! what settled trades say: candles, the class index, cross rates.
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
//!                own ask -> position(), touch(), crossable() -> why it is not filled, which bids it may serve
//! ledger -> Trade -> Tape -> candles, last price, volume, class index
//!                          best price of each class -> cross rates
//! ```

mod book;
mod candle;
mod checked;
mod class_index;
mod crossing;
mod eligibility;
mod instrument;
pub mod limit_book;
mod position;
mod quote;
mod rates;
mod rejections;
mod tape;
mod trade;

pub use book::{
    Book, Capacity, Change, ClassSummary, ListedAsk, ListedBid, ListingCertificate, Posting,
    Refused, Standing,
};
pub use candle::{Candle, Interval, ParseIntervalError};
pub use checked::{Checked, Message, check};
pub use class_index::{ClassIndex, INDEX_PAYERS, NoPrice, PAIR_PARTS};
pub use crossing::{Crossable, MAX_CROSSABLE, crossable, serves};
pub use eligibility::{Counterparties, Misfit, Need, Proof};
pub use instrument::{Instrument, Meeting};
pub use position::{OwnAsk, Position, Touch, position, touch};
pub use quote::{
    Change as NeedChange, Hint, MAX_OFFERS, Offer, Precision, Quote, SCAN_LIMIT, Work, draw, fit,
    quote,
};
pub use rates::{ClassPrice, PriceSource, cross_rates_ppm};
pub use rejections::Rejections;
pub use tape::{Tape, TapeCapacity};
pub use trade::{Misstated, Trade, TradePlace, Volume};

#[cfg(test)]
mod fixture;
