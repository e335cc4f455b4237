//! Owns the best offers so far: as many as a quote lists, and no more.
//!
//! Never predicts for a row that cannot be among them, which a multiplication tells.

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
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
    }
}

/// The best offers so far.
pub(super) struct Best<'a> {
    need: &'a Need,
    header: &'a HeaderId,
    /// The worst of them on top.
    heap: BinaryHeap<Ranked>,
}

impl<'a> Best<'a> {
    pub(super) fn new(need: &'a Need, header: &'a HeaderId) -> Self {
        Self {
            need,
            header,
            heap: BinaryHeap::with_capacity(MAX_OFFERS + 1),
        }
    }

    /// Takes a row that fits, where it is among the best.
    pub(super) fn try_row(&mut self, book: &Book, row: &Row, now: Timestamp) {
        let standing = match now < row.proven_until {
            true => Standing::Proven,
            false => Standing::Unproven,
        };
        let worst = self.heap.peek().filter(|_| self.heap.len() >= MAX_OFFERS);
        let worst = worst.map(|worst| (worst.rank.0, worst.rank.1));
        if let Some((worst_standing, worst_cost)) = worst
            && (standing > worst_standing
                || (standing == worst_standing && self.costs_more(row, worst_cost)))
        {
            return;
        }
        let cost = self
            .rate(row)
            .saturating_mul(predicted_ms(self.need, row).into());
        if worst.is_some_and(|worst| (standing, cost) > worst) {
            return;
        }
        let Some(listed) = book.ask_of(row, now) else {
            return;
        };
        let rank = (standing, cost, draw(self.header, &listed.register));
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
    pub(super) fn into_offers(self, book: &Book, now: Timestamp) -> Vec<Offer> {
        let need = self.need;
        let ranked = self.heap.into_sorted_vec();
        let offers = ranked.iter().filter_map(|ranked| {
            let listed = book.ask_of(&ranked.row, now)?;
            offer(need, &listed)
        });
        offers.collect()
    }
}
