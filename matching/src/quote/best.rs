//! Owns the best offers so far: as many as a quote lists, and no more.
//!
//! Never predicts for a row that cannot be among them, which a multiplication tells.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use market::{HeaderId, Timestamp};

use super::scan::{longest_ms, predicted_ms};
use super::{MAX_OFFERS, Offer, bytes_per_ms, draw, flops_per_ms, offer};
use crate::book::{Book, Row, Standing};
use crate::eligibility::Need;

/// Bits of a price that a comparison without a division leaves out, twice.
const COARSE: u32 = 11;

/// The most work that it is made for; of more, it knows that it is at least as much.
const MOST_WORK: u128 = 1 << 73;

/// What offers are ranked by. The cost is price x time x what is thought of the seller, before any rounding, so that two offers that round to the
/// same amount still rank by which is cheaper.
type Rank = (Standing, u128, [u8; 32]);

/// One of the best.
#[derive(Debug, PartialEq, Eq)]
struct Ranked {
    rank: Rank,
    row: Row,
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank.cmp(&other.rank)
    }
}

/// The best offers so far.
pub(super) struct Best<'a> {
    need: &'a Need,
    book: &'a Book,
    header: &'a HeaderId,
    now: Timestamp,
    /// The worst of them on top.
    heap: BinaryHeap<Ranked>,
}

impl<'a> Best<'a> {
    pub(super) fn new(
        need: &'a Need,
        (book, header): (&'a Book, &'a HeaderId),
        now: Timestamp,
    ) -> Self {
        Self {
            need,
            book,
            header,
            now,
            heap: BinaryHeap::with_capacity(MAX_OFFERS + 1),
        }
    }

    fn standing(&self, row: &Row) -> Standing {
        match self.now < row.proven_until {
            true => Standing::Proven,
            false => Standing::Unproven,
        }
    }

    /// Tells whether a row could be among the best; a doubt is a yes.
    pub(super) fn may_take(&self, row: &Row) -> bool {
        let full = self.heap.len() >= MAX_OFFERS;
        let Some(worst) = self.heap.peek().filter(|_| full) else {
            return true;
        };
        let (worst_standing, worst_cost, _) = worst.rank;
        match self.standing(row).cmp(&worst_standing) {
            Ordering::Less => true,
            Ordering::Equal => !self.costs_more(row, worst_cost),
            Ordering::Greater => false,
        }
    }

    /// Takes a row that fits, where it is among the best.
    pub(super) fn try_row(&mut self, row: &Row) {
        if !self.may_take(row) {
            return;
        }
        let cost = self
            .rate(row)
            .saturating_mul(predicted_ms(self.need, row).into());
        let Some(listed) = self.book.ask_of(row, self.now) else {
            return;
        };
        let rank = (
            self.standing(row),
            cost,
            draw(self.header, &listed.register),
        );
        self.heap.push(Ranked { rank, row: *row });
        if self.heap.len() > MAX_OFFERS {
            self.heap.pop();
        }
    }

    /// Returns what an hour counts: its price, dearer the less the seller is known to deliver.
    fn rate(&self, row: &Row) -> u128 {
        let price = u128::from(row.price) * u128::from(self.need.gpus);
        price * u128::from(row.cost_factor_bps)
    }

    /// Tells whether a row surely costs more than `cost`; a doubt is not sure.
    fn costs_more(&self, row: &Row, cost: u128) -> bool {
        let Some(work) = self.need.work else {
            return self.rate(row).saturating_mul(longest_ms(self.need).into()) > cost;
        };
        // price * work / speed > cost, without the division and the GPUs, of which twice as many take half the time. The
        // left side is rounded down and the right side up. A price is below 2^65 with its factor, a speed below 2^42,
        // a time limit below 2^32 and hence a cost below 2^107: nothing here wraps.
        let price = u128::from(row.price) * u128::from(row.cost_factor_bps);
        let cost = (cost >> (2 * COARSE)) + 1;
        let is_more = |amount: u128, speed: u128| {
            let spent = (price >> COARSE).wrapping_mul(amount.min(MOST_WORK)) >> COARSE;
            spent > cost.wrapping_mul(speed)
        };
        let mflops = work.mflops(row.gemm_mflops, row.f16_mflops);
        is_more(work.flops, flops_per_ms(mflops, 1))
            || is_more(work.bytes, bytes_per_ms(row.gb_per_s, 1))
    }

    /// Returns the offers, best first.
    pub(super) fn into_offers(self) -> Vec<Offer> {
        let Self {
            need, book, now, ..
        } = self;
        let ranked = self.heap.into_sorted_vec();
        let offers = ranked.iter().filter_map(|ranked| {
            let listed = book.ask_of(&ranked.row, now)?;
            offer(need, &listed)
        });
        offers.collect()
    }
}
