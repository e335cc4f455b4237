//! Owns the order that stands for a bid: what a provider can tell from it before it offers.
//!
//! Pure. Never says more than a provider needs: the job itself is sent with a reservation only.

use market::AccountId;
use market::gpu::{AdapterKind, Band, GpuClass, Tier};
use market::job::JobSpec;
use market::order::{Bid, OrderBody};
use matching::{Need, Offer};

use crate::record::BidRecord;

/// The slowest band's lower edge in MFLOP/s.
const SLOWEST_MFLOPS: u64 = 244;

/// The smallest tier in GiB.
const SMALLEST_TIER: u16 = 1;

/// Returns what stands in the book for a bid; `height` is that at which the account could pay it.
pub(crate) fn body(bid: &BidRecord, need: &Need, account: AccountId, height: u64) -> OrderBody {
    let mib = need.usable_bytes.div_ceil(1 << 20);
    OrderBody::Bid(Bid {
        account,
        class: bid.class,
        max_price: bid.max_price,
        gpus: need.gpus,
        duration_s: need.duration_s,
        usable_mib: u32::try_from(mib).unwrap_or(u32::MAX),
        attributes: need.attributes,
        sandbox_level: need.sandbox_level,
        budget: bid.deposit,
        balance_height: height,
    })
}

/// Derives the least class of a kind that may do a job within its time limit. A need of at most a tier's memory
/// does not make it the larger one: what a job can use is compared byte by byte anyway.
pub(crate) fn least_class(job: &JobSpec, kind: AdapterKind) -> GpuClass {
    let per_second = job.flops() / u128::from(job.limits.wall_clock_s.max(1));
    let mflops = u64::try_from(per_second / 1_000_000).unwrap_or(u64::MAX);
    let band = Band::holding(mflops.max(SLOWEST_MFLOPS));
    let tier = Tier::holding(job.memory_bytes()).or(Tier::named(SMALLEST_TIER));
    GpuClass::new(
        kind,
        band.expect("the slowest band's edge is in a band"),
        tier.expect("there is a smallest tier"),
    )
}

/// Returns the kind of adapter to bid for where nobody said which: that of the best offer there is at any price, and
/// a GPU where there is none.
pub(crate) fn offered_kind(best: Option<&Offer>) -> AdapterKind {
    best.map_or(AdapterKind::Gpu, |offer| offer.ask.class.kind())
}

#[cfg(test)]
mod tests;
