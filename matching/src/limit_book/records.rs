//! Owns the record of each resting order: where in which ladder it stands, and until when.
//!
//! Never more than the capacity that it was made with, all of it allocated at once; a place is used again under
//! another generation, so that old keys find nothing.

use market::Timestamp;

use super::ladder::Place;
use super::order::{Direction, OrderKey};

/// No record.
const NIL: u32 = u32::MAX;

/// The generation of a record that holds no order has its lowest bit unset.
const LIVE: u32 = 1;

/// What is kept of a resting order beside its entry in the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Record {
    /// Where it stands; of a free record, the next free one.
    pub(super) place: Place,
    pub(super) direction: Direction,
    generation: u32,
    /// [`Timestamp`] with the end of time for none.
    good_till: Timestamp,
}

/// The end of time: an order without an end of its own.
const NEVER: Timestamp = Timestamp::from_millis(u64::MAX);

impl Record {
    pub(super) fn good_till(&self) -> Option<Timestamp> {
        (self.good_till != NEVER).then_some(self.good_till)
    }
}

/// All records of a book.
#[derive(Debug, Clone)]
pub(super) struct Records {
    records: Vec<Record>,
    free: u32,
    capacity: usize,
}

impl Records {
    pub(super) fn new(capacity: usize) -> Self {
        let capacity = capacity.min(NIL as usize);
        Self {
            records: Vec::with_capacity(capacity),
            free: NIL,
            capacity,
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn bytes(&self) -> usize {
        self.records.capacity() * size_of::<Record>()
    }

    /// Tells whether another order can be kept.
    pub(super) fn has_room(&self) -> bool {
        self.free != NIL || self.records.len() < self.capacity
    }

    /// Keeps an order; `None` where there is no room.
    pub(super) fn add(
        &mut self,
        place: Place,
        direction: Direction,
        good_till: Option<Timestamp>,
    ) -> Option<OrderKey> {
        let good_till = good_till.unwrap_or(NEVER);
        if let Some(record) = self.records.get_mut(self.free as usize) {
            let index = self.free;
            self.free = record.place.0 as u32;
            record.generation = record.generation.wrapping_add(1);
            record.place = place;
            record.direction = direction;
            record.good_till = good_till;
            return Some(OrderKey {
                index,
                generation: record.generation,
            });
        }
        if self.records.len() >= self.capacity {
            return None;
        }
        let index = self.records.len() as u32;
        self.records.push(Record {
            place,
            direction,
            generation: LIVE,
            good_till,
        });
        Some(OrderKey {
            index,
            generation: LIVE,
        })
    }

    /// Returns the record of an order that stands.
    pub(super) fn get(&self, key: OrderKey) -> Option<&Record> {
        let record = self.records.get(key.index as usize)?;
        (record.generation == key.generation).then_some(record)
    }

    /// Notes that an order stands elsewhere.
    pub(super) fn set_place(&mut self, index: u32, place: Place) {
        if let Some(record) = self.records.get_mut(index as usize) {
            record.place = place;
        }
    }

    /// Returns the key of the order in a place of the ladder.
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
            record.generation = record.generation.wrapping_add(1);
            record.place = Place(self.free.into());
            self.free = index;
        }
        key
    }
}
