//! nightshift-tests.
