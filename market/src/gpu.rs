//! Owns what the market says about a GPU: the report of what was measured, and the class that the
//! measurements put it in.
//!
//! Never measures anything, never uses a float, and never merges the report into one score: the
//! class is only the index under which prices are quoted.

mod class;
mod report;

pub use class::{AdapterKind, Band, ClassError, GpuClass, Measured, ParseClassError, Tier, assign};
pub use report::{AdapterForm, AdapterInfo, Figures, GpuReport, Label, Spread, Throttling};

#[cfg(test)]
mod tests;
