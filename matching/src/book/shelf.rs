//! Owns the asks of a book laid out for looking through: by class, cheapest first, the figures of each in one row.
//!
//! Never decides anything and holds nothing that does not follow from the book: rows that are equal are of equal
//! asks, whatever the order in which these came.
//!
//! A quote looks at every row, so that what makes it quick is how they lie: eighty bytes one after the other, in
//! runs of a few hundred, so that putting one in moves little.

use std::collections::BTreeMap;

use market::gpu::GpuClass;
use market::order::{Ask, Register};
use market::reputation::Reputation;
use market::{AccountId, Amount, NodeId, PricePerHour, Timestamp};

use super::{ListedAsk, Standing};
use crate::quote::ASSUMED_GB_PER_S;

/// The most rows of a run; a longer one is cut in two.
const RUN: usize = 256;

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

/// The asks of one class, cheapest first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shelf {
    runs: Vec<Vec<Row>>,
    len: usize,
}

impl PartialEq for Shelf {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.rows().eq(other.rows())
    }
}

impl Eq for Shelf {}

impl Shelf {
    /// Returns how many rows there are, those included that stand no more.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Returns the rows, cheapest first; those of one price by node and slot.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row> {
        self.runs.iter().flatten()
    }

    fn run_of(&self, row: &Row) -> usize {
        let starts_before = |run: &Vec<Row>| run.first().is_some_and(|it| it.key() <= row.key());
        self.runs.partition_point(starts_before).saturating_sub(1)
    }

    fn insert(&mut self, row: Row) {
        self.len += 1;
        let at = self.run_of(&row);
        let Some(run) = self.runs.get_mut(at) else {
            self.runs.push(vec![row]);
            return;
        };
        run.insert(run.partition_point(|it| it.key() <= row.key()), row);
        if run.len() > RUN {
            let rest = run.split_off(RUN / 2);
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
            if let Some(place) = run.iter().position(|it| it == row) {
                run.remove(place);
                self.len -= 1;
                if run.is_empty() {
                    self.runs.remove(at);
                }
                return;
            }
            if run.first().is_some_and(|it| it.key() < row.key()) {
                return;
            }
        }
    }
}

/// The asks of all classes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Shelves {
    classes: BTreeMap<GpuClass, Shelf>,
}

impl Shelves {
    pub(crate) fn insert(&mut self, class: GpuClass, row: Row) {
        self.classes.entry(class).or_default().insert(row);
    }

    pub(crate) fn remove(&mut self, class: GpuClass, row: &Row) {
        let Some(shelf) = self.classes.get_mut(&class) else {
            return;
        };
        shelf.remove(row);
        if shelf.len == 0 {
            self.classes.remove(&class);
        }
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
