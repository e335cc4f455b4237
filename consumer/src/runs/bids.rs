//! Owns the bids among the runs: their slots, which run an order belongs to, and the list of them.
//!
//! Never decides anything about a bid; its machine does.

use market::{OrderId, order::Slot};
use market_node::api::{BidView, RunId, RunView};
use market_node::store::StoreError;

use super::{Live, Runs};
use crate::record::{InBook, RunRecord};
use crate::standing::{Machine, Standing};

impl Runs {
    /// Takes in a run that bids, with a slot of its own. `None`, and nothing is taken in, where all slots are taken.
    pub(crate) fn begin_bid(&self, mut live: Live, machine: Machine) -> Option<RunId> {
        let run = live.record.run;
        let mut all = self.lock();
        let slots: Vec<Slot> = all
            .values()
            .filter_map(|live| live.standing.as_ref())
            .map(|standing| standing.slot)
            .collect();
        live.standing = Some(Standing::begin(machine, |slot| slots.contains(&slot))?);
        all.insert(run, live);
        Some(run)
    }

    /// Finds the run whose bid stands in the book as `order`.
    pub(crate) fn bidder(&self, order: OrderId) -> Option<(RunId, RunRecord)> {
        let all = self.lock();
        let is_it = |live: &&Live| {
            let standing = live.standing.as_ref();
            standing.is_some_and(|standing| standing.machine.stands_as(order))
        };
        let live = all.values().find(is_it)?;
        Some((live.record.run, live.record.clone()))
    }

    /// Returns what the book has of a run's bid.
    pub(super) fn in_book(&self, run: RunId) -> InBook {
        let standing = |live: &mut Live| live.standing.as_ref().map(Standing::in_book);
        self.change(run, standing).flatten().unwrap_or_default()
    }

    /// Lists the bids for which nothing was bought, the newest first; those that are over are among them.
    ///
    /// # Errors
    /// The store fails.
    pub(crate) fn bids(&self) -> Result<Vec<BidView>, StoreError> {
        let chain = self.node.chain();
        let records = self.records()?;
        let view = |record: &RunRecord| record.bid_view(&chain, self.in_book(record.run));
        Ok(records.iter().filter_map(view).collect())
    }

    /// Shows a run at a glance; `None` before it has bought something, unless it bids.
    ///
    /// # Errors
    /// The store fails.
    pub(crate) fn view(&self, run: RunId) -> Result<Option<RunView>, StoreError> {
        let Some(record) = self.record(run)? else {
            return Ok(None);
        };
        let chain = self.node.chain();
        if let Some(job) = record.view(&chain) {
            return Ok(Some(RunView::Job(Box::new(job))));
        }
        let bid = record.bid_view(&chain, self.in_book(run));
        Ok(bid.map(|bid| RunView::Bid(Box::new(bid))))
    }
}
