//! Owns the quote: the asks that fit a need, ranked by what this very job would cost on each.
//!
//! Never uses a float, and never the order of arrival: equal offers are told apart by a draw that no
//! maker can steer, since it hashes a block header that did not exist when the ask was posted.

use market::agreement::{Meter, Rates};
use market::order::{Ask, Register};
use market::{Amount, HeaderId, OrderId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::book::{Book, ListedAsk, Standing};
use crate::eligibility::{Misfit, Need, misfit};
use crate::rejections::Rejections;

/// The bandwidth that an ask without a figure is assumed to have, in 10^9 bytes a second: less than
/// any machine with two memory channels, so that leaving it out never pays.
const ASSUMED_GB_PER_S: u16 = 5;

/// The precision that a job's matrix products run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// fp32.
    F32,
    /// f16 with f32 accumulation, where the ask has a figure for it; else fp32.
    F16,
}

/// The work of a job, from which its time is predicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Floating-point operations.
    pub flops: u128,
    /// Bytes that pass through the GPU's memory; 0 where arithmetic dominates.
    pub bytes: u128,
    /// The precision of the matrix products.
    pub precision: Precision,
}

impl Work {
    /// Predicts the milliseconds that `gpus` GPUs of `ask` take, at least 1:
    /// `max(flops / rate, bytes / bandwidth) / gpus`, rounded up. Saturates.
    pub fn predicted_ms(&self, ask: &Ask, gpus: u16) -> u64 {
        let figures = &ask.figures;
        let mflops = match (self.precision, figures.f16_mflops) {
            (Precision::F16, Some(f16)) => f16.max(figures.gemm_mflops),
            _ => figures.gemm_mflops,
        };
        let gb_per_s = figures.gb_per_s.unwrap_or(ASSUMED_GB_PER_S);
        let gpus = u128::from(gpus.max(1));
        // 10^6 operations a second are 10^3 a millisecond; 10^9 bytes a second are 10^6.
        let flops_per_ms = u128::from(mflops.max(1)) * 1_000 * gpus;
        let bytes_per_ms = u128::from(gb_per_s.max(1)) * 1_000_000 * gpus;
        let arithmetic = self.flops.div_ceil(flops_per_ms);
        let memory = self.bytes.div_ceil(bytes_per_ms);
        u64::try_from(arithmetic.max(memory))
            .unwrap_or(u64::MAX)
            .max(1)
    }
}

/// An ask that fits, and what the job would cost there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Where it stands; its node is whom to ask.
    pub register: Register,
    /// The id of the signed ask, which an agreement names.
    pub order: OrderId,
    /// Whether its claims were proved.
    pub standing: Standing,
    /// When it ends, in protocol time.
    pub expires_at: Timestamp,
    /// What is offered.
    pub ask: Ask,
    /// How long the job would run, in milliseconds; the whole duration where its work is unknown.
    pub predicted_ms: u64,
    /// What it would then cost at the full rate, at least the first tick; the ledger's fees are extra.
    pub expected_total: Amount,
}

/// The answer to a need.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quote {
    /// The fitting offers: proven ones first, then by expected cost, then by the draw.
    pub offers: Vec<Offer>,
    /// Why the other ones do not fit.
    pub rejections: Rejections,
}

/// Returns the draw of a register: BLAKE3(header id || node || slot). The lowest goes first.
///
/// `header` is the id of the block header at the last height that is a multiple of 60.
pub fn draw(header: &HeaderId, register: &Register) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(header.as_bytes());
    hasher.update(register.node.as_bytes());
    hasher.update(&[register.slot.number()]);
    *hasher.finalize().as_bytes()
}

/// Ranks the asks that stand at `now` for `need`; `header` is the one of [`draw`].
pub fn quote(book: &Book, need: &Need, header: &HeaderId, now: Timestamp) -> Quote {
    let mut rejections = Rejections::default();
    let mut offers = Vec::new();
    for listed in book.asks(now) {
        let fit = judged(book, need, &listed);
        rejections.count(fit.as_ref().err().copied());
        offers.extend(fit.ok());
    }
    offers.sort_by_cached_key(|offer| rank(need, offer, header));
    Quote { offers, rejections }
}

/// Judges one ask by the rules of [`quote`]: the offer where it fits, else the first reason against it. `None` where
/// no ask stands under this id at `now`.
pub fn fit(
    book: &Book,
    need: &Need,
    order: OrderId,
    now: Timestamp,
) -> Option<Result<Offer, Misfit>> {
    let listed = book.find_ask(order, now)?;
    Some(judged(book, need, &listed))
}

fn judged(book: &Book, need: &Need, listed: &ListedAsk<'_>) -> Result<Offer, Misfit> {
    match misfit(need, listed, book.posting()) {
        None => offer(need, listed),
        Some(reason) => Err(reason),
    }
}

/// Predicts time and cost on an ask that otherwise fits.
fn offer(need: &Need, listed: &ListedAsk<'_>) -> Result<Offer, Misfit> {
    let ask = listed.ask;
    let longest_ms = u64::from(need.duration_s) * 1_000;
    let predicted_ms = match &need.work {
        Some(work) => work.predicted_ms(ask, need.gpus),
        None => longest_ms,
    };
    if predicted_ms > longest_ms {
        return Err(Misfit::TooSlow);
    }
    if need
        .max_price
        .is_some_and(|max_price| ask.price > max_price)
    {
        return Err(Misfit::Price);
    }
    let total = expected_total(ask, need.gpus, predicted_ms).ok_or(Misfit::Budget)?;
    if need.budget.is_some_and(|budget| total > budget) {
        return Err(Misfit::Budget);
    }
    Ok(Offer {
        register: listed.register,
        order: listed.order,
        standing: listed.standing,
        expires_at: listed.expires_at,
        ask: ask.clone(),
        predicted_ms,
        expected_total: total,
    })
}

/// Returns what running for `running_ms` costs, at least one tick, or `None` above what an amount holds.
fn expected_total(ask: &Ask, gpus: u16, running_ms: u64) -> Option<Amount> {
    let rates = Rates {
        price_per_hour: ask.price,
        gpus,
        hold_bps: ask.hold_bps,
        tick_ms: ask.tick_ms,
        prepaid_ticks: 1,
        delivery_ticks: 1,
    };
    let running = rates.due(Meter {
        running_ms,
        hold_ms: 0,
    })?;
    Some(running.max(rates.first_tick()?))
}

/// What offers are sorted by. The cost is price x time before any rounding, so that two offers that
/// round to the same amount still rank by which is cheaper.
fn rank(need: &Need, offer: &Offer, header: &HeaderId) -> (Standing, u128, [u8; 32]) {
    let cost = u128::from(offer.ask.price.0.nanocredits())
        * u128::from(need.gpus)
        * u128::from(offer.predicted_ms);
    (offer.standing, cost, draw(header, &offer.register))
}

#[cfg(test)]
mod tests;
