//! Owns the order.
