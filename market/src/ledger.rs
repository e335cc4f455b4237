//! Owns the ledger.
