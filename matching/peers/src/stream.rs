//! Owns the streams of orders: made once from a seed, the same for every engine.
//!
//! Never depends on an engine's answers other than the reference's, by which it knows what can still be cancelled.

use matching::limit_book::Direction;

use crate::engines::{Engine, Nightshift, Room};

/// The price around which orders are placed.
const MIDDLE: u64 = 1_000_000;

/// One order, or the end of one. A number names one order at a time, as a register of the market does: those of
/// orders that are gone are given out again.
#[derive(Debug, Clone, Copy)]
pub enum Operation {
    /// Stands in the book; never meets another one.
    Add(Added),
    /// Takes an order out that stands.
    Cancel(u32),
    /// Trades at any price.
    Take(Direction, u32),
}

/// A limit order.
#[derive(Debug, Clone, Copy)]
pub struct Added {
    /// Its number.
    pub number: u32,
    /// How many orders were added before it.
    pub sequence: u64,
    /// Whether it buys or sells.
    pub direction: Direction,
    /// Its limit.
    pub price: u64,
    /// How much.
    pub quantity: u32,
}

/// A book to begin with, and what then happens.
#[derive(Debug, Clone)]
pub struct Stream {
    /// What it is called in the table.
    pub name: &'static str,
    /// What stands before the clock starts.
    pub standing: Vec<Added>,
    /// What is measured.
    pub operations: Vec<Operation>,
}

impl Stream {
    /// Returns how many orders there are.
    pub fn room(&self) -> Room {
        let operations = self.operations.iter();
        let adds = operations
            .filter(|it| matches!(it, Operation::Add(_)))
            .count();
        let others = self.operations.len() - adds;
        let standing = self.standing.len();
        Room {
            // A stream that also takes orders out keeps the book about as large as it is.
            standing: if others == 0 {
                standing + adds
            } else {
                standing * 3 / 2
            },
            ever: standing + adds,
        }
    }
}

/// Draws: SplitMix64, as in Steele, Lea and Flood 2014.
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        (u128::from(self.next()) * u128::from(bound) >> 64) as u64
    }

    fn direction(&mut self) -> Direction {
        match self.next() & 1 {
            0 => Direction::Buy,
            _ => Direction::Sell,
        }
    }

    /// A limit order that meets nothing: nearer prices are likelier, 1,000 of them on each side.
    fn order(&mut self, numbers: &mut Numbers) -> Added {
        let direction = self.direction();
        let away = 1 + self
            .below(1_000)
            .min(self.below(1_000))
            .min(self.below(1_000));
        Added {
            number: numbers.give_out(),
            sequence: numbers.sequence,
            direction,
            price: match direction {
                Direction::Buy => MIDDLE - away,
                Direction::Sell => MIDDLE + away,
            },
            quantity: 1 + self.below(10) as u32,
        }
    }
}

fn standing(draws: &mut Draws, numbers: &mut Numbers) -> Vec<Added> {
    let orders = numbers.places.len() * 2 / 3;
    (0..orders).map(|_| draws.order(numbers)).collect()
}

/// 70 adds, 20 cancels and 10 takes of about five orders each: a book that stays as large as it is.
pub fn mixed(orders: usize, operations: usize) -> Stream {
    let (mut draws, mut numbers) = (Draws(1), Numbers::new(orders));
    let standing = standing(&mut draws, &mut numbers);
    let mut reference = Nightshift::new(Room {
        standing: numbers.places.len(),
        ever: orders + operations,
    });
    standing.iter().for_each(|order| reference.add(order));
    let operations = (0..operations).map(|_| match draws.below(100) {
        0..70 => {
            let order = draws.order(&mut numbers);
            reference.add(&order);
            Operation::Add(order)
        }
        70..90 => {
            let number = numbers.any(draws.next());
            numbers.take_back(number);
            reference.cancel(number);
            Operation::Cancel(number)
        }
        _ => {
            let (direction, quantity) = (draws.direction(), 1 + draws.below(54) as u32);
            reference.take(direction, quantity, &mut |fill| {
                if fill.left == 0 {
                    numbers.take_back(fill.number);
                }
            });
            Operation::Take(direction, quantity)
        }
    });
    let operations = operations.collect();
    Stream {
        name: "mixed 70/20/10",
        standing,
        operations,
    }
}

/// Nothing but orders that stand: twice as many in the end.
pub fn adds(orders: usize) -> Stream {
    let (mut draws, mut numbers) = (Draws(2), Numbers::new(orders * 3 / 2));
    let mut standing = standing(&mut draws, &mut numbers);
    let mut added = standing.split_off(orders);
    added.extend((standing.len() + added.len()..orders * 2).map(|_| draws.order(&mut numbers)));
    Stream {
        name: "adds only",
        standing,
        operations: added.into_iter().map(Operation::Add).collect(),
    }
}

/// Nothing but orders that take about twenty others each, until nearly nothing stands.
pub fn sweeps(orders: usize) -> Stream {
    let (mut draws, mut numbers) = (Draws(3), Numbers::new(orders));
    let standing = standing(&mut draws, &mut numbers);
    let quantity = |draws: &mut Draws| 60 + draws.below(100) as u32;
    let sweeps = (0..orders / 21).map(|_| Operation::Take(draws.direction(), quantity(&mut draws)));
    let operations = sweeps.collect();
    Stream {
        name: "sweeps",
        standing,
        operations,
    }
}

/// The numbers of orders: those given out, to choose from, before those that are free.
struct Numbers {
    all: Vec<u32>,
    given_out: usize,
    /// Where in `all` each number is.
    places: Vec<u32>,
    sequence: u64,
}

impl Numbers {
    /// Has numbers for half as many orders again.
    fn new(orders: usize) -> Self {
        let all: Vec<u32> = (0..orders as u32 * 3 / 2).collect();
        Self {
            places: all.clone(),
            all,
            given_out: 0,
            sequence: 0,
        }
    }

    fn give_out(&mut self) -> u32 {
        self.given_out += 1;
        self.sequence += 1;
        self.all[self.given_out - 1]
    }

    fn any(&self, draw: u64) -> u32 {
        self.all[(u128::from(draw) * self.given_out as u128 >> 64) as usize]
    }

    fn take_back(&mut self, number: u32) {
        let place = self.places[number as usize] as usize;
        assert!(place < self.given_out, "an order is gone once");
        self.given_out -= 1;
        let last = self.all[self.given_out];
        self.all.swap(place, self.given_out);
        self.places[last as usize] = place as u32;
        self.places[number as usize] = self.given_out as u32;
    }
}
