//! Owns this node's replica of the order book and its own orders in it.
//!
//! Never ranks or judges an order: the crate `matching` does. This is its shell: signatures, gossip,
//! late joining, protocol time, beacons.
//!
//! ```text
//! gossip ─────────> check signatures ──bad──> reject (the sender's score falls)
//!                        │
//!                   Book::apply ──nothing new──> ignore          ┌──> reads: quote, depth, classes
//!                        └──new, within its maker's rate──> pass on
//! other nodes' books <── pages, when a node appears ──> pages    own orders: post, cancel, beacons
//!        neighbours <── farewell, when this node leaves
//! ```

mod actor;
mod farewell;
mod gossip;
mod handle;
mod own;
mod protocol;
mod pull;
mod rate;

pub use actor::{BookActor, BookConfig, start};
pub use handle::{AskView, BookError, BookHandle, PostError, PostedOrder};
pub use protocol::{
    BookPage, BookRequest, BookResponse, MAX_PAGE_MESSAGES, MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES,
};

#[cfg(test)]
mod tests;
