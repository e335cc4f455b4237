//! Owns the quote: the asks that fit a need, ranked by what this very job would cost on each.
//!
//! Never uses a float, and never the order of arrival: equal offers are told apart by a draw that no
//! maker can steer, since it hashes a block header that did not exist when the ask was posted.

mod best;
mod hint;
mod scan;

use market::agreement::{Meter, Rates};
use market::gpu::GpuClass;
use market::order::{Ask, Register};
use market::{Amount, HeaderId, OrderId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::book::{Book, ListedAsk, Row, Run, Shelf, Standing};
use crate::eligibility::{Misfit, Need};
use crate::rejections::Rejections;

use best::Best;
pub use hint::{Change, Hint};
use scan::{Demand, Seen, Verdict};

/// The bandwidth that an ask without a figure is assumed to have, in 10^9 bytes a second: less than
/// any machine with two memory channels, so that leaving it out never pays.
pub(crate) const ASSUMED_GB_PER_S: u16 = 5;

/// The most asks that a quote looks at one by one: as many as a book of the usual capacity holds, and some more. Those
/// beyond are told as not looked at. In the crate's own tests few.
pub const SCAN_LIMIT: u32 = if cfg!(test) { 128 } else { 1 << 17 };

/// The most offers that a quote lists, 64; others that fit are only counted. In the crate's own tests few, so that small
/// books have more.
pub const MAX_OFFERS: usize = if cfg!(test) { 12 } else { 64 };

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
        let gb_per_s = figures.gb_per_s.unwrap_or(ASSUMED_GB_PER_S).max(1);
        let f16_mflops = figures.f16_mflops.unwrap_or(0);
        let mflops = self.mflops(figures.gemm_mflops, f16_mflops);
        self.predict(mflops, gb_per_s, gpus)
    }

    /// Returns the rate at which its products run: 10^6 operations a second, at least 1.
    fn mflops(&self, gemm_mflops: u32, f16_mflops: u32) -> u32 {
        let mflops = match self.precision {
            Precision::F16 => f16_mflops.max(gemm_mflops),
            Precision::F32 => gemm_mflops,
        };
        mflops.max(1)
    }

    fn predict(&self, mflops: u32, gb_per_s: u16, gpus: u16) -> u64 {
        let gpus = gpus.max(1);
        let arithmetic = self.flops.div_ceil(flops_per_ms(mflops, gpus));
        let memory = self.bytes.div_ceil(bytes_per_ms(gb_per_s, gpus));
        u64::try_from(arithmetic.max(memory))
            .unwrap_or(u64::MAX)
            .max(1)
    }
}

/// 10^6 operations a second are 10^3 a millisecond.
fn flops_per_ms(mflops: u32, gpus: u16) -> u128 {
    u128::from(mflops) * 1_000 * u128::from(gpus)
}

/// 10^9 bytes a second are 10^6 a millisecond.
fn bytes_per_ms(gb_per_s: u16, gpus: u16) -> u128 {
    u128::from(gb_per_s) * 1_000_000 * u128::from(gpus)
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
    /// The fitting offers, at most [`MAX_OFFERS`]: proven ones first, then by expected cost, then by the draw.
    pub offers: Vec<Offer>,
    /// The one change of the need that would let most of the others fit.
    pub hint: Option<Hint>,
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
///
/// Looks at runs of alike asks, and one by one at those of which that does not tell enough, at most [`SCAN_LIMIT`]:
/// those classes first that can do it, and the cheapest of each.
pub fn quote(book: &Book, need: &Need, header: &HeaderId, now: Timestamp) -> Quote {
    let demand = Demand::new(need, book, now);
    let mut seen = Seen::default();
    let mut best = Best::new(need, (book, header), now);
    let mut shelves: Vec<(bool, GpuClass, &Shelf)> = book
        .shelves()
        .map(|(class, shelf)| (demand.accepts(class), class, shelf))
        .collect();
    // Stable: within both, the slowest class first.
    shelves.sort_by_key(|(is_accepted, class, _)| !(*is_accepted && demand.holds(*class)));
    for (number, (is_accepted, class, shelf)) in shelves.iter().enumerate() {
        let share = seen.room() / (shelves.len() - number);
        let mut look = Look {
            demand: &demand,
            listed_as: (*class, *is_accepted),
            room: share,
        };
        for run in shelf.runs() {
            look.at_run(run, &mut seen, &mut best);
        }
    }
    Quote {
        offers: best.into_offers(),
        hint: seen.hint(),
        rejections: seen.rejections(),
    }
}

/// A look at the asks of one class.
struct Look<'a> {
    demand: &'a Demand<'a>,
    /// The class, and whether the need accepts it.
    listed_as: (GpuClass, bool),
    /// How many more rows are looked at one by one.
    room: usize,
}

impl Look<'_> {
    fn at_run(&mut self, run: &Run, seen: &mut Seen, best: &mut Best<'_>) {
        let (class, is_accepted) = self.listed_as;
        let verdict = self.demand.verdict(run, is_accepted);
        let may_take = best.may_take(run.best());
        let tells_all = |verdict: &Verdict| match verdict.all {
            0 => !may_take,
            _ => seen.note_run(self.demand, (class, run), *verdict),
        };
        if let Some(verdict) = verdict.filter(tells_all) {
            return seen.count(verdict.all, run.rows().len());
        }
        let rows = run.rows().iter();
        for row in rows.filter(|row| self.demand.now < row.stands_until) {
            if self.room == 0 {
                seen.leave_out();
                continue;
            }
            self.room -= 1;
            let misfits = match self.demand.misfits(row, is_accepted) {
                0 => self.demand.over_budget(row),
                misfits => misfits,
            };
            match misfits {
                0 if may_take => best.try_row(row),
                0 => {}
                misfits => seen.note(self.demand, (class, row), misfits),
            }
            seen.look(misfits);
        }
    }
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
    let demand = Demand::new(need, book, now);
    let row = Row::of(&listed);
    let misfits = match demand.misfits(&row, demand.accepts(listed.ask.class)) {
        0 => demand.over_budget(&row),
        misfits => misfits,
    };
    Some(match scan::first(misfits) {
        Some(misfit) => Err(misfit),
        None => offer(need, &listed).ok_or(Misfit::Budget),
    })
}

/// Predicts time and cost on an ask that fits.
fn offer(need: &Need, listed: &ListedAsk<'_>) -> Option<Offer> {
    let ask = listed.ask;
    let predicted_ms = match &need.work {
        Some(work) => work.predicted_ms(ask, need.gpus),
        None => u64::from(need.duration_s) * 1_000,
    };
    Some(Offer {
        register: listed.register,
        order: listed.order,
        standing: listed.standing,
        expires_at: listed.expires_at,
        ask: ask.clone(),
        predicted_ms,
        expected_total: expected_total(ask, need.gpus, predicted_ms)?,
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

#[cfg(test)]
mod tests;
