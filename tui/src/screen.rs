//! Owns the home screen of `nightshift tui`.
//!
//! Never computes money or state: it shows the node's own view, and asks the node to pause or to resume.
//!
//! ```text
//! keys, status polls ──► Msg ──► update(&mut Model) ──► effects ──► node
//!                                     │
//!                                 view(&Model) ──► terminal
//! ```

mod big;
mod model;
mod panels;
mod runner;
mod update;
mod view;

pub(crate) use model::Farewell;
pub(crate) use runner::run;

#[cfg(test)]
mod tests;
