//! Owns what the book knows of one node: its slots and its newest beacon.
//!
//! Never compares times of arrival: the highest (sequence, id) wins, and nothing is forgotten before
//! everything older than it has become meaningless too.

use std::collections::BTreeMap;

use market::gpu::GpuClass;
use market::order::{Ask, Beacon, BookMessage, Order, OrderBody, Register, Sequence, Slot};
use market::{NodeId, Timestamp};

use super::Refused;
use super::shelf::{Known, Row, Shelves};
use crate::checked::Checked;

/// The orders of one node.
#[derive(Debug, Clone, Default)]
pub(super) struct Maker {
    beacon: Option<Checked<Beacon>>,
    slots: BTreeMap<Slot, Checked<Order>>,
    /// Its asks as they lie on the book's shelves.
    shelved: Vec<(GpuClass, Row)>,
}

impl PartialEq for Maker {
    fn eq(&self, other: &Self) -> bool {
        self.beacon == other.beacon && self.slots == other.slots
    }
}

impl Eq for Maker {}

impl Maker {
    pub(super) fn holds(&self, slot: Slot) -> bool {
        self.slots.contains_key(&slot)
    }

    pub(super) fn registers(&self) -> usize {
        self.slots.len()
    }

    /// Returns the highest sequence that the node has signed, as far as is known.
    pub(super) fn newest_sequence(&self) -> Option<Sequence> {
        let orders = self.slots.values().map(|order| order.value().sequence);
        let beacon = self.beacon.as_ref().map(|beacon| beacon.value().sequence);
        orders.chain(beacon).max()
    }

    /// Tells whether nothing is known of the node any more.
    pub(super) fn is_idle(&self) -> bool {
        self.beacon.is_none() && self.slots.is_empty()
    }

    /// Writes a slot unless the same or a newer order holds it.
    pub(super) fn write(&mut self, order: Checked<Order>) -> Result<(), Refused> {
        let rank = |order: &Checked<Order>| (order.value().sequence, *order.id());
        let slot = order.value().slot;
        match self.slots.get(&slot) {
            Some(held) if rank(held) >= rank(&order) => Err(Refused::Superseded),
            _ => {
                self.slots.insert(slot, order);
                Ok(())
            }
        }
    }

    /// Takes a beacon unless the same or a newer one is here.
    pub(super) fn hear(&mut self, beacon: Checked<Beacon>) -> Result<(), Refused> {
        let rank = |beacon: &Checked<Beacon>| (beacon.value().sequence, *beacon.id());
        match &self.beacon {
            Some(held) if rank(held) >= rank(&beacon) => Err(Refused::Superseded),
            _ => {
                self.beacon = Some(beacon);
                Ok(())
            }
        }
    }

    /// Returns the orders that stand at `now`; cancellations are among them.
    pub(super) fn standing(&self, now: Timestamp) -> impl Iterator<Item = &Checked<Order>> {
        self.slots
            .values()
            .filter(move |order| now < self.stands_until(order.value()))
    }

    /// Returns when `order` stops standing if no further beacon comes.
    pub(super) fn stands_until(&self, order: &Order) -> Timestamp {
        let alone = Beacon::order_alone_keeps_until(order.sequence);
        let kept_until = match self.beacon.as_ref().map(Checked::value) {
            Some(beacon) if beacon.sequence < order.sequence => alone,
            Some(beacon) if beacon.covers(order.slot) => beacon.keeps_until(),
            Some(beacon) => beacon.sequence.time(),
            None => alone,
        };
        kept_until.min(order.expires_at)
    }

    /// Lays its asks out on the shelves, in place of those that lay there; `known` tells of an ask what is known of it
    /// beside until when it stands, which it is given. What stood until `now` or before lies on no shelf. To be called
    /// whenever anything of it has changed.
    pub(super) fn shelve(
        &mut self,
        (node, now): (NodeId, Timestamp),
        shelves: &mut Shelves,
        known: impl Fn(&Ask, Timestamp) -> Known,
    ) {
        let rows = self.slots.values().filter_map(|order| {
            let order = order.value();
            let OrderBody::Ask(ask) = &order.body else {
                return None;
            };
            let register = Register {
                node,
                slot: order.slot,
            };
            let until = self.stands_until(order);
            if until <= now {
                return None;
            }
            let known = known(ask, until);
            Some((ask.class, Row::new(register, ask, known)))
        });
        let rows: Vec<(GpuClass, Row)> = rows.collect();
        for (class, row) in self.shelved.iter().filter(|row| !rows.contains(row)) {
            shelves.remove(*class, row);
        }
        for (class, row) in rows.iter().filter(|row| !self.shelved.contains(row)) {
            shelves.insert(*class, *row);
        }
        self.shelved = rows;
    }

    pub(super) fn expire(&mut self, now: Timestamp) {
        self.slots
            .retain(|_, order| matters(order.value().sequence, now));
        if !self
            .beacon
            .as_ref()
            .is_some_and(|beacon| is_heard(beacon, now))
        {
            self.beacon = None;
        }
    }

    /// Returns the order in a slot.
    pub(super) fn order(&self, slot: Slot) -> Option<&Checked<Order>> {
        self.slots.get(&slot)
    }

    /// Returns the beacon and the orders that still matter, to pass on.
    pub(super) fn messages(&self, now: Timestamp) -> impl Iterator<Item = BookMessage> + '_ {
        let beacon = self.heard(now).map(|beacon| beacon.signed().clone());
        let orders = self.mattering(now).map(|order| order.signed().clone());
        let beacon = beacon.map(BookMessage::Beacon).into_iter();
        beacon.chain(orders.map(BookMessage::Order))
    }

    /// Returns the ids of the beacon and the orders that still matter.
    pub(super) fn ids(&self, now: Timestamp) -> impl Iterator<Item = &[u8; 32]> {
        let beacon = self.heard(now).map(Checked::id).into_iter();
        beacon.chain(self.mattering(now).map(Checked::id))
    }

    fn heard(&self, now: Timestamp) -> Option<&Checked<Beacon>> {
        self.beacon.as_ref().filter(|beacon| is_heard(beacon, now))
    }

    fn mattering(&self, now: Timestamp) -> impl Iterator<Item = &Checked<Order>> {
        let orders = self.slots.values();
        orders.filter(move |order| matters(order.value().sequence, now))
    }
}

fn matters(sequence: Sequence, now: Timestamp) -> bool {
    now < sequence.horizon()
}

fn is_heard(beacon: &Checked<Beacon>, now: Timestamp) -> bool {
    now < Beacon::horizon(beacon.value().sequence)
}
