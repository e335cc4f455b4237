//! Owns the hint: the one change of a need that would let most other offers fit.
//!
//! Never more than a few figures a kind of change, however many offers there are.

use std::fmt;

use market::gpu::GpuClass;
use market::{Amount, PricePerHour};
use serde::{Deserialize, Serialize};

use crate::eligibility::{Need, Proof};

/// How many offers a change is stretched for: five more are a choice, and the sixth may cost the double.
const ENOUGH: usize = 5;

/// The most classes that are kept in mind.
const CLASSES: usize = 16;

/// A change of a need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Paying up to this for an hour of one GPU.
    MaxPrice(PricePerHour),
    /// Paying up to this in all.
    Budget(Amount),
    /// A longer time limit, in seconds.
    TimeLimitS(u32),
    /// A shorter time limit, in seconds.
    DurationS(u32),
    /// A job that needs no more memory than this, in MiB.
    UsableMib(u32),
    /// Fewer GPUs.
    Gpus(u16),
    /// This class too.
    Class(GpuClass),
    /// Unproven offers too.
    Unproven,
}

/// A change that would help, and how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hint {
    /// What to change; nothing else is in the way of these offers.
    pub change: Change,
    /// How many offers would fit then that do not now.
    pub offers: u32,
}

impl fmt::Display for Hint {
    /// Prints for example `at 0.24 cr/h: 5 offers`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.change {
            Change::MaxPrice(price) => write!(f, "at {price}"),
            Change::Budget(total) => write!(f, "with a budget of {total}"),
            Change::TimeLimitS(seconds) => write!(f, "with a time limit of {seconds} s"),
            Change::DurationS(seconds) => write!(f, "for at most {seconds} s"),
            Change::UsableMib(mib) => write!(f, "if {mib} MiB were enough"),
            Change::Gpus(1) => f.write_str("with 1 GPU"),
            Change::Gpus(gpus) => write!(f, "with {gpus} GPUs"),
            Change::Class(class) => write!(f, "with {class} accepted too"),
            Change::Unproven => write!(f, "with unproven offers accepted too"),
        }?;
        let plural = if self.offers == 1 { "" } else { "s" };
        write!(f, ": {} offer{plural}", self.offers)
    }
}

impl Change {
    /// Returns the need with this change made.
    pub fn made(&self, need: &Need) -> Need {
        let mut need = need.clone();
        match *self {
            Self::MaxPrice(price) => need.max_price = Some(price),
            Self::Budget(total) => need.budget = Some(total),
            Self::TimeLimitS(seconds) | Self::DurationS(seconds) => need.duration_s = seconds,
            Self::UsableMib(mib) => need.usable_bytes = u64::from(mib) << 20,
            Self::Gpus(gpus) => need.gpus = gpus,
            Self::Class(class) => need.classes.push(class),
            Self::Unproven => need.proof = Proof::Optional,
        }
        need
    }
}

/// The nearest `N` figures, nearest first: the smallest.
#[derive(Debug, Default)]
struct Nearest<const N: usize> {
    figures: Vec<u64>,
}

impl<const N: usize> Nearest<N> {
    fn wants(&self, figure: u64) -> bool {
        self.figures.len() < N || self.figures.last().is_none_or(|it| figure < *it)
    }

    fn note(&mut self, figure: u64) {
        if !self.wants(figure) {
            return;
        }
        let at = self.figures.partition_point(|it| *it <= figure);
        self.figures.insert(at, figure);
        self.figures.truncate(N);
    }

    /// Returns the figure that lets all of them fit, and how many they are.
    fn farthest(&self) -> Option<(u64, u32)> {
        Some((*self.figures.last()?, self.figures.len() as u32))
    }
}

/// What the offers lack that one change would let fit.
#[derive(Debug, Default)]
pub(super) struct Hints {
    prices: Nearest<ENOUGH>,
    budgets: Nearest<ENOUGH>,
    /// Turned, so that the nearest is the smallest.
    memories: Nearest<ENOUGH>,
    /// What helps one of these can be in the way of another: only the nearest is told.
    time_limits: Nearest<1>,
    durations: Nearest<1>,
    gpus: Nearest<1>,
    classes: Vec<(GpuClass, u32)>,
    unproven: u32,
}

impl Hints {
    /// Tells whether the change that lets another offer fit, or a farther one, could be the hint.
    pub(super) fn wants(&self, change: Change) -> bool {
        match change {
            Change::MaxPrice(price) => self.prices.wants(price.0.nanocredits()),
            Change::Budget(total) => self.budgets.wants(total.nanocredits()),
            Change::TimeLimitS(seconds) => self.time_limits.wants(seconds.into()),
            Change::DurationS(seconds) => self.durations.wants(!u64::from(seconds)),
            Change::UsableMib(mib) => self.memories.wants(!u64::from(mib)),
            Change::Gpus(gpus) => self.gpus.wants(!u64::from(gpus)),
            Change::Class(_) | Change::Unproven => true,
        }
    }

    /// Notes the change that lets another offer fit.
    pub(super) fn note(&mut self, change: Change) {
        match change {
            Change::MaxPrice(price) => self.prices.note(price.0.nanocredits()),
            Change::Budget(total) => self.budgets.note(total.nanocredits()),
            Change::TimeLimitS(seconds) => self.time_limits.note(seconds.into()),
            Change::DurationS(seconds) => self.durations.note(!u64::from(seconds)),
            Change::UsableMib(mib) => self.memories.note(!u64::from(mib)),
            Change::Gpus(gpus) => self.gpus.note(!u64::from(gpus)),
            Change::Unproven => self.unproven = self.unproven.saturating_add(1),
            Change::Class(class) => self.note_class(class),
        }
    }

    fn note_class(&mut self, class: GpuClass) {
        // Rows come class by class, so that the last one is the one.
        let last = self.classes.last_mut().filter(|(last, _)| *last == class);
        if let Some((_, count)) = last {
            *count = count.saturating_add(1);
        } else if self.classes.len() < CLASSES {
            self.classes.push((class, 1));
        }
    }

    /// Returns the change that lets most offers fit; of those that let enough of them, the first of [`Change`].
    pub(super) fn best(&self) -> Option<Hint> {
        let amount = |figure| Amount::from_nanocredits(figure);
        let seconds = |figure: u64| u32::try_from(figure).unwrap_or(u32::MAX);
        let turned = |figure: u64| u32::try_from(!figure).unwrap_or(u32::MAX);
        let gpus = |figure: u64| u16::try_from(!figure).unwrap_or(u16::MAX);
        let hint = |change: Change, offers: u32| Hint { change, offers };
        fn of<const N: usize>(
            nearest: &Nearest<N>,
            change: impl Fn(u64) -> Change,
        ) -> Option<Hint> {
            let (figure, offers) = nearest.farthest()?;
            let change = change(figure);
            Some(Hint { change, offers })
        }
        let class = self.classes.iter().rev().max_by_key(|(_, count)| *count);
        let hints = [
            of(&self.prices, |it| {
                Change::MaxPrice(PricePerHour(amount(it)))
            }),
            of(&self.budgets, |it| Change::Budget(amount(it))),
            of(&self.time_limits, |it| Change::TimeLimitS(seconds(it))),
            of(&self.durations, |it| Change::DurationS(turned(it))),
            of(&self.memories, |it| Change::UsableMib(turned(it))),
            of(&self.gpus, |it| Change::Gpus(gpus(it))),
            class.map(|(class, offers)| hint(Change::Class(*class), *offers)),
            (self.unproven > 0).then(|| hint(Change::Unproven, self.unproven)),
        ];
        let hints = hints.into_iter().flatten();
        let enough = |hint: &Hint| hint.offers.min(ENOUGH as u32);
        hints.reduce(|best, hint| {
            if enough(&hint) > enough(&best) {
                hint
            } else {
                best
            }
        })
    }
}
