//! Owns the record of each resting order: by which the ladder finds it, whose it is, and until when it stands.
//!
//! Never more than the capacity that it was made with, all of it allocated at once.

use market::Timestamp;

use super::order::{Direction, OrderNumber, Owner};

/// The highest bit of a leaf's number: whether the order sells.
const SELLS: u32 = 1 << 31;

/// No order has this number.
const NOBODY: u32 = u32::MAX;

/// The end of time: an order without an end of its own.
const NEVER: Timestamp = Timestamp::from_millis(u64::MAX);

/// All records of a book, by the numbers of their orders.
#[derive(Debug, Clone)]
pub(super) struct Records {
    /// The leaf of the ladder that each lies in, or [`NOBODY`]. By itself, so that what a cancellation needs is small
    /// enough for a near cache.
    leaves: Vec<u32>,
    owners: Vec<Owner>,
    /// Empty until an order has an end.
    ends: Vec<Timestamp>,
}

impl Records {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            leaves: vec![NOBODY; capacity],
            owners: vec![Owner(0); capacity],
            ends: Vec::new(),
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.leaves.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.leaves.capacity() * size_of::<u32>()
            + self.owners.capacity() * size_of::<Owner>()
            + self.ends.capacity() * size_of::<Timestamp>()
    }

    /// Tells whether an order stands under this number.
    pub(super) fn is_taken(&self, number: OrderNumber) -> bool {
        let leaf = self.leaves.get(number.index());
        leaf.is_some_and(|leaf| *leaf != NOBODY)
    }

    /// Writes whose order stands under a number, which is below the capacity, and until when; where it lies is told later.
    pub(super) fn add(&mut self, number: OrderNumber, owner: Owner, good_till: Option<Timestamp>) {
        self.owners[number.index()] = owner;
        if good_till.is_some() && self.ends.is_empty() {
            self.ends = vec![NEVER; self.leaves.len()];
        }
        if let Some(end) = self.ends.get_mut(number.index()) {
            *end = good_till.unwrap_or(NEVER);
        }
    }

    /// Returns in which direction and leaf the order lies that stands under a number.
    pub(super) fn find(&self, number: OrderNumber) -> Option<(Direction, u32)> {
        let leaf = *self.leaves.get(number.index())?;
        let direction = match leaf & SELLS {
            0 => Direction::Buy,
            _ => Direction::Sell,
        };
        (leaf != NOBODY).then_some((direction, leaf & !SELLS))
    }

    /// Returns whose an order is.
    pub(super) fn owner(&self, number: OrderNumber) -> Owner {
        self.owners[number.index()]
    }

    /// Returns until when an order stands.
    pub(super) fn good_till(&self, number: OrderNumber) -> Option<Timestamp> {
        let end = self.ends.get(number.index()).copied();
        end.filter(|end| *end != NEVER)
    }

    /// Tells whether an order stands under a number that ends at this time.
    pub(super) fn ends_at(&self, end: Timestamp, number: OrderNumber) -> bool {
        self.is_taken(number) && self.good_till(number) == Some(end)
    }

    /// Notes where an order lies.
    pub(super) fn set_leaf(&mut self, number: u32, direction: Direction, leaf: u32) {
        let sells = match direction {
            Direction::Buy => 0,
            Direction::Sell => SELLS,
        };
        self.leaves[number as usize] = leaf | sells;
    }

    /// Forgets an order.
    pub(super) fn remove(&mut self, number: OrderNumber) {
        self.leaves[number.index()] = NOBODY;
    }
}
