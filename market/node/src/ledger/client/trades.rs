//! Owns asking for trades: that a page is the one that was asked for.
//!
//! Never looks whether a trade is true; whoever wants to know holds it against the proof of its channel.

use matching::Trade;

use super::super::protocol::{LedgerRequest, LedgerResponse, MAX_TRADES, TradesPage, TradesQuery};
use super::{LedgerClient, LedgerError, other};

impl LedgerClient {
    /// Returns a page of the trades of all classes, which is the operator's word.
    ///
    /// # Errors
    /// No operator answered, or one answered with trades that were not asked for or are out of their order.
    pub async fn trades(&self, query: TradesQuery) -> Result<TradesPage, LedgerError> {
        match self.ask(LedgerRequest::Trades(query)).await? {
            LedgerResponse::Trades(page) if answers(&page, query) => Ok(page),
            _ => Err(other("a page of trades in their order")),
        }
    }
}

/// Tells whether a page can be the answer to a query: no more than was asked for, each trade after the one before.
fn answers(page: &TradesPage, query: TradesQuery) -> bool {
    let trades = &page.trades;
    let follows =
        |one: &Trade, next: &Trade| one.place < next.place && one.settled_at <= next.settled_at;
    let begins = |first: &Trade| query.after.is_none_or(|after| after < first.place);
    trades.len() <= usize::from(query.limit.min(MAX_TRADES))
        && trades.iter().all(Trade::counts)
        && trades.is_sorted_by(follows)
        && trades.first().is_none_or(begins)
        && trades
            .last()
            .is_none_or(|last| last.place.height <= page.height)
}

#[cfg(test)]
mod tests;
