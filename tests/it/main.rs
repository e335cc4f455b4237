//! Owns the list of the integration tests: one binary, so that it links once.
//!
//! Never holds a test of its own.

mod readme;
mod tidy;
