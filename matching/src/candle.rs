//! Owns candles: the first, highest, lowest and last price of spans of time.
//!
//! Never keeps one: candles are made from the tape's trades whenever they are asked for.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use market::{PricePerHour, Timestamp};
use serde::{Deserialize, Serialize};

use crate::trade::{Trade, Volume};

/// How many characters of a wrong text are shown again.
const SHOWN_CHARS: usize = 40;

/// How much time a candle spans; candles start at whole multiples of it since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Interval {
    /// One minute.
    #[serde(rename = "1m")]
    Minute,
    /// One hour.
    #[serde(rename = "1h")]
    Hour,
    /// One day.
    #[serde(rename = "1d")]
    Day,
}

/// A text that names no interval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not the span of a candle; write 1m, 1h or 1d")]
pub struct ParseIntervalError {
    /// The text, cut to 40 characters.
    text: String,
}

impl FromStr for Interval {
    type Err = ParseIntervalError;

    /// Parses `1m`, `1h` or `1d`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "1m" => Ok(Self::Minute),
            "1h" => Ok(Self::Hour),
            "1d" => Ok(Self::Day),
            _ => Err(ParseIntervalError {
                text: text.chars().take(SHOWN_CHARS).collect(),
            }),
        }
    }
}

impl fmt::Display for Interval {
    /// Prints `1m`, `1h` or `1d`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Minute => "1m",
            Self::Hour => "1h",
            Self::Day => "1d",
        })
    }
}

impl Interval {
    /// Returns the span.
    pub const fn duration(self) -> Duration {
        Duration::from_secs(match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        })
    }

    /// Returns the span in milliseconds, which is never 0.
    pub(crate) const fn millis(self) -> u64 {
        self.duration().as_secs().saturating_mul(1_000)
    }

    /// Returns where the candle begins that holds `at`.
    pub fn start_of(self, at: Timestamp) -> Timestamp {
        let into = at.as_millis().checked_rem(self.millis()).unwrap_or(0);
        Timestamp::from_millis(at.as_millis().saturating_sub(into))
    }
}

/// The trades of one class in one span of time; spans without trades have no candle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candle {
    /// Where the span begins.
    pub start: Timestamp,
    /// The first price.
    pub open: PricePerHour,
    /// The highest price.
    pub high: PricePerHour,
    /// The lowest price.
    pub low: PricePerHour,
    /// The last price.
    pub close: PricePerHour,
    /// What was traded.
    pub volume: Volume,
}

impl Candle {
    /// Makes the candles of trades that come oldest first, oldest first.
    pub(crate) fn of<'a>(interval: Interval, trades: impl Iterator<Item = &'a Trade>) -> Vec<Self> {
        let mut candles: Vec<Self> = Vec::new();
        for trade in trades {
            let start = interval.start_of(trade.settled_at);
            match candles.last_mut() {
                Some(candle) if candle.start == start => candle.extend(trade),
                _ => candles.push(Self::open(start, trade)),
            }
        }
        candles
    }

    fn open(start: Timestamp, first: &Trade) -> Self {
        let mut volume = Volume::default();
        volume.add(first);
        Self {
            start,
            open: first.price,
            high: first.price,
            low: first.price,
            close: first.price,
            volume,
        }
    }

    fn extend(&mut self, next: &Trade) {
        self.high = self.high.max(next.price);
        self.low = self.low.min(next.price);
        self.close = next.price;
        self.volume.add(next);
    }
}

#[cfg(test)]
mod tests;
