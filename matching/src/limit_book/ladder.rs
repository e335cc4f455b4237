//! Owns one side of a limit order book: a ladder of prices, and at each price the queue of its orders.
//!
//! Never matches. Both are trees of the same kind: prices turned such that the best has the least key, and orders
//! by their priority.
//!
//! ```text
//! prices:  0.20 ─► level {orders, quantity, queue} ─► (priority) order, order, order ...
//!          0.21 ─► level                           ─► order ...
//! ```
//! A table of hints, a level's number under a hash of its price, spares most orders the way down the tree of prices.
//! It is only ever believed after a look at the level itself, so prices chosen to collide cost that way and no more.

use market::{Amount, PricePerHour};

use super::order::{Direction, OrderNumber, PriceLevel, Priority};
use super::records::Records;
use super::slab::Slab;
use super::tree::{Item, Spot, Tree, Trees, Vacancy};

/// The price of a level that was given back: no order has it.
const NO_PRICE: PricePerHour = PricePerHour(Amount::ZERO);

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
    pub(super) number: OrderNumber,
    pub(super) price: PricePerHour,
    pub(super) priority: Priority,
    pub(super) quantity: u32,
    level: u32,
    spot: Spot,
}

/// One side of a book.
#[derive(Debug, Clone)]
pub(super) struct Ladder {
    direction: Direction,
    /// What turns a price into its key, and back.
    turn: u64,
    len: usize,
    prices: Tree,
    price_nodes: Trees,
    levels: Slab<Level>,
    /// By [`Ladder::hint_of`]: which level may have a price.
    hints: Vec<u32>,
    hint_shift: u32,
    order_nodes: Trees,
    /// The number of the best level.
    best: Option<u32>,
}

impl Ladder {
    /// Makes an empty side with room for about `orders` orders before anything is allocated again.
    pub(super) fn new(direction: Direction, orders: usize) -> Self {
        let mut price_nodes = Trees::new(orders / 64 + 4);
        let mut order_nodes = Trees::new(orders / 16 + 4);
        let level = Level {
            price: NO_PRICE,
            quantity: 0,
            orders: 0,
            queue: order_nodes.plant(0),
        };
        order_nodes.fell(&level.queue);
        let room = orders / 32 + 4;
        let hints = room.next_power_of_two();
        Self {
            direction,
            turn: match direction {
                Direction::Buy => u64::MAX,
                Direction::Sell => 0,
            },
            len: 0,
            prices: price_nodes.plant(0),
            price_nodes,
            levels: Slab::new(room, &level),
            hints: vec![0; hints],
            hint_shift: u64::BITS - hints.ilog2(),
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
        self.price_nodes.bytes()
            + self.levels.bytes()
            + self.order_nodes.bytes()
            + self.hints.capacity() * size_of::<u32>()
    }

    /// Returns what a price is sorted by.
    pub(super) fn key(&self, price: PricePerHour) -> u64 {
        price.0.nanocredits() ^ self.turn
    }

    /// Returns where the hint for a price is.
    fn hint_of(&self, price: PricePerHour) -> usize {
        // Prices lie at even distances: a factor near the golden ratio of 2^64 puts those apart that are close.
        let hash = price.0.nanocredits().wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (hash >> self.hint_shift) as usize
    }

    fn level_at(&self, price: PricePerHour) -> Result<u32, Vacancy> {
        let hint = self.hints[self.hint_of(price)];
        if self.levels.get(hint).price == price {
            return Ok(hint);
        }
        let spot = self.price_nodes.seek(&self.prices, self.key(price))?;
        Ok(self.price_nodes.get(spot).id)
    }

    /// Returns the best price.
    pub(super) fn best_price(&self) -> Option<PricePerHour> {
        self.best.map(|best| self.levels.get(best).price)
    }

    /// Returns the order that trades first.
    pub(super) fn best(&self) -> Option<Standing> {
        let level = self.best?;
        let spot = self.order_nodes.first(&self.levels.get(level).queue)?;
        Some(self.standing(level, spot))
    }

    fn standing(&self, level: u32, spot: Spot) -> Standing {
        let item = self.order_nodes.get(spot);
        Standing {
            number: OrderNumber(item.id),
            price: self.levels.get(level).price,
            priority: Priority(item.key),
            quantity: item.quantity,
            level,
            spot,
        }
    }

    /// Tells whether an order stands at this price and priority.
    pub(super) fn is_taken(&self, (price, priority): (PricePerHour, Priority)) -> bool {
        let level = self.level_at(price).map(|number| self.levels.get(number));
        level.is_ok_and(|level| self.order_nodes.find(&level.queue, priority.0).is_some())
    }

    /// Returns an order, of which the records say that it lies in this leaf.
    pub(super) fn find(&self, leaf: u32, number: OrderNumber) -> Option<Standing> {
        let spot = self.order_nodes.find_in(leaf, number.0)?;
        Some(self.standing(self.order_nodes.tag(leaf), spot))
    }

    /// Puts an order in, notes in the records where it and those that it moves lie, and returns whether its
    /// priority was free.
    pub(super) fn insert(
        &mut self,
        (price, priority): (PricePerHour, Priority),
        (number, quantity): (OrderNumber, u32),
        records: &mut Records,
    ) -> bool {
        let level = match self.level_at(price) {
            Ok(level) => level,
            Err(vacancy) => self.add_level(price, vacancy),
        };
        let hint = self.hint_of(price);
        self.hints[hint] = level;
        let level = self.levels.get_mut(level);
        let item = Item {
            key: priority.0,
            id: number.0,
            quantity,
        };
        let direction = self.direction;
        let moved = |number, leaf| records.set_leaf(number, direction, leaf);
        let Some(leaf) = self.order_nodes.insert(&mut level.queue, item, moved) else {
            return false;
        };
        level.orders += 1;
        level.quantity += u64::from(quantity);
        self.len += 1;
        records.set_leaf(number.0, direction, leaf);
        true
    }

    fn add_level(&mut self, price: PricePerHour, vacancy: Vacancy) -> u32 {
        let Self {
            levels,
            order_nodes,
            ..
        } = self;
        let id = levels.add_with(|number| Level {
            price,
            quantity: 0,
            orders: 0,
            // The queue's leaves name their level.
            queue: order_nodes.plant(number),
        });
        let item = Item {
            key: self.key(price),
            id,
            quantity: 0,
        };
        if self
            .best_price()
            .is_none_or(|best| item.key < self.key(best))
        {
            self.best = Some(id);
        }
        self.price_nodes
            .insert_at(&mut self.prices, vacancy, item, |_, _| ());
        id
    }

    /// Takes an order out.
    pub(super) fn remove(&mut self, standing: &Standing, records: &mut Records) {
        let level = self.levels.get_mut(standing.level);
        level.orders -= 1;
        level.quantity -= u64::from(standing.quantity);
        self.len -= 1;
        let direction = self.direction;
        let moved = |number, leaf| records.set_leaf(number, direction, leaf);
        self.order_nodes
            .remove(&mut level.queue, standing.spot, moved);
        records.remove(standing.number);
        if level.orders == 0 {
            self.remove_level(standing.level);
        }
    }

    fn remove_level(&mut self, id: u32) {
        let level = *self.levels.get(id);
        self.order_nodes.fell(&level.queue);
        self.levels.get_mut(id).price = NO_PRICE;
        self.levels.give_back(id);
        let is_best = self.best == Some(id);
        let spot = match is_best {
            true => self.price_nodes.first(&self.prices),
            false => self.price_nodes.find(&self.prices, self.key(level.price)),
        };
        if let Some(spot) = spot {
            self.price_nodes.remove(&mut self.prices, spot, |_, _| ());
        }
        if is_best {
            let first = self.price_nodes.first(&self.prices);
            self.best = first.map(|spot| self.price_nodes.get(spot).id);
        }
    }

    /// Writes what is left of an order; less than before.
    pub(super) fn reduce(&mut self, standing: &Standing, left: u32) {
        let level = self.levels.get_mut(standing.level);
        level.quantity -= u64::from(standing.quantity - left);
        self.order_nodes.set_quantity(standing.spot, left);
    }

    /// Returns the levels, best first.
    pub(super) fn levels(&self) -> impl Iterator<Item = PriceLevel> + '_ {
        self.level_ids().map(|id| {
            let level = self.levels.get(id);
            PriceLevel {
                price: level.price,
                quantity: level.quantity,
                orders: level.orders,
            }
        })
    }

    fn level_ids(&self) -> impl Iterator<Item = u32> + '_ {
        let first = self.price_nodes.first(&self.prices);
        let spots = std::iter::successors(first, |spot| self.price_nodes.next(*spot));
        spots.map(|spot| self.price_nodes.get(spot).id)
    }

    /// Returns the orders, in the order in which they trade.
    pub(super) fn orders(&self) -> impl Iterator<Item = Standing> + '_ {
        self.level_ids().flat_map(move |id| {
            let first = self.order_nodes.first(&self.levels.get(id).queue);
            let spots = std::iter::successors(first, |spot| self.order_nodes.next(*spot));
            spots.map(move |spot| self.standing(id, spot))
        })
    }
}

#[cfg(any(test, fuzzing))]
impl Ladder {
    /// Panics where a tree is not sound.
    pub(super) fn check_trees(&self) {
        self.price_nodes.check(&self.prices);
        for id in self.level_ids() {
            self.order_nodes.check(&self.levels.get(id).queue);
        }
    }
}
