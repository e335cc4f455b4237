//! nightshift.
fn main() {}
