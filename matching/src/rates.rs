//! Owns cross rates: what an hour of one class is worth in hours of another.
//!
//! Never mixes up where a price comes from: each carries its source.

use market::{Amount, PricePerHour};
use serde::{Deserialize, Serialize};

/// Parts of one that a rate counts.
const PARTS_PER_MILLION: u128 = 1_000_000;

/// Where a price comes from, the most trustworthy first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PriceSource {
    /// The class index.
    Index,
    /// Half-way between best bid and best ask.
    Mid,
    /// The newest trade.
    Last,
}

/// A price of a class, and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClassPrice {
    /// The price of one GPU for an hour, never 0.
    pub price: PricePerHour,
    /// Where it comes from.
    pub source: PriceSource,
}

impl ClassPrice {
    /// Returns the price from the most trustworthy source that has one; a price of 0 is none.
    pub fn best(
        sources: impl IntoIterator<Item = (PriceSource, Option<PricePerHour>)>,
    ) -> Option<Self> {
        let prices = sources.into_iter().filter_map(|(source, price)| {
            let price = price.filter(|price| price.0 != Amount::ZERO)?;
            Some(Self { price, source })
        });
        prices.min_by_key(|price| price.source)
    }
}

/// Returns, row by row, how many hours at the column's price one hour at the row's price buys: `row / column` in
/// 1/10^6, rounded down. 0 in the column of a price of 0. Saturates.
pub fn cross_rates_ppm(prices: &[PricePerHour]) -> Vec<Vec<u64>> {
    let rate = |row: &PricePerHour, column: &PricePerHour| {
        let worth = u128::from(row.0.nanocredits()).saturating_mul(PARTS_PER_MILLION);
        let hours = worth.checked_div(column.0.nanocredits().into());
        u64::try_from(hours.unwrap_or(0)).unwrap_or(u64::MAX)
    };
    let row = |row| prices.iter().map(|column| rate(row, column)).collect();
    prices.iter().map(row).collect()
}

#[cfg(test)]
mod tests;
