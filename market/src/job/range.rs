//! Owns the one way in which a job's figures are checked against their ranges.
//!
//! Never repairs a figure: what is out of range is refused in words.

use std::ops::RangeInclusive;

/// A figure that is outside its range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value} {unit}; allowed are {min} to {max} {unit}, for example {min}")]
pub struct RangeError {
    /// The field.
    pub field: &'static str,
    /// Its value.
    pub value: u64,
    /// The least value allowed.
    pub min: u64,
    /// The greatest value allowed.
    pub max: u64,
    /// What the figures count.
    pub unit: &'static str,
}

/// Refuses a value outside `allowed`.
pub(super) fn check(
    field: &'static str,
    value: u64,
    allowed: RangeInclusive<u64>,
    unit: &'static str,
) -> Result<(), RangeError> {
    if allowed.contains(&value) {
        return Ok(());
    }
    Err(RangeError {
        field,
        value,
        min: *allowed.start(),
        max: *allowed.end(),
        unit,
    })
}
