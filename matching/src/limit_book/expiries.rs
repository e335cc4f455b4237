//! Owns when resting orders end, soonest first.
//!
//! Never told that an order is gone: its entry is passed over when its time comes, or swept out when there are a
//! quarter more entries than the book has room for orders.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use market::Timestamp;

use super::order::OrderNumber;

/// The orders that end by themselves.
#[derive(Debug, Clone)]
pub(super) struct Expiries {
    /// Allocated at the first order with an end.
    heap: BinaryHeap<Reverse<(Timestamp, OrderNumber)>>,
    most: usize,
}

impl Expiries {
    pub(super) fn new(orders: usize) -> Self {
        Self {
            heap: BinaryHeap::new(),
            most: orders.saturating_add(orders / 4).saturating_add(1),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.heap.capacity() * size_of::<Reverse<(Timestamp, OrderNumber)>>()
    }

    /// Notes an order's end. `stands` tells whether an order stands under a number that ends at this time.
    pub(super) fn add(
        &mut self,
        end: (Timestamp, OrderNumber),
        stands: impl Fn(Timestamp, OrderNumber) -> bool,
    ) {
        if self.heap.capacity() == 0 {
            self.heap.reserve_exact(self.most);
        }
        if self.heap.len() >= self.most {
            self.heap
                .retain(|Reverse((at, number))| stands(*at, *number));
        }
        self.heap.push(Reverse(end));
    }

    /// Returns the next end that has come, if there is one.
    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<(Timestamp, OrderNumber)> {
        let Reverse((at, _)) = self.heap.peek()?;
        if now < *at {
            return None;
        }
        self.heap.pop().map(|Reverse(end)| end)
    }
}
