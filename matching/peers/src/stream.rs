//! Owns the streams of orders: made once from a seed, the same for every engine.
//!
//! Never depends on an engine's answers other than the reference's, by which it knows what can still be cancelled.

use std::collections::BTreeSet;

use matching::limit_book::Direction;

use crate::engines::{Engine, Nightshift};

/// The price around which orders are placed.
const MIDDLE: u64 = 1_000_000;

/// One order, or the end of one. Orders are numbered in the order in which they are added, from 0.
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
    /// Returns how many orders are added in all.
    pub fn orders(&self) -> usize {
        let adds = self.operations.iter();
        self.standing.len() + adds.filter(|it| matches!(it, Operation::Add(_))).count()
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
    fn order(&mut self, number: u32) -> Added {
        let direction = self.direction();
        let away = 1 + self.below(1_000).min(self.below(1_000)).min(self.below(1_000));
        Added {
            number,
            direction,
            price: match direction {
                Direction::Buy => MIDDLE - away,
                Direction::Sell => MIDDLE + away,
            },
            quantity: 1 + self.below(10) as u32,
        }
    }
}

fn standing(draws: &mut Draws, orders: u32) -> Vec<Added> {
    (0..orders).map(|number| draws.order(number)).collect()
}

/// 70 adds, 20 cancels and 10 takes of about five orders each: a book that stays as large as it is.
pub fn mixed(orders: u32, operations: usize) -> Stream {
    let mut draws = Draws(1);
    let standing = standing(&mut draws, orders);
    let mut reference = Nightshift::new(orders as usize + operations);
    standing.iter().for_each(|order| reference.add(order));
    let mut live = Live::new(orders);
    let mut next = orders;
    let operations = (0..operations).map(|_| match draws.below(100) {
        0..70 => {
            let order = draws.order(next);
            next += 1;
            live.add(order.number);
            reference.add(&order);
            Operation::Add(order)
        }
        70..90 => {
            let number = live.any(draws.next());
            live.remove(number);
            reference.cancel(number);
            Operation::Cancel(number)
        }
        _ => {
            let (direction, quantity) = (draws.direction(), 1 + draws.below(54) as u32);
            reference.take(direction, quantity, &mut |fill| {
                if fill.left == 0 {
                    live.remove(fill.number);
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

/// Nothing but orders that stand.
pub fn adds(orders: u32, operations: usize) -> Stream {
    let mut draws = Draws(2);
    let standing = standing(&mut draws, orders);
    let numbers = orders..orders + operations as u32;
    let operations = numbers.map(|number| Operation::Add(draws.order(number)));
    let operations = operations.collect();
    Stream {
        name: "adds only",
        standing,
        operations,
    }
}

/// Nothing but orders that take about twenty others each, until nearly nothing stands.
pub fn sweeps(orders: u32) -> Stream {
    let mut draws = Draws(3);
    let standing = standing(&mut draws, orders);
    let sweeps = orders as usize / 21;
    let operations = (0..sweeps).map(|_| Operation::Take(draws.direction(), 60 + draws.below(100) as u32));
    let operations = operations.collect();
    Stream {
        name: "sweeps",
        standing,
        operations,
    }
}

/// The orders that stand, to choose from.
struct Live {
    numbers: Vec<u32>,
    places: Vec<u32>,
    gone: BTreeSet<u32>,
}

impl Live {
    fn new(orders: u32) -> Self {
        Self {
            numbers: (0..orders).collect(),
            places: (0..orders).collect(),
            gone: BTreeSet::new(),
        }
    }

    fn add(&mut self, number: u32) {
        self.places.push(self.numbers.len() as u32);
        self.numbers.push(number);
    }

    fn any(&self, draw: u64) -> u32 {
        self.numbers[(u128::from(draw) * self.numbers.len() as u128 >> 64) as usize]
    }

    fn remove(&mut self, number: u32) {
        assert!(self.gone.insert(number), "an order is gone once");
        let place = self.places[number as usize] as usize;
        self.numbers.swap_remove(place);
        if let Some(moved) = self.numbers.get(place) {
            self.places[*moved as usize] = place as u32;
        }
    }
}
