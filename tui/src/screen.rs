//! Owns the screens of `nightshift tui`: home and market.
//!
//! Never computes money or state: it shows the node's own view, and asks the node to pause or to resume.
//!
//! ```text
//! keys, the node's answers ──► Msg ──► update(&mut Model) ──► effects ──► node
//!                                           │
//!                                       view(&Model) ──► terminal
//! ```

mod asking;
mod big;
mod market;
mod market_panels;
mod model;
mod panels;
mod runner;
mod update;
mod view;

pub(crate) use model::{Farewell, Trade};
pub(crate) use runner::run;

#[cfg(test)]
mod tests;
