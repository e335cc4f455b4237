//! Owns money as integers: amounts in nanocredits, prices a GPU-hour, and what is due.
//!
//! Never uses a float and never wraps: every operation is checked, products and sums pass through
//! `u128`. In JSON and TOML an amount is an exact decimal string of credits, for example `"0.25"`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Nanocredits in one credit.
pub const NANOCREDITS_PER_CREDIT: u64 = 1_000_000_000;

/// The most nanocredits that can ever exist: 10^10 credits.
pub const SUPPLY_CAP: Amount = Amount(10_000_000_000 * NANOCREDITS_PER_CREDIT);

/// Whole decimals that a credit is divided into.
const DECIMALS: usize = 9;

/// An amount of money in nanocredits, from 0 to [`u64::MAX`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(u64);

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseAmountError {
    /// The text is not digits with at most one decimal point.
    #[error("{text:?} is not an amount of credits; write for example 12 or 0.25")]
    NotDecimal {
        /// The text, cut to 80 characters.
        text: String,
    },
    /// The text has more than nine decimals.
    #[error("{text:?} has more than {DECIMALS} decimals; the smallest amount is 0.000000001 cr")]
    TooFine {
        /// The text, cut to 80 characters.
        text: String,
    },
    /// The amount is above the supply cap.
    #[error("{text:?} is more than the {SUPPLY_CAP} that can exist")]
    TooLarge {
        /// The text, cut to 80 characters.
        text: String,
    },
}

impl Amount {
    /// No money.
    pub const ZERO: Self = Self(0);

    /// Makes an amount from nanocredits.
    pub const fn from_nanocredits(nanocredits: u64) -> Self {
        Self(nanocredits)
    }

    /// Returns the amount in nanocredits.
    pub const fn nanocredits(self) -> u64 {
        self.0
    }

    /// Makes an amount from whole credits, or `None` above `u64`.
    pub const fn from_credits(credits: u64) -> Option<Self> {
        match credits.checked_mul(NANOCREDITS_PER_CREDIT) {
            Some(nanocredits) => Some(Self(nanocredits)),
            None => None,
        }
    }

    /// Adds, or `None` on overflow.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// Subtracts, or `None` below zero.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }

    /// Subtracts, or zero when `other` is larger.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Returns `floor(self * basis_points / 10^4)`, or `None` on overflow.
    pub fn basis_points(self, basis_points: u16) -> Option<Self> {
        let product = u128::from(self.0).saturating_mul(u128::from(basis_points)) / 10_000;
        u64::try_from(product).ok().map(Self)
    }
}

impl fmt::Display for Amount {
    /// Prints exact credits with the unit, for example `0.25 cr`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} cr", self.decimal()))
    }
}

impl Amount {
    /// Returns exact credits as a decimal without unit or trailing zeros, for example `0.25`.
    pub fn decimal(self) -> String {
        let whole = self.0 / NANOCREDITS_PER_CREDIT;
        let fraction = self.0 % NANOCREDITS_PER_CREDIT;
        if fraction == 0 {
            return whole.to_string();
        }
        let digits = format!("{fraction:0DECIMALS$}");
        format!("{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl FromStr for Amount {
    type Err = ParseAmountError;

    /// Parses exact credits, with or without the unit: `12`, `0.25`, `0.25 cr`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shown = || text.chars().take(80).collect::<String>();
        let trimmed = text.trim();
        let number = trimmed.strip_suffix("cr").unwrap_or(trimmed).trim_end();
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) {
            return Err(ParseAmountError::NotDecimal { text: shown() });
        }
        if fraction.len() > DECIMALS {
            return Err(ParseAmountError::TooFine { text: shown() });
        }
        let too_large = || ParseAmountError::TooLarge { text: shown() };
        let whole: u64 = whole.parse().map_err(|_| too_large())?;
        let fraction: u64 = format!("{fraction:0<DECIMALS$}")
            .parse()
            .map_err(|_| too_large())?;
        let total = Self::from_credits(whole)
            .and_then(|amount| amount.checked_add(Self(fraction)))
            .ok_or_else(too_large)?;
        if total > SUPPLY_CAP {
            return Err(too_large());
        }
        Ok(total)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serializer.serialize_str(&self.decimal())
        } else {
            serializer.serialize_u64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = String::deserialize(deserializer)?;
            text.parse().map_err(D::Error::custom)
        } else {
            u64::deserialize(deserializer).map(Self)
        }
    }
}

/// A price in nanocredits a GPU-hour.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct PricePerHour(pub Amount);

impl fmt::Display for PricePerHour {
    /// Prints the exact price with its unit, for example `0.25 cr/h`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{} cr/h", self.0.decimal()))
    }
}

impl FromStr for PricePerHour {
    type Err = ParseAmountError;

    /// Parses `0.25`, `0.25 cr` or `0.25 cr/h`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        text.strip_suffix("/h").unwrap_or(text).parse().map(Self)
    }
}

#[cfg(test)]
mod tests;
