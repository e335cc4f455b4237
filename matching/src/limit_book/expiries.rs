//! Owns when resting orders end, soonest first.
//!
//! Never told that an order is gone: its entry is passed over when its time comes, or swept out when there are
//! as many entries as the book has room for orders, twice over.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use market::Timestamp;

use super::order::OrderKey;

/// The orders that end by themselves.
#[derive(Debug, Clone)]
pub(super) struct Expiries {
    /// Allocated once.
    heap: BinaryHeap<Reverse<(Timestamp, OrderKey)>>,
    most: usize,
}

impl Expiries {
    pub(super) fn new(orders: usize) -> Self {
        let most = orders.saturating_mul(2).max(2);
        Self {
            heap: BinaryHeap::with_capacity(most),
            most,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.heap.capacity() * size_of::<Reverse<(Timestamp, OrderKey)>>()
    }

    /// Notes an order's end. `stands` tells of any key whether its order still stands.
    pub(super) fn add(&mut self, at: Timestamp, key: OrderKey, stands: impl Fn(OrderKey) -> bool) {
        if self.heap.len() >= self.most {
            // At most half of the entries are of orders that stand: the work is paid by those that are gone.
            self.heap.retain(|Reverse((_, key))| stands(*key));
        }
        self.heap.push(Reverse((at, key)));
    }

    /// Returns an order whose time has come, if there is one.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<OrderKey> {
        let Reverse((at, _)) = self.heap.peek()?;
        if now < *at {
            return None;
        }
        self.heap.pop().map(|Reverse((_, key))| key)
    }
}
