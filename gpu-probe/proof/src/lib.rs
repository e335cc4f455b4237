//! throughput-proof.
