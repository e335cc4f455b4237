//! Owns the check that a book's structure is sound: trees, levels, records and best prices agree with each other.
//!
//! Never part of the program: tests and the fuzzer call it after each call.

use super::ladder::Ladder;
use super::order::Direction;
use super::{LimitBook, OrderNumber};

impl LimitBook {
    /// Panics where anything disagrees.
    pub(super) fn check_structure(&self) {
        for direction in [Direction::Buy, Direction::Sell] {
            self.side(direction).check_structure();
            let orders: Vec<_> = self.side(direction).orders().collect();
            assert_eq!(orders.len(), self.side(direction).len());
            for standing in &orders {
                let found = self.find(standing.number);
                let (side, found) = found.expect("an order that stands is found");
                assert_eq!(side, direction);
                assert_eq!(found.priority, standing.priority);
                assert!(standing.quantity > 0);
            }
        }
        if let (Some(bid), Some(ask)) = (self.best(Direction::Buy), self.best(Direction::Sell)) {
            assert!(bid < ask, "crossed: {bid} and {ask}");
        }
        let numbers = (0..self.capacity() as u32).map(OrderNumber);
        let taken = numbers.filter(|number| self.records.is_taken(*number));
        assert_eq!(taken.count(), self.len());
    }
}

impl Ladder {
    fn check_structure(&self) {
        let mut last = None;
        for level in self.levels() {
            let key = self.key(level.price);
            assert!(last.is_none_or(|last| last < key), "levels are in order");
            last = Some(key);
            assert!(level.orders > 0, "no level is empty");
        }
        assert_eq!(
            self.best_price(),
            self.levels().next().map(|level| level.price)
        );
        let mut orders = self.orders().peekable();
        for level in self.levels() {
            let (mut quantity, mut count, mut priority) = (0, 0, None);
            while let Some(order) = orders.next_if(|order| order.price == level.price) {
                quantity += u64::from(order.quantity);
                count += 1;
                assert!(priority.is_none_or(|last| last < order.priority));
                priority = Some(order.priority);
            }
            assert_eq!((quantity, count), (level.quantity, level.orders));
        }
        assert!(orders.next().is_none());
        self.check_trees();
    }
}
