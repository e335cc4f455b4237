//! Owns how a person names a run on the command line: by the first digits of its id, or as `latest`.
//!
//! Never looks for the run: the node does, and refuses a name that fits several.

use std::fmt;
use std::str::FromStr;

/// The least digits that name a run.
const LEAST_DIGITS: usize = 4;

/// The digits of a whole id.
const ALL_DIGITS: usize = 16;

/// A run as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RunName {
    /// The one that was begun last.
    Latest,
    /// The one whose id begins so.
    Digits(String),
}

/// A text that can name no run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a run is named by at least {LEAST_DIGITS} of its {ALL_DIGITS} hexadecimal digits, as `nightshift ps` \
     shows them, or by the word latest"
)]
pub(crate) struct NoRunName;

impl FromStr for RunName {
    type Err = NoRunName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "latest" {
            return Ok(Self::Latest);
        }
        let is_digit = |character: char| character.is_ascii_hexdigit();
        let is_long_enough = (LEAST_DIGITS..=ALL_DIGITS).contains(&text.len());
        match is_long_enough && text.chars().all(is_digit) {
            true => Ok(Self::Digits(text.to_ascii_lowercase())),
            false => Err(NoRunName),
        }
    }
}

impl fmt::Display for RunName {
    /// Writes the name as the local API takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest => f.write_str("latest"),
            Self::Digits(digits) => f.write_str(digits),
        }
    }
}

#[cfg(test)]
mod tests;
