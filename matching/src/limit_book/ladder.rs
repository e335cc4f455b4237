//! Owns one side of a limit order book: a ladder of prices, and at each price the queue of its orders.
//!
//! Never matches. Both are trees of the same kind: prices turned such that the best has the least key, and orders
//! by their priority.
//!
//! ```text
//! prices:  0.20 ─► level {orders, quantity, queue} ─► (priority) order, order, order ...
//!          0.21 ─► level                           ─► order ...
//! ```

use market::{Amount, PricePerHour};

use super::order::{Direction, PriceLevel, Priority};
use super::records::Records;
use super::slab::Slab;
use super::tree::{Spot, Tree, Trees};

/// The part of a resting order that matching looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Entry {
    /// The index of its record.
    pub(super) order: u32,
    pub(super) quantity: u32,
    pub(super) owner: u32,
}

/// All orders of one price.
#[derive(Debug, Clone, Copy)]
struct Level {
    price: PricePerHour,
    quantity: u64,
    orders: u32,
    queue: Tree,
}

/// An order that stands, and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub(super) price: PricePerHour,
    pub(super) priority: Priority,
    pub(super) entry: Entry,
    level: u32,
    spot: Spot,
}

/// One side of a book.
#[derive(Debug, Clone)]
pub(super) struct Ladder {
    direction: Direction,
    len: usize,
    prices: Tree,
    price_nodes: Trees<u32>,
    levels: Slab<Level>,
    order_nodes: Trees<Entry>,
    /// The number of the best level.
    best: Option<u32>,
}

impl Ladder {
    /// Makes an empty side with room for about `orders` orders before anything is allocated again.
    pub(super) fn new(direction: Direction, orders: usize) -> Self {
        let mut price_nodes = Trees::new(orders / 64 + 4);
        let mut order_nodes = Trees::new(orders / 8 + 4);
        let level = Level {
            price: PricePerHour(Amount::ZERO),
            quantity: 0,
            orders: 0,
            queue: order_nodes.plant(0),
        };
        order_nodes.fell(&level.queue);
        Self {
            direction,
            len: 0,
            prices: price_nodes.plant(0),
            price_nodes,
            levels: Slab::new(orders / 8 + 4, &level),
            order_nodes,
            best: None,
        }
    }

    /// Returns how many orders stand.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Returns the bytes that its nodes occupy.
    pub(super) fn bytes(&self) -> usize {
        self.price_nodes.bytes() + self.levels.bytes() + self.order_nodes.bytes()
    }

    /// Turns a price such that the best has the least key, and back.
    fn key(&self, price: PricePerHour) -> u64 {
        match self.direction {
            Direction::Buy => !price.0.nanocredits(),
            Direction::Sell => price.0.nanocredits(),
        }
    }

    fn level_at(&self, price: PricePerHour) -> Option<u32> {
        let spot = self.price_nodes.find(&self.prices, self.key(price))?;
        Some(*self.price_nodes.value(spot))
    }

    /// Returns the best price.
    pub(super) fn best_price(&self) -> Option<PricePerHour> {
        self.best.map(|best| self.levels.get(best).price)
    }

    /// Returns the order that trades first.
    pub(super) fn best(&self) -> Option<Standing> {
        let number = self.best?;
        let level = self.levels.get(number);
        let spot = self.order_nodes.first(&level.queue)?;
        Some(self.standing(number, level, spot))
    }

    fn standing(&self, number: u32, level: &Level, spot: Spot) -> Standing {
        Standing {
            price: level.price,
            priority: Priority(self.order_nodes.key(spot)),
            entry: *self.order_nodes.value(spot),
            level: number,
            spot,
        }
    }

    /// Tells whether an order stands at this price and priority.
    pub(super) fn is_taken(&self, (price, priority): (PricePerHour, Priority)) -> bool {
        let level = self.level_at(price).map(|number| self.levels.get(number));
        level.is_some_and(|level| self.order_nodes.find(&level.queue, priority.0).is_some())
    }

    /// Returns the order of a record, which says that it lies in this leaf.
    pub(super) fn find(&self, leaf: u32, order: u32) -> Option<Standing> {
        let is_it = |entry: &Entry| entry.order == order;
        let spot = self.order_nodes.find_in(leaf, is_it)?;
        let number = self.order_nodes.tag(leaf);
        Some(self.standing(number, self.levels.get(number), spot))
    }

    /// Puts an order in, notes in the records where it and those that it moves lie, and returns whether its
    /// priority was free.
    pub(super) fn insert(
        &mut self,
        (price, priority): (PricePerHour, Priority),
        entry: Entry,
        records: &mut Records,
    ) -> bool {
        let number = match self.level_at(price) {
            Some(number) => number,
            None => self.add_level(price),
        };
        let level = self.levels.get_mut(number);
        let moved = |moved: &Entry, leaf| records.set_leaf(moved.order, leaf);
        let value = (priority.0, entry);
        let Some(leaf) = self.order_nodes.insert(&mut level.queue, value, moved) else {
            return false;
        };
        level.orders += 1;
        level.quantity += u64::from(entry.quantity);
        self.len += 1;
        records.set_leaf(entry.order, leaf);
        true
    }

    fn add_level(&mut self, price: PricePerHour) -> u32 {
        let level = Level {
            price,
            quantity: 0,
            orders: 0,
            queue: self.order_nodes.plant(0),
        };
        let number = self.levels.add(level);
        // The queue's leaves name their level.
        self.order_nodes.fell(&level.queue);
        self.levels.get_mut(number).queue = self.order_nodes.plant(number);
        let key = self.key(price);
        self.price_nodes
            .insert(&mut self.prices, (key, number), |_, _| ());
        if self.best_price().is_none_or(|best| key < self.key(best)) {
            self.best = Some(number);
        }
        number
    }

    /// Takes an order out.
    pub(super) fn remove(&mut self, standing: &Standing, records: &mut Records) {
        let level = self.levels.get_mut(standing.level);
        level.orders -= 1;
        level.quantity -= u64::from(standing.entry.quantity);
        self.len -= 1;
        let moved = |moved: &Entry, leaf| records.set_leaf(moved.order, leaf);
        self.order_nodes
            .remove(&mut level.queue, standing.spot, moved);
        if level.orders == 0 {
            self.remove_level(standing.level);
        }
    }

    fn remove_level(&mut self, number: u32) {
        let level = *self.levels.get(number);
        self.order_nodes.fell(&level.queue);
        self.levels.give_back(number);
        let key = self.key(level.price);
        if let Some(spot) = self.price_nodes.find(&self.prices, key) {
            self.price_nodes.remove(&mut self.prices, spot, |_, _| ());
        }
        if self.best == Some(number) {
            let first = self.price_nodes.first(&self.prices);
            self.best = first.map(|spot| *self.price_nodes.value(spot));
        }
    }

    /// Writes what is left of an order; less than before.
    pub(super) fn reduce(&mut self, standing: &Standing, left: u32) {
        let level = self.levels.get_mut(standing.level);
        level.quantity -= u64::from(standing.entry.quantity - left);
        self.order_nodes.value_mut(standing.spot).quantity = left;
    }

    /// Returns the levels, best first.
    pub(super) fn levels(&self) -> impl Iterator<Item = PriceLevel> + '_ {
        self.level_numbers().map(|number| {
            let level = self.levels.get(number);
            PriceLevel {
                price: level.price,
                quantity: level.quantity,
                orders: level.orders,
            }
        })
    }

    fn level_numbers(&self) -> impl Iterator<Item = u32> + '_ {
        let first = self.price_nodes.first(&self.prices);
        let spots = std::iter::successors(first, |spot| self.price_nodes.next(*spot));
        spots.map(|spot| *self.price_nodes.value(spot))
    }

    /// Returns the orders, in the order in which they trade.
    pub(super) fn orders(&self) -> impl Iterator<Item = Standing> + '_ {
        self.level_numbers().flat_map(move |number| {
            let level = self.levels.get(number);
            let first = self.order_nodes.first(&level.queue);
            let spots = std::iter::successors(first, |spot| self.order_nodes.next(*spot));
            spots.map(move |spot| self.standing(number, level, spot))
        })
    }
}
