//! Owns how market data are asked for: what stands behind the question mark, and what may.
//!
//! Never reads any.

use std::fmt;
use std::str::FromStr;

use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use market::gpu::GpuClass;
use matching::Interval;
use serde::Deserialize;

use super::super::server::ApiError;

/// The most candles or trades of one answer.
const MAX_ROWS: u16 = 1_000;

/// How many characters of a wrong text are shown again.
const SHOWN_CHARS: usize = 40;

/// A query, or why there is none.
pub(super) type Read<T> = Result<Query<T>, QueryRejection>;

/// How many candles or trades are asked for: 1 to 1,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowCount(u16);

/// A text that is not a number of candles or trades.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no number of candles or trades: ask for 1 to {MAX_ROWS} of the newest")]
pub struct ParseCountError(String);

impl RowCount {
    /// Candles, where nothing is said.
    pub const CANDLES: Self = Self(24);

    /// Trades, where nothing is said.
    pub const TRADES: Self = Self(20);

    /// Returns the number.
    pub fn get(self) -> usize {
        self.0.into()
    }
}

impl fmt::Display for RowCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for RowCount {
    type Err = ParseCountError;

    /// Reads digits and nothing else.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
        match is_digits.then(|| text.parse()) {
            Some(Ok(count @ 1..=MAX_ROWS)) => Ok(Self(count)),
            _ => Err(ParseCountError(text.chars().take(SHOWN_CHARS).collect())),
        }
    }
}

/// What `depth` may be asked.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ClassWanted {
    class: Option<String>,
}

/// What `history` may be asked.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CandlesWanted {
    class: Option<String>,
    interval: Option<String>,
    count: Option<String>,
}

/// What `trades` may be asked.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TradesWanted {
    class: Option<String>,
    count: Option<String>,
}

/// Returns a query.
pub(super) fn of<T>(read: Read<T>) -> Result<T, ApiError> {
    match read {
        Ok(Query(query)) => Ok(query),
        Err(rejection) => Err(ApiError::bad_request(rejection.body_text())),
    }
}

impl ClassWanted {
    pub(super) fn class(self) -> Result<GpuClass, ApiError> {
        class(self.class)
    }
}

impl CandlesWanted {
    pub(super) fn wanted(self) -> Result<(GpuClass, Interval, RowCount), ApiError> {
        Ok((
            class(self.class)?,
            parsed(self.interval.as_deref())?.unwrap_or(Interval::Hour),
            parsed(self.count.as_deref())?.unwrap_or(RowCount::CANDLES),
        ))
    }
}

impl TradesWanted {
    pub(super) fn wanted(self) -> Result<(Option<GpuClass>, RowCount), ApiError> {
        let count = parsed(self.count.as_deref())?.unwrap_or(RowCount::TRADES);
        Ok((parsed(self.class.as_deref())?, count))
    }
}

fn class(text: Option<String>) -> Result<GpuClass, ApiError> {
    let missing = || {
        ApiError::bad_request(
            "no class is named: ask with one, for example class=16T-12G; `nightshift market classes` lists those that \
             have an order or a trade",
        )
    };
    parsed(text.as_deref())?.ok_or_else(missing)
}

fn parsed<T: FromStr<Err: fmt::Display>>(text: Option<&str>) -> Result<Option<T>, ApiError> {
    let value = text.map(str::parse).transpose();
    value.map_err(ApiError::bad_request)
}
