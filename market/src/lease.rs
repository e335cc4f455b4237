//! Owns the lease.
