//! Owns nothing that runs: this crate exists for its one integration-test binary, `tests/it/`.
//!
//! Never linked into anything that people use.
