//! Owns this node's own orders: their sequences, their beacons, and what still has to be published.
//!
//! Never sends anything and never reads a clock; the actor does.

use std::collections::BTreeMap;
use std::time::Duration;

use market::keys::SecretKey;
use market::order::{
    Beacon, BookMessage, Bulletin, MAX_BULLETIN_MESSAGES, Order, OrderBody, Sequence, Slot,
};
use market::{ChainId, Signed, Timestamp};
use matching::Book;

/// What this node has in the book.
#[derive(Debug)]
pub(super) struct OwnOrders {
    key: SecretKey,
    chain: ChainId,
    interval_s: u16,
    sequence: Option<Sequence>,
    /// The orders that stand or were cancelled.
    slots: BTreeMap<Slot, Order>,
    beacon_due: Option<Timestamp>,
    /// What still has to be published: the newest order of each slot, and under no slot the beacon.
    unsent: BTreeMap<Option<Slot>, BookMessage>,
}

impl OwnOrders {
    pub(super) fn new(key: SecretKey, chain: ChainId, interval_s: u16) -> Self {
        Self {
            key,
            chain,
            interval_s,
            sequence: None,
            slots: BTreeMap::new(),
            beacon_due: None,
            unsent: BTreeMap::new(),
        }
    }

    /// Takes note of what an earlier run of this node has signed: a node that comes back may know an earlier protocol
    /// time than it did before it went.
    pub(super) fn catch_up(&mut self, book: &Book) {
        let signed = book.newest_sequence(&self.key.node());
        self.sequence = self.sequence.max(signed);
    }

    fn next_sequence(&mut self, now: Timestamp) -> Sequence {
        let sequence = Sequence::next(self.sequence, now);
        self.sequence = Some(sequence);
        sequence
    }

    /// Writes down what shall stand in a slot from now on, for at most `lifetime`.
    pub(super) fn draft(
        &mut self,
        slot: Slot,
        body: OrderBody,
        lifetime: Duration,
        now: Timestamp,
    ) -> Order {
        let sequence = self.next_sequence(now);
        Order {
            slot,
            sequence,
            expires_at: sequence.time().saturating_add(lifetime),
            body,
        }
    }

    /// Returns the signed form of an order of this node.
    pub(super) fn seal(&self, order: &Order) -> Signed<Order> {
        Signed::sign(order, &self.key, &self.chain)
    }

    /// Notes an order that the own book has taken, to be published and kept alive.
    pub(super) fn placed(&mut self, order: Order, signed: Signed<Order>, now: Timestamp) {
        let message = BookMessage::Order(signed);
        self.unsent.insert(Some(order.slot), message);
        self.slots.insert(order.slot, order);
        if self.beacon_due.is_none() {
            self.beacon_due = Some(now.saturating_add(self.interval()));
        }
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(self.interval_s.into())
    }

    fn live_slots(&self, now: Timestamp) -> u64 {
        self.slots
            .values()
            .filter(|order| order.body != OrderBody::Empty && now < order.expires_at)
            .fold(0, |mask, order| mask | order.slot.bit())
    }

    /// Returns a beacon when one is due. The first after the last order is gone says so; then there is
    /// none until the next order.
    pub(super) fn beacon_if_due(&mut self, now: Timestamp) -> Option<Signed<Beacon>> {
        if now < self.beacon_due? {
            return None;
        }
        let live_slots = self.live_slots(now);
        self.beacon_due = (live_slots != 0).then(|| now.saturating_add(self.interval()));
        self.slots.retain(|_, order| now < order.expires_at);
        Some(self.sign_beacon(live_slots, now))
    }

    /// Returns a beacon by which no order of this node stands any more, and forgets its orders; `None` where it
    /// never posted one.
    pub(super) fn farewell(&mut self, now: Timestamp) -> Option<Signed<Beacon>> {
        self.sequence?;
        self.slots.clear();
        self.beacon_due = None;
        Some(self.sign_beacon(0, now))
    }

    fn sign_beacon(&mut self, live_slots: u64, now: Timestamp) -> Signed<Beacon> {
        let beacon = Beacon {
            sequence: self.next_sequence(now),
            live_slots,
            interval_s: self.interval_s,
        };
        let signed = Signed::sign(&beacon, &self.key, &self.chain);
        self.unsent
            .insert(None, BookMessage::Beacon(signed.clone()));
        signed
    }

    /// Returns the next messages to publish, encoded, and their places.
    pub(super) fn next_bulletin(&self) -> Option<(Vec<u8>, Vec<Option<Slot>>)> {
        let next = self.unsent.iter().take(MAX_BULLETIN_MESSAGES);
        let (places, messages) = next
            .map(|(place, message)| (*place, message.clone()))
            .unzip();
        // No messages, no bulletin.
        let bulletin = Bulletin::new(messages).ok()?;
        Some((bulletin.encode(), places))
    }

    /// Notes that what was in these places was published.
    pub(super) fn published(&mut self, places: &[Option<Slot>]) {
        for place in places {
            self.unsent.remove(place);
        }
    }
}
