//! Owns a decimal with a unit as a person writes it, kept exactly, and its comparison with whole numbers.
//!
//! Never rounds: 11.1 GiB is no whole number of bytes, and is compared as what it is.

use std::cmp::Ordering;
use std::fmt;

use super::error::{Problem, excerpt};
use super::units::{Unit, Units};

/// The most digits of a number. With this, every product below fits into 128 bits.
const MAX_DIGITS: usize = 16;

/// The most digits after the point.
const MAX_DECIMALS: usize = 9;

/// A decimal with a unit: `mantissa / 10^decimals` times the unit, without trailing zeros.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number {
    mantissa: i128,
    decimals: u32,
    unit: &'static Unit,
}

impl Number {
    /// Reads digits, at most one point, and a unit; the field's name is for messages.
    pub(super) fn parse(
        field: &'static str,
        text: &str,
        units: &'static Units,
    ) -> Result<Self, Problem> {
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let end = unsigned.find(|letter: char| !letter.is_ascii_digit() && letter != '.');
        let (digits, unit) = unsigned.split_at(end.unwrap_or(unsigned.len()));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let is_digits =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || !is_digits(fraction) {
            return Err(Problem::NotANumber {
                text: excerpt(text),
                example: format!("{field}={}", units.example),
            });
        }
        let whole = whole.trim_start_matches('0');
        let fraction = fraction.trim_end_matches('0');
        let too_many = || Problem::TooManyDigits {
            text: excerpt(text),
        };
        if whole.len() + fraction.len() > MAX_DIGITS || fraction.len() > MAX_DECIMALS {
            return Err(too_many());
        }
        let magnitude: i128 = format!("0{whole}{fraction}")
            .parse()
            .map_err(|_| too_many())?;
        let sign = if unsigned.len() < text.len() { -1 } else { 1 };
        Ok(Self {
            mantissa: magnitude.saturating_mul(sign),
            decimals: u32::try_from(fraction.len()).map_err(|_| too_many())?,
            unit: units.find(field, unit)?,
        })
    }

    /// Says where a value in smallest units lies against this number.
    pub(super) fn place(&self, value: i128) -> Ordering {
        value
            .saturating_mul(power(self.decimals))
            .cmp(&self.scaled())
    }

    /// Tells whether this number is above another of the same field.
    pub(super) fn is_above(&self, other: &Self) -> bool {
        let left = self.scaled().saturating_mul(power(other.decimals));
        let right = other.scaled().saturating_mul(power(self.decimals));
        left > right
    }

    /// Returns the number in smallest units, times ten to the power of its decimals.
    fn scaled(&self) -> i128 {
        self.mantissa.saturating_mul(self.unit.size.into())
    }
}

/// Returns ten to the power of at most [`MAX_DECIMALS`].
fn power(decimals: u32) -> i128 {
    10_i128.saturating_pow(decimals)
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.mantissa < 0 { "-" } else { "" };
        let magnitude = self.mantissa.unsigned_abs();
        let divisor = power(self.decimals).unsigned_abs();
        let (whole, fraction) = (magnitude / divisor, magnitude % divisor);
        write!(f, "{sign}{whole}")?;
        if self.decimals > 0 {
            let width = usize::try_from(self.decimals).unwrap_or_default();
            write!(f, ".{fraction:0width$}")?;
        }
        f.write_str(self.unit.name)
    }
}
