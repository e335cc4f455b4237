//! Owns the limit order book: one instrument, two ladders, and the rules by which orders meet.
//!
//! Never crossed: whatever was submitted, the best bid is below the best ask. Never reads a clock: time moves
//! by [`LimitBook::advance`] alone. The same calls give the same fills on every machine, and a book in its steady
//! state allocates nothing: its room is taken when it is made.
//!
//! ```text
//! submit ──► checks ──► trade: best price, then lowest priority ──► fills, at the price of what stood
//!                         │                                              │
//!                         └─► rest: ladder + record + expiry             └─► what is filled goes
//! ```
//! The book knows orders, not offers: who may deal with whom, and whether a machine fits a job, is decided
//! before an order gets here.

#[cfg(any(test, fuzzing))]
pub mod differential;
mod expiries;
mod ladder;
#[cfg(any(test, fuzzing))]
mod naive;
mod order;
mod records;
mod slab;
#[cfg(any(test, fuzzing))]
mod structure;
mod tree;

use market::order::Register;
use market::{HeaderId, PricePerHour, Timestamp};

use expiries::Expiries;
use ladder::{Ladder, Standing};
pub use order::{
    Direction, Event, Execution, Fill, NewOrder, OrderNumber, Outcome, Owner, PriceLevel, Priority,
    Refusal, Replacement, Resting, SelfTrade,
};
use records::Records;

/// Returns the priority of a register: the first eight bytes, big-endian, of its [`draw`](crate::draw).
pub fn priority(header: &HeaderId, register: &Register) -> Priority {
    let draw = crate::quote::draw(header, register);
    let first = draw.first_chunk().unwrap_or(&[0; 8]);
    Priority(u64::from_be_bytes(*first))
}

/// The most orders that a book has room for: two thousand million.
const MAX_CAPACITY: usize = 1 << 31;

/// The limit order book of one instrument.
#[derive(Debug, Clone)]
pub struct LimitBook {
    /// By direction: bids, then asks.
    sides: [Ladder; 2],
    records: Records,
    expiries: Expiries,
    now: Timestamp,
}

/// An order on its way through the other side of the book.
#[derive(Debug, Clone, Copy)]
struct Taker {
    direction: Direction,
    owner: Owner,
    self_trade: SelfTrade,
    /// `None` for any price.
    limit: Option<PricePerHour>,
    left: u32,
    /// What was dropped because it met an order of its owner.
    dropped: u32,
}

impl Taker {
    /// Tells whether it does not trade at this price.
    fn stops_at(&self, price: PricePerHour) -> bool {
        let accepts = |limit| self.direction.accepts(limit, price);
        !self.limit.is_none_or(accepts)
    }
}

impl LimitBook {
    /// Makes an empty book with room for `capacity` orders, at protocol time 0.
    pub fn new(capacity: usize) -> Self {
        let capacity = capacity.min(MAX_CAPACITY);
        Self {
            sides: [Direction::Buy, Direction::Sell]
                .map(|direction| Ladder::new(direction, capacity)),
            records: Records::new(capacity),
            expiries: Expiries::new(capacity),
            now: Timestamp::from_millis(0),
        }
    }

    /// Returns how many orders stand.
    pub fn len(&self) -> usize {
        self.sides.iter().map(Ladder::len).sum()
    }

    /// Tells whether no order stands.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns how many orders the book has numbers for.
    pub fn capacity(&self) -> usize {
        self.records.capacity()
    }

    /// Returns the bytes that the book has allocated.
    pub fn allocated_bytes(&self) -> usize {
        let ladders: usize = self.sides.iter().map(Ladder::bytes).sum();
        ladders + self.records.bytes() + self.expiries.bytes()
    }

    /// Returns the book's time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    fn side(&self, direction: Direction) -> &Ladder {
        &self.sides[direction as usize]
    }

    /// Returns the side in which orders of this direction stand, and the records.
    fn side_mut(&mut self, direction: Direction) -> (&mut Ladder, &mut Records) {
        (&mut self.sides[direction as usize], &mut self.records)
    }

    /// Returns the best price of those that stand in this direction: the highest bid, the lowest ask.
    pub fn best(&self, direction: Direction) -> Option<PricePerHour> {
        self.side(direction).best_price()
    }

    /// Submits an order: it trades as its execution says, and the rest stands or is dropped. What happens to the
    /// orders that stood is told to `on_event`.
    ///
    /// # Errors
    /// The order changed nothing, and why.
    pub fn submit(
        &mut self,
        order: NewOrder,
        on_event: impl FnMut(Event),
    ) -> Result<Outcome, Refusal> {
        self.check(&order)?;
        let mut taker = Taker {
            direction: order.direction,
            owner: order.owner,
            self_trade: order.self_trade,
            limit: order.execution.limit(),
            left: order.quantity,
            dropped: 0,
        };
        let rests_at = match order.execution {
            Execution::Limit(price) => Some(price),
            Execution::PostOnly(price) => {
                self.check_posts(&taker)?;
                Some(price)
            }
            Execution::FillOrKill(_) => {
                self.check_fills(&taker)?;
                None
            }
            Execution::ImmediateOrCancel(_) | Execution::Market => None,
        };
        match rests_at {
            None => {
                self.trade(&mut taker, on_event);
                taker.dropped += std::mem::take(&mut taker.left);
            }
            Some(price) => {
                self.trade(&mut taker, on_event);
                if taker.left > 0 {
                    // Refused only where it has not traded: of its own price and side there is nothing in a book
                    // that it crosses.
                    self.rest(&order, price, taker.left)?;
                }
            }
        }
        Ok(taker.outcome(order.quantity))
    }

    /// Changes an order that stands. Less of it at the same price keeps its priority; anything else leaves the
    /// book and comes in again with the new one, and may trade. It keeps its number, its owner and its end.
    ///
    /// # Errors
    /// The order stands as before, and why.
    pub fn replace(
        &mut self,
        number: OrderNumber,
        change: Replacement,
        on_event: impl FnMut(Event),
    ) -> Result<Outcome, Refusal> {
        let (direction, standing) = self.find(number).ok_or(Refusal::Unknown)?;
        if change.quantity == 0 {
            return Err(Refusal::NoQuantity);
        }
        check_price(change.price)?;
        let mut taker = Taker {
            direction,
            owner: self.records.owner(number),
            self_trade: change.self_trade,
            limit: Some(change.price),
            left: change.quantity,
            dropped: 0,
        };
        let (side, records) = self.side_mut(direction);
        if change.price == standing.price && change.quantity <= standing.quantity {
            side.reduce(&standing, change.quantity);
            return Ok(taker.outcome(change.quantity));
        }
        let place = (change.price, change.priority);
        if place != (standing.price, standing.priority) && side.is_taken(place) {
            return Err(Refusal::PriorityTaken);
        }
        side.remove(&standing, records);
        self.trade(&mut taker, on_event);
        if taker.left > 0 {
            let (side, records) = self.side_mut(direction);
            side.insert(place, (number, taker.left), records);
        }
        Ok(taker.outcome(change.quantity))
    }

    /// Cancels an order and returns what stood.
    ///
    /// # Errors
    /// No order stands under the number.
    pub fn cancel(&mut self, number: OrderNumber) -> Result<Resting, Refusal> {
        let (direction, standing) = self.find(number).ok_or(Refusal::Unknown)?;
        let resting = self.resting(direction, &standing);
        let (side, records) = self.side_mut(direction);
        side.remove(&standing, records);
        Ok(resting)
    }

    /// Moves time on, and tells of each order that ends by that, those that end first first. Time never goes back.
    pub fn advance(&mut self, now: Timestamp, mut on_end: impl FnMut(Resting)) {
        self.now = self.now.max(now);
        while let Some((end, number)) = self.expiries.pop_due(self.now) {
            // One that was filled, cancelled or submitted anew with another end does not end now.
            if self.records.ends_at(end, number)
                && let Ok(resting) = self.cancel(number)
            {
                on_end(resting);
            }
        }
    }

    /// Returns the order that stands under a number.
    pub fn get(&self, number: OrderNumber) -> Option<Resting> {
        let (direction, standing) = self.find(number)?;
        Some(self.resting(direction, &standing))
    }

    /// Returns the orders that stand in one direction, in the order in which they would trade.
    pub fn orders(&self, direction: Direction) -> impl Iterator<Item = Resting> + '_ {
        let orders = self.side(direction).orders();
        orders.map(move |standing| self.resting(direction, &standing))
    }

    /// Returns the price levels of one direction, best first.
    pub fn levels(&self, direction: Direction) -> impl Iterator<Item = PriceLevel> + '_ {
        self.side(direction).levels()
    }

    fn find(&self, number: OrderNumber) -> Option<(Direction, Standing)> {
        let (direction, leaf) = self.records.find(number)?;
        let standing = self.side(direction).find(leaf, number)?;
        Some((direction, standing))
    }

    fn resting(&self, direction: Direction, standing: &Standing) -> Resting {
        Resting {
            number: standing.number,
            direction,
            price: standing.price,
            priority: standing.priority,
            quantity: standing.quantity,
            owner: self.records.owner(standing.number),
            good_till: self.records.good_till(standing.number),
        }
    }

    fn check(&self, order: &NewOrder) -> Result<(), Refusal> {
        if order.quantity == 0 {
            return Err(Refusal::NoQuantity);
        }
        if let Some(limit) = order.execution.limit() {
            check_price(limit)?;
        }
        let capacity = self.records.capacity();
        if order.number.index() >= capacity || self.records.is_taken(order.number) {
            return Err(Refusal::Number {
                number: order.number,
                capacity,
            });
        }
        match order.good_till {
            Some(good_till) if good_till <= self.now => Err(Refusal::Ended {
                good_till,
                now: self.now,
            }),
            _ => Ok(()),
        }
    }

    /// Returns the best price of the other side, if the order would trade there.
    fn crosses(&self, taker: &Taker) -> Option<PricePerHour> {
        let best = self.best(taker.direction.opposite())?;
        (!taker.stops_at(best)).then_some(best)
    }

    fn check_posts(&self, taker: &Taker) -> Result<(), Refusal> {
        match self.crosses(taker) {
            Some(best) => Err(Refusal::WouldTrade { best }),
            None => Ok(()),
        }
    }

    /// Checks that the whole order can trade, its owner's own orders not counted.
    fn check_fills(&self, taker: &Taker) -> Result<(), Refusal> {
        let mut available = 0;
        for standing in self.side(taker.direction.opposite()).orders() {
            let is_own = self.records.owner(standing.number) == taker.owner;
            // One that stops at an order of its owner goes no further.
            let stops = is_own && taker.self_trade != SelfTrade::CancelResting;
            if stops || taker.stops_at(standing.price) {
                break;
            }
            if !is_own {
                available += standing.quantity.min(taker.left - available);
            }
            if available == taker.left {
                return Ok(());
            }
        }
        Err(Refusal::CannotFill {
            available,
            wanted: taker.left,
        })
    }

    /// Trades an order with the other side, the first that stands there first.
    fn trade(&mut self, taker: &mut Taker, mut on_event: impl FnMut(Event)) {
        let (side, records) = self.side_mut(taker.direction.opposite());
        while taker.left > 0
            && let Some(standing) = side.best()
            && !taker.stops_at(standing.price)
        {
            let (maker, owner) = (standing.number, records.owner(standing.number));
            if owner == taker.owner {
                if taker.self_trade != SelfTrade::CancelIncoming {
                    side.remove(&standing, records);
                    on_event(Event::SelfTradePrevented(maker));
                }
                if taker.self_trade != SelfTrade::CancelResting {
                    taker.dropped += std::mem::take(&mut taker.left);
                }
                continue;
            }
            let quantity = taker.left.min(standing.quantity);
            let left = standing.quantity - quantity;
            taker.left -= quantity;
            match left {
                0 => side.remove(&standing, records),
                left => side.reduce(&standing, left),
            }
            on_event(Event::Filled(Fill {
                maker,
                owner,
                price: standing.price,
                quantity,
                left,
            }));
        }
    }

    /// Lets what is left of an order stand.
    fn rest(&mut self, order: &NewOrder, price: PricePerHour, left: u32) -> Result<(), Refusal> {
        let (side, records) = self.side_mut(order.direction);
        records.add(order.number, order.owner, order.good_till);
        let place = (price, order.priority);
        if !side.insert(place, (order.number, left), records) {
            return Err(Refusal::PriorityTaken);
        }
        if let Some(good_till) = order.good_till {
            let records = &self.records;
            let stands = |end, number| records.ends_at(end, number);
            self.expiries.add((good_till, order.number), stands);
        }
        Ok(())
    }
}

impl Taker {
    /// Sums up what became of an order of `quantity`.
    fn outcome(&self, quantity: u32) -> Outcome {
        Outcome {
            filled: quantity - self.left - self.dropped,
            resting: self.left,
            dropped: self.dropped,
        }
    }
}

impl Execution {
    /// Returns the worst price at which it trades, or `None` for any.
    pub fn limit(self) -> Option<PricePerHour> {
        match self {
            Self::Limit(price)
            | Self::PostOnly(price)
            | Self::ImmediateOrCancel(price)
            | Self::FillOrKill(price) => Some(price),
            Self::Market => None,
        }
    }
}

/// Checks a limit: a price is more than nothing, and the greatest number is the mark behind the end of a ladder.
fn check_price(price: PricePerHour) -> Result<(), Refusal> {
    match price.0.nanocredits() {
        0 | u64::MAX => Err(Refusal::Price { price }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
