//! Owns looking at rows: all reasons against one, as bits, from comparisons of whole numbers alone.
//!
//! Never divides where it can be helped: what a need asks for is turned once into what a row must have.

use market::gpu::GpuClass;
use market::{Amount, Timestamp};

use super::hint::{Change, Hint, Hints};
use super::{Precision, SCAN_LIMIT, bytes_per_ms, flops_per_ms};
use crate::book::{Book, Head, Posting, Row, Run};
use crate::eligibility::{Counterparties, Misfit, Need, Proof};
use crate::rejections::Rejections;

/// Reasons against an ask, one bit each, in the order of [`Misfit::ALL`].
pub(super) type Misfits = u16;

const fn bit(misfit: Misfit) -> Misfits {
    1 << misfit as u16
}

/// Returns the first reason, if there is one.
pub(super) fn first(misfits: Misfits) -> Option<Misfit> {
    Misfit::ALL.get(misfits.trailing_zeros() as usize).copied()
}

/// What is against all rows of a run, and against some of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verdict {
    pub(super) all: Misfits,
    some: Misfits,
}

/// A list of counterparties, by the heads of their ids.
struct Named {
    /// Sorted, as the ids are.
    nodes: Vec<Head>,
    accounts: Vec<Head>,
}

impl Named {
    fn of(listed: &Counterparties) -> Self {
        Self {
            nodes: listed.nodes.iter().map(Head::from).collect(),
            accounts: listed.accounts.iter().map(Head::from).collect(),
        }
    }

    fn names(&self, row: &Row) -> bool {
        let is_node = self.nodes.binary_search(&row.node).is_ok();
        is_node || self.accounts.binary_search(&row.account).is_ok()
    }
}

/// What a need asks of a row.
pub(super) struct Demand<'a> {
    need: &'a Need,
    pub(super) now: Timestamp,
    buyer: Head,
    /// Whether it matters whose an ask is.
    asks_whose: bool,
    denied: Named,
    allowed: Option<Named>,
    usable_mib: u64,
    wants_proof: bool,
    /// Whether the products may run in f16.
    halves: bool,
    /// 10^6 operations a second below which the work takes too long.
    least_mflops: u64,
    /// 10^9 bytes a second below which it does.
    least_gb_per_s: u64,
    max_price: u64,
    /// The budget in nanocredits times the milliseconds of an hour.
    scaled_budget: u128,
}

/// Milliseconds of an hour.
const HOUR_MS: u128 = 3_600_000;

impl<'a> Demand<'a> {
    pub(super) fn new(need: &'a Need, book: &Book, now: Timestamp) -> Self {
        let wants_proof = need.proof == Proof::Required || book.posting() == Posting::Certified;
        let has_lists = need.allowed.is_some() || !need.denied.is_empty();
        let mut demand = Self::of(need, now, wants_proof);
        demand.asks_whose = has_lists || book.sells(demand.buyer);
        demand
    }

    fn of(need: &'a Need, now: Timestamp, wants_proof: bool) -> Self {
        let gpus = need.gpus.max(1);
        let longest_ms = u128::from(longest_ms(need)).max(1);
        let least = |work: u128, of_one: u128| {
            let least = work.div_ceil(longest_ms.saturating_mul(of_one));
            u64::try_from(least).unwrap_or(u64::MAX)
        };
        let (flops, bytes) = need.work.map_or((0, 0), |work| (work.flops, work.bytes));
        let budget = need.budget.map_or(u64::MAX, Amount::nanocredits);
        let buyer = Head::from(&need.buyer);
        Self {
            need,
            now,
            buyer,
            asks_whose: true,
            denied: Named::of(&need.denied),
            allowed: need.allowed.as_ref().map(Named::of),
            usable_mib: need.usable_bytes.div_ceil(1 << 20),
            wants_proof,
            halves: need
                .work
                .is_some_and(|work| work.precision == Precision::F16),
            least_mflops: least(flops, flops_per_ms(1, gpus)),
            least_gb_per_s: least(bytes, bytes_per_ms(1, gpus)),
            max_price: need
                .max_price
                .map_or(u64::MAX, |price| price.0.nanocredits()),
            scaled_budget: u128::from(budget) * HOUR_MS,
        }
    }

    /// Tells whether a class stands for one of those that are accepted.
    pub(super) fn accepts(&self, class: GpuClass) -> bool {
        let classes = &self.need.classes;
        classes.is_empty() || classes.iter().any(|accepted| class.satisfies(*accepted))
    }

    /// Tells whether cards of a class have the memory, by their tier.
    pub(super) fn holds(&self, class: GpuClass) -> bool {
        self.usable_mib <= u64::from(class.tier().gib()) << 10
    }

    /// Returns all reasons against a row other than the budget.
    #[inline]
    pub(super) fn misfits(&self, row: &Row, is_accepted: bool) -> Misfits {
        let need = self.need;
        let missing = need.attributes.bits() & !row.attributes;
        let unproven = self.wants_proof & (self.now >= row.proven_until);
        let reasons = [
            (Misfit::OwnOffer, row.account == self.buyer),
            (Misfit::Class, !is_accepted),
            (Misfit::Memory, u64::from(row.usable_mib) < self.usable_mib),
            (Misfit::Gpus, row.gpus < need.gpus),
            (Misfit::Duration, row.max_duration_s < need.duration_s),
            (Misfit::Attributes, missing != 0),
            (Misfit::Sandbox, row.sandbox_level < need.sandbox_level),
            (Misfit::NoCertificate, unproven),
            (Misfit::TooSlow, self.is_too_slow(row)),
            (Misfit::Price, row.price > self.max_price),
        ];
        let mut misfits = 0;
        for (misfit, applies) in reasons {
            misfits |= Misfits::from(applies) << misfit as u16;
        }
        match self.asks_whose {
            true => misfits | self.unwanted(row),
            false => misfits,
        }
    }

    /// Tells what the bounds of a run say of all its rows: `None` where these differ in what is first against them, or
    /// some stand no more.
    pub(super) fn verdict(&self, run: &Run, is_accepted: bool) -> Option<Verdict> {
        if self.asks_whose || run.worst().stands_until <= self.now {
            return None;
        }
        // What the worst does not lack none lacks; what the best lacks all lack. Whose the bounds are means nothing.
        let against = |row: &Row| {
            let misfits = self.misfits(row, is_accepted) | self.over_budget(row);
            misfits & !bit(Misfit::OwnOffer)
        };
        let some = against(run.worst());
        if some == 0 {
            return Some(Verdict { all: 0, some });
        }
        let all = against(run.best());
        let earlier = (1 << all.trailing_zeros().min(15)) - 1;
        (all != 0 && some & earlier == 0).then_some(Verdict { all, some })
    }

    fn unwanted(&self, row: &Row) -> Misfits {
        let mut misfits = 0;
        if self.denied.names(row) {
            misfits |= bit(Misfit::Denied);
        }
        if self
            .allowed
            .as_ref()
            .is_some_and(|allowed| !allowed.names(row))
        {
            misfits |= bit(Misfit::NotAllowed);
        }
        misfits
    }

    fn is_too_slow(&self, row: &Row) -> bool {
        let halves = if self.halves { row.f16_mflops } else { 0 };
        let mflops = row.gemm_mflops.max(halves).max(1);
        (u64::from(mflops) < self.least_mflops) | (u64::from(row.gb_per_s) < self.least_gb_per_s)
    }

    /// Returns whether a row that fits otherwise costs more than the budget.
    pub(super) fn over_budget(&self, row: &Row) -> Misfits {
        let tick_ms = u64::from(row.tick_ms);
        let rate = self.rate(row);
        // What the whole time would cost is often within it, which takes no prediction to tell.
        let most = rate.saturating_mul(u128::from(longest_ms(self.need).max(tick_ms)));
        if most <= self.scaled_budget {
            return 0;
        }
        match self.scaled_total(row) <= self.scaled_budget {
            true => 0,
            false => bit(Misfit::Budget),
        }
    }

    /// Returns nanocredits an hour.
    fn rate(&self, row: &Row) -> u128 {
        u128::from(row.price) * u128::from(self.need.gpus)
    }

    /// Returns what the job is expected to cost in nanocredits, times the milliseconds of an hour.
    fn scaled_total(&self, row: &Row) -> u128 {
        let running_ms = predicted_ms(self.need, row).max(row.tick_ms.into());
        self.rate(row).saturating_mul(u128::from(running_ms))
    }

    /// Tells whether a row fits once a change is made.
    fn fits_after(&self, change: Change, (class, row): (GpuClass, &Row)) -> bool {
        let need = match change {
            // What these loosen tightens nothing else, and the budget alone is looked at last.
            Change::Class(_) | Change::Unproven => return self.over_budget(row) == 0,
            change => change.made(self.need),
        };
        let demand = Demand::of(&need, self.now, self.wants_proof);
        demand.misfits(row, demand.accepts(class)) | demand.over_budget(row) == 0
    }

    /// Returns the change that lets a row fit which has one reason against it alone.
    fn change_for(&self, (class, row): (GpuClass, &Row), misfit: Misfit) -> Option<Change> {
        Some(match misfit {
            Misfit::Price => Change::MaxPrice(row.price()),
            Misfit::Memory => Change::UsableMib(row.usable_mib),
            Misfit::Gpus => Change::Gpus(row.gpus),
            Misfit::Duration => Change::DurationS(row.max_duration_s),
            Misfit::NoCertificate => Change::Unproven,
            Misfit::Class => Change::Class(class),
            Misfit::Budget => {
                let total = self.scaled_total(row).div_ceil(HOUR_MS);
                Change::Budget(Amount::from_nanocredits(u64::try_from(total).ok()?))
            }
            Misfit::TooSlow => {
                let predicted_ms = predicted_ms(self.need, row);
                // A longer time than the ask allows is no change that helps.
                let seconds = u32::try_from(predicted_ms.div_ceil(1_000)).ok()?;
                (seconds <= row.max_duration_s).then_some(Change::TimeLimitS(seconds))?
            }
            Misfit::OwnOffer
            | Misfit::Denied
            | Misfit::NotAllowed
            | Misfit::Attributes
            | Misfit::Sandbox => return None,
        })
    }
}

/// Returns the longest that the agreement may run.
pub(super) fn longest_ms(need: &Need) -> u64 {
    u64::from(need.duration_s) * 1_000
}

/// Predicts how long the job runs on a row.
pub(super) fn predicted_ms(need: &Need, row: &Row) -> u64 {
    match need.work {
        Some(work) => {
            let mflops = work.mflops(row.gemm_mflops, row.f16_mflops);
            work.predict(mflops, row.gb_per_s, need.gpus)
        }
        None => longest_ms(need),
    }
}

/// What was seen of all rows.
#[derive(Default)]
pub(super) struct Seen {
    looked_at: u32,
    left_out: u32,
    fitting: u32,
    by_reason: [u32; Misfit::ALL.len()],
    hints: Hints,
}

impl Seen {
    /// Returns how many more may be looked at.
    pub(super) fn room(&self) -> usize {
        (SCAN_LIMIT as usize).saturating_sub(self.looked_at as usize)
    }

    pub(super) fn leave_out(&mut self) {
        self.left_out = self.left_out.saturating_add(1);
    }

    /// Counts a row that was looked at by itself.
    pub(super) fn look(&mut self, misfits: Misfits) {
        self.looked_at += 1;
        self.count(misfits, 1);
    }

    /// Counts rows with the same first reason against them.
    pub(super) fn count(&mut self, misfits: Misfits, rows: usize) {
        let rows = u32::try_from(rows).unwrap_or(u32::MAX);
        let count = self.by_reason.get_mut(misfits.trailing_zeros() as usize);
        let count = count.unwrap_or(&mut self.fitting);
        *count = count.saturating_add(rows);
    }

    /// Notes what the rows of a run lack; returns whether its bounds tell that.
    pub(super) fn note_run(
        &mut self,
        demand: &Demand<'_>,
        (class, run): (GpuClass, &Run),
        verdict: Verdict,
    ) -> bool {
        if !verdict.all.is_power_of_two() {
            return true;
        }
        let change = first(verdict.all).and_then(|it| demand.change_for((class, run.best()), it));
        match change {
            None => true,
            // All of them lack this alone.
            Some(change @ (Change::Class(_) | Change::Unproven)) => {
                let is_all = verdict.some == verdict.all;
                if is_all {
                    run.rows().iter().for_each(|_| self.hints.note(change));
                }
                is_all
            }
            Some(change) => !self.hints.wants(change),
        }
    }

    /// Notes what a row lacks, where that is one thing only.
    pub(super) fn note(&mut self, demand: &Demand<'_>, listed: (GpuClass, &Row), misfits: Misfits) {
        if !misfits.is_power_of_two() {
            return;
        }
        let change = first(misfits).and_then(|misfit| demand.change_for(listed, misfit));
        if let Some(change) = change.filter(|change| self.hints.wants(*change))
            && demand.fits_after(change, listed)
        {
            self.hints.note(change);
        }
    }

    pub(super) fn hint(&self) -> Option<Hint> {
        self.hints.best()
    }

    pub(super) fn rejections(&self) -> Rejections {
        let reasons = Misfit::ALL.into_iter().zip(self.by_reason);
        Rejections::new(self.fitting, reasons, self.left_out)
    }
}

const _: () = assert!(matches!(
    Misfit::ALL[Misfit::Budget as usize],
    Misfit::Budget
));
