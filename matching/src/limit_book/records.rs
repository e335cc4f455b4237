//! Owns the record of each resting order: by which the ladder finds it, and until when it stands.
//!
//! Never more than the capacity that it was made with, all of it allocated at once; a record is used again under
//! another generation, so that old keys find nothing.

use market::Timestamp;

use super::order::{Direction, OrderKey};

/// No record.
const NIL: u32 = u32::MAX;

/// What is kept of a resting order beside its entry in the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    /// The leaf of the ladder that it lies in; of a free record, the next free one.
    pub(super) leaf: u32,
    /// Which order it is, over three bits that say what is so of it.
    generation: u32,
}

/// Set where the record holds an order.
const HOLDS: u32 = 1;
/// Set where that order sells.
const SELLS: u32 = 2;
/// Set where it has an end.
const ENDS: u32 = 4;
/// What the number of the next order is greater by.
const NEXT: u32 = 8;

impl Record {
    pub(super) fn direction(&self) -> Direction {
        match self.generation & SELLS {
            0 => Direction::Buy,
            _ => Direction::Sell,
        }
    }
}

/// All records of a book.
#[derive(Debug, Clone)]
pub(super) struct Records {
    records: Vec<Record>,
    ends: Vec<Timestamp>,
    free: u32,
}

impl Records {
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity.min(NIL as usize);
        let record = |index: usize| Record {
            leaf: if index + 1 < capacity {
                index as u32 + 1
            } else {
                NIL
            },
            generation: 0,
        };
        Self {
            records: (0..capacity).map(record).collect(),
            ends: vec![Timestamp::from_millis(0); capacity],
            free: if capacity > 0 { 0 } else { NIL },
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.records.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.records.capacity() * size_of::<Record>()
            + self.ends.capacity() * size_of::<Timestamp>()
    }

    /// Keeps an order whose leaf is told later; `None` where there is no room.
    pub(super) fn add(
        &mut self,
        direction: Direction,
        good_till: Option<Timestamp>,
    ) -> Option<OrderKey> {
        let index = self.free;
        let record = self.records.get_mut(index as usize)?;
        self.free = record.leaf;
        let number = record.generation & !(NEXT - 1);
        record.generation = number.wrapping_add(NEXT) | HOLDS;
        if direction == Direction::Sell {
            record.generation |= SELLS;
        }
        if let Some(good_till) = good_till {
            record.generation |= ENDS;
            self.ends[index as usize] = good_till;
        }
        Some(OrderKey {
            index,
            generation: record.generation,
        })
    }

    /// Returns the record of an order that stands.
    pub(super) fn get(&self, key: OrderKey) -> Option<&Record> {
        let record = self.records.get(key.index as usize)?;
        (record.generation == key.generation).then_some(record)
    }

    /// Returns until when the order of a record stands.
    pub(super) fn good_till(&self, index: u32) -> Option<Timestamp> {
        let record = self.records.get(index as usize)?;
        (record.generation & ENDS != 0).then(|| self.ends[index as usize])
    }

    /// Notes in which leaf the order of a record lies.
    pub(super) fn set_leaf(&mut self, index: u32, leaf: u32) {
        if let Some(record) = self.records.get_mut(index as usize) {
            record.leaf = leaf;
        }
    }

    /// Returns the key of the order of a record.
    pub(super) fn key(&self, index: u32) -> OrderKey {
        let generation = self.records.get(index as usize).map(|it| it.generation);
        OrderKey {
            index,
            generation: generation.unwrap_or(0),
        }
    }

    /// Forgets an order, whose key finds nothing from now on, and returns that key.
    pub(super) fn remove(&mut self, index: u32) -> OrderKey {
        let key = self.key(index);
        if let Some(record) = self.records.get_mut(index as usize) {
            record.generation &= !HOLDS;
            record.leaf = self.free;
            self.free = index;
        }
        key
    }
}
