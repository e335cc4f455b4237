//! Owns the asks of a book laid out for looking through: by class, cheapest first, the figures of each in one row.
//!
//! Never decides anything, and holds nothing that does not follow from the book's registers.
//!
//! They lie in runs of at most a few hundred, each with bounds of what its rows are like. Since a class is alike in
//! most and its prices rise, the bounds of most runs tell all that a quote wants to know of them.

use std::collections::BTreeMap;

use market::gpu::GpuClass;
use market::order::{Ask, Register};
use market::reputation::Reputation;
use market::{AccountId, Amount, NodeId, PricePerHour, Timestamp};

use super::{ListedAsk, Standing};
use crate::quote::ASSUMED_GB_PER_S;

/// The most rows of a run; a longer one is cut in two. In tests few, so that small books have many runs.
const RUN: usize = if cfg!(test) { 8 } else { 256 };

/// What a quote looks at of one ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Row {
    /// Nanocredits of a GPU-hour.
    pub(crate) price: u64,
    /// The head of the node's id, and its slot.
    pub(crate) node: Head,
    pub(crate) slot: u8,
    pub(crate) sandbox_level: u8,
    pub(crate) gpus: u16,
    pub(crate) max_duration_s: u32,
    /// The head of the account's id.
    pub(crate) account: Head,
    pub(crate) attributes: u64,
    /// When it stops standing, if no further beacon comes.
    pub(crate) stands_until: Timestamp,
    /// Until when a certificate proves it.
    pub(crate) proven_until: Timestamp,
    pub(crate) gemm_mflops: u32,
    pub(crate) f16_mflops: u32,
    pub(crate) usable_mib: u32,
    pub(crate) tick_ms: u32,
    /// At least 1; where the ask does not say, [`ASSUMED_GB_PER_S`].
    pub(crate) gb_per_s: u16,
    /// What its cost is multiplied by before it is ranked, in 1/10^4.
    pub(crate) cost_factor_bps: u16,
}

/// The first eight bytes of an id: to make another one that shares them takes 2^64 tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Head([u8; 8]);

impl Head {
    fn of(id: &[u8; 32]) -> Self {
        Self(*id.first_chunk().unwrap_or(&[0; 8]))
    }

    /// Returns the least node id with this head.
    pub(crate) fn first_node(self) -> NodeId {
        let mut id = [0; 32];
        id[..8].copy_from_slice(&self.0);
        NodeId::from_bytes(id)
    }
}

impl From<&NodeId> for Head {
    fn from(id: &NodeId) -> Self {
        Self::of(id.as_bytes())
    }
}

impl From<&AccountId> for Head {
    fn from(id: &AccountId) -> Self {
        Self::of(id.as_bytes())
    }
}

/// What is known of an ask beside what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    /// Until when it stands.
    pub(crate) stands_until: Timestamp,
    /// Until when it is proved.
    pub(crate) proven_until: Timestamp,
    /// How far its account delivers.
    pub(crate) reputation: Reputation,
}

impl Row {
    pub(crate) fn new(register: Register, ask: &Ask, known: Known) -> Self {
        Self {
            price: ask.price.0.nanocredits(),
            node: Head::from(&register.node),
            slot: register.slot.number(),
            sandbox_level: ask.sandbox_level,
            gpus: ask.gpus,
            max_duration_s: ask.max_duration_s,
            account: Head::from(&ask.account),
            attributes: ask.attributes.bits(),
            stands_until: known.stands_until,
            proven_until: known.proven_until,
            gemm_mflops: ask.figures.gemm_mflops,
            f16_mflops: ask.figures.f16_mflops.unwrap_or(0),
            usable_mib: ask.figures.usable_mib,
            tick_ms: ask.tick_ms,
            gb_per_s: ask.figures.gb_per_s.unwrap_or(ASSUMED_GB_PER_S).max(1),
            cost_factor_bps: known.reputation.cost_factor_bps(),
        }
    }

    /// Makes the row of an ask that stands, as long as nobody asks until when.
    pub(crate) fn of(listed: &ListedAsk<'_>) -> Self {
        let proven_until = match listed.standing {
            Standing::Proven => Timestamp::from_millis(u64::MAX),
            Standing::Unproven => Timestamp::from_millis(0),
        };
        let known = Known {
            stands_until: listed.expires_at,
            proven_until,
            reputation: Reputation::default(),
        };
        Self::new(listed.register, listed.ask, known)
    }

    /// Returns the price of a GPU-hour.
    pub(crate) fn price(&self) -> PricePerHour {
        PricePerHour(Amount::from_nanocredits(self.price))
    }

    fn key(&self) -> (u64, Head, u8) {
        (self.price, self.node, self.slot)
    }
}

/// A run of rows, and what is known of all of them without looking.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    rows: Vec<Row>,
    worst: Row,
    best: Row,
}

impl Run {
    fn new(row: Row) -> Self {
        Self {
            rows: vec![row],
            worst: row,
            best: row,
        }
    }

    /// Returns the rows, cheapest first; at least one.
    pub(crate) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// Returns a row that is in no figure better than any of the run. Whose it is means nothing.
    pub(crate) fn worst(&self) -> &Row {
        &self.worst
    }

    /// Returns a row that is in no figure worse than any of the run. Whose it is means nothing.
    pub(crate) fn best(&self) -> &Row {
        &self.best
    }

    fn insert(&mut self, row: Row) {
        let at = self.rows.partition_point(|it| it.key() <= row.key());
        self.rows.insert(at, row);
        self.worst.worsen(&row);
        self.best.better(&row);
    }

    fn split(&mut self) -> Self {
        let rest = Self {
            rows: self.rows.split_off(RUN / 2),
            ..*self
        };
        self.bound();
        rest.bounded()
    }

    fn bounded(mut self) -> Self {
        self.bound();
        self
    }

    /// Takes its bounds from its rows.
    fn bound(&mut self) {
        let Some((first, others)) = self.rows.split_first() else {
            return;
        };
        (self.worst, self.best) = (*first, *first);
        for row in others {
            self.worst.worsen(row);
            self.best.better(row);
        }
    }
}

impl Row {
    /// Takes each figure from the row that is worse in it.
    fn worsen(&mut self, other: &Self) {
        self.price = self.price.max(other.price);
        self.sandbox_level = self.sandbox_level.min(other.sandbox_level);
        self.gpus = self.gpus.min(other.gpus);
        self.max_duration_s = self.max_duration_s.min(other.max_duration_s);
        self.attributes &= other.attributes;
        self.stands_until = self.stands_until.min(other.stands_until);
        self.proven_until = self.proven_until.min(other.proven_until);
        self.gemm_mflops = self.gemm_mflops.min(other.gemm_mflops);
        self.f16_mflops = self.f16_mflops.min(other.f16_mflops);
        self.usable_mib = self.usable_mib.min(other.usable_mib);
        self.tick_ms = self.tick_ms.max(other.tick_ms);
        self.gb_per_s = self.gb_per_s.min(other.gb_per_s);
        self.cost_factor_bps = self.cost_factor_bps.max(other.cost_factor_bps);
    }

    /// Takes each figure from the row that is better in it.
    fn better(&mut self, other: &Self) {
        self.price = self.price.min(other.price);
        self.sandbox_level = self.sandbox_level.max(other.sandbox_level);
        self.gpus = self.gpus.max(other.gpus);
        self.max_duration_s = self.max_duration_s.max(other.max_duration_s);
        self.attributes |= other.attributes;
        self.stands_until = self.stands_until.max(other.stands_until);
        self.proven_until = self.proven_until.max(other.proven_until);
        self.gemm_mflops = self.gemm_mflops.max(other.gemm_mflops);
        self.f16_mflops = self.f16_mflops.max(other.f16_mflops);
        self.usable_mib = self.usable_mib.max(other.usable_mib);
        self.tick_ms = self.tick_ms.min(other.tick_ms);
        self.gb_per_s = self.gb_per_s.max(other.gb_per_s);
        self.cost_factor_bps = self.cost_factor_bps.min(other.cost_factor_bps);
    }
}

/// The asks of one class, cheapest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shelf {
    runs: Vec<Run>,
    len: usize,
}

impl Shelf {
    /// Returns the runs, cheapest first.
    pub(crate) fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// Returns the rows, cheapest first; those of one price by node and slot.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.runs.iter().flat_map(Run::rows)
    }

    fn run_of(&self, row: &Row) -> usize {
        let starts_before = |run: &Run| run.rows.first().is_some_and(|it| it.key() <= row.key());
        self.runs.partition_point(starts_before).saturating_sub(1)
    }

    fn insert(&mut self, row: Row) {
        self.len += 1;
        let at = self.run_of(&row);
        let Some(run) = self.runs.get_mut(at) else {
            self.runs.push(Run::new(row));
            return;
        };
        run.insert(row);
        if run.rows.len() > RUN {
            let rest = run.split();
            self.runs.insert(at + 1, rest);
        }
    }

    fn remove(&mut self, row: &Row) {
        let at = self.run_of(row);
        // Rows of one key lie together, at most over the end of a run; two of them are two nodes with one head.
        for at in (0..=at).rev() {
            let Some(run) = self.runs.get_mut(at) else {
                return;
            };
            if let Some(place) = run.rows.iter().position(|it| it == row) {
                run.rows.remove(place);
                self.len -= 1;
                match run.rows.is_empty() {
                    true => drop(self.runs.remove(at)),
                    false => run.bound(),
                }
                return;
            }
            if run.rows.first().is_some_and(|it| it.key() < row.key()) {
                return;
            }
        }
    }
}

/// The asks of all classes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shelves {
    classes: BTreeMap<GpuClass, Shelf>,
    /// How many asks each account has.
    sellers: BTreeMap<Head, u32>,
}

impl Shelves {
    pub(crate) fn insert(&mut self, class: GpuClass, row: Row) {
        self.classes.entry(class).or_default().insert(row);
        let asks = self.sellers.entry(row.account).or_default();
        *asks = asks.saturating_add(1);
    }

    pub(crate) fn remove(&mut self, class: GpuClass, row: &Row) {
        let Some(shelf) = self.classes.get_mut(&class) else {
            return;
        };
        shelf.remove(row);
        if shelf.len == 0 {
            self.classes.remove(&class);
        }
        if let Some(asks) = self.sellers.get_mut(&row.account) {
            *asks = asks.saturating_sub(1);
            if *asks == 0 {
                self.sellers.remove(&row.account);
            }
        }
    }

    /// Tells whether an account has asks.
    pub(crate) fn sells(&self, account: Head) -> bool {
        self.sellers.contains_key(&account)
    }

    /// Returns the asks of each class, slowest class first.
    pub(crate) fn classes(&self) -> impl Iterator<Item = (GpuClass, &Shelf)> {
        self.classes.iter().map(|(class, shelf)| (*class, shelf))
    }

    /// Returns the asks of one class.
    pub(crate) fn class(&self, class: GpuClass) -> Option<&Shelf> {
        self.classes.get(&class)
    }
}

const _: () = assert!(size_of::<Row>() == 80);

#[cfg(test)]
mod tests;
