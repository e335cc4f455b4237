//! Owns the limit order book: one instrument, two ladders, and the rules by which orders meet.
//!
//! Never crossed: whatever was submitted, the best bid is below the best ask. Never reads a clock: time moves
//! by [`LimitBook::advance`] alone. The same calls give the same fills on every machine, and a book in its steady
//! state allocates nothing: all room is taken when it is made.
//!
//! ```text
//! submit ──► checks ──► match: best price, then lowest priority ──► fills, at the price of what stood
//!                                │                                          │
//!                                └─► rest: ladder + record + expiry         └─► what is filled goes
//! ```
//! The book knows orders, not offers: who may deal with whom, and whether a machine fits a job, is decided
//! before an order gets here.

mod expiries;
mod ladder;
mod order;
mod records;

use market::order::Register;
use market::{HeaderId, PricePerHour, Timestamp};

use expiries::Expiries;
use ladder::{Entry, Ladder, Place};
pub use order::{
    Direction, Event, Execution, Fill, NewOrder, OrderKey, Outcome, Owner, Priority, Refusal,
    Replacement, Resting, SelfTrade,
};
use records::Records;

/// Returns the priority of a register: the first eight bytes, big-endian, of its [`draw`](crate::draw).
pub fn priority(header: &HeaderId, register: &Register) -> Priority {
    let draw = crate::quote::draw(header, register);
    let (first, _) = draw.split_first_chunk().unwrap_or((&[0; 8], &[]));
    Priority(u64::from_be_bytes(*first))
}

/// All orders of one price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceLevel {
    /// The price.
    pub price: PricePerHour,
    /// What all its orders have left.
    pub quantity: u64,
    /// How many orders.
    pub orders: u32,
}

/// The limit order book of one instrument.
#[derive(Debug, Clone)]
pub struct LimitBook {
    bids: Ladder,
    asks: Ladder,
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
}

impl LimitBook {
    /// Makes an empty book with room for `capacity` orders, at protocol time 0.
    pub fn new(capacity: usize) -> Self {
        let records = Records::new(capacity);
        let capacity = records.capacity();
        Self {
            bids: Ladder::new(Direction::Buy, capacity),
            asks: Ladder::new(Direction::Sell, capacity),
            records,
            expiries: Expiries::new(capacity),
            now: Timestamp::from_millis(0),
        }
    }

    /// Returns how many orders stand.
    pub fn len(&self) -> usize {
        self.bids.len() + self.asks.len()
    }

    /// Tells whether no order stands.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the bytes that the book has allocated.
    pub fn allocated_bytes(&self) -> usize {
        self.bids.node_bytes()
            + self.asks.node_bytes()
            + self.records.bytes()
            + self.expiries.bytes()
    }

    fn side(&self, direction: Direction) -> &Ladder {
        match direction {
            Direction::Buy => &self.bids,
            Direction::Sell => &self.asks,
        }
    }

    fn side_mut(&mut self, direction: Direction) -> &mut Ladder {
        match direction {
            Direction::Buy => &mut self.bids,
            Direction::Sell => &mut self.asks,
        }
    }

    /// Returns the best price of those that stand in this direction: the highest bid, the lowest ask.
    pub fn best(&self, direction: Direction) -> Option<PricePerHour> {
        let side = self.side(direction);
        side.best().map(|(place, _)| side.price(place))
    }

    /// Submits an order: it trades as its execution says, what happens to the orders that stood is told
    /// to `on_event`, and the rest stands or is dropped.
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
        };
        let resting_price = match order.execution {
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
        let Some(price) = resting_price else {
            let cancelled = self.trade(&mut taker, on_event);
            return Ok(Outcome {
                filled: order.quantity - taker.left - cancelled,
                resting: None,
                dropped: taker.left + cancelled,
            });
        };
        self.check_rests(&taker, price, order.priority)?;
        let cancelled = self.trade(&mut taker, on_event);
        let resting = match taker.left {
            0 => None,
            left => Some((self.rest(&order, price, left)?, left)),
        };
        Ok(Outcome {
            filled: order.quantity - taker.left - cancelled,
            resting,
            dropped: cancelled,
        })
    }

    /// Changes an order that stands. Less of it at the same price keeps its priority; anything else leaves the
    /// book and comes in again with the new one, and may trade. It keeps its key, its owner and its end.
    ///
    /// # Errors
    /// The order stands as before, and why.
    pub fn replace(
        &mut self,
        key: OrderKey,
        change: Replacement,
        on_event: impl FnMut(Event),
    ) -> Result<Outcome, Refusal> {
        let held = self.get(key).ok_or(Refusal::Unknown)?;
        if change.quantity == 0 {
            return Err(Refusal::NoQuantity);
        }
        check_price(change.price)?;
        let side = self.side_mut(held.direction);
        let old = side.place(held.price, held.priority);
        if change.price == held.price && change.quantity <= held.quantity {
            side.set_quantity(old, change.quantity);
            return Ok(Outcome {
                resting: Some((key, change.quantity)),
                ..Outcome::default()
            });
        }
        let new = side.place(change.price, change.priority);
        if new != old && side.get(new).is_some() {
            return Err(Refusal::PriorityTaken);
        }
        side.remove(old);
        let mut taker = Taker {
            direction: held.direction,
            owner: held.owner,
            self_trade: change.self_trade,
            limit: Some(change.price),
            left: change.quantity,
        };
        let cancelled = self.trade(&mut taker, on_event);
        let mut outcome = Outcome {
            filled: change.quantity - taker.left - cancelled,
            resting: None,
            dropped: cancelled,
        };
        if taker.left == 0 {
            self.records.remove(key.index);
            return Ok(outcome);
        }
        let entry = Entry {
            order: key.index,
            quantity: taker.left,
            owner: held.owner.0,
        };
        self.records.set_place(key.index, new);
        self.side_mut(held.direction).insert(new, entry);
        outcome.resting = Some((key, taker.left));
        Ok(outcome)
    }

    fn check(&self, order: &NewOrder) -> Result<(), Refusal> {
        if order.quantity == 0 {
            return Err(Refusal::NoQuantity);
        }
        if let Some(limit) = order.execution.limit() {
            check_price(limit)?;
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
        let accepts = |limit| taker.direction.accepts(limit, best);
        taker.limit.is_none_or(accepts).then_some(best)
    }

    fn check_posts(&self, taker: &Taker) -> Result<(), Refusal> {
        match self.crosses(taker) {
            Some(best) => Err(Refusal::WouldTrade { best }),
            None => Ok(()),
        }
    }

    /// Checks that the whole order can trade, its owner's own orders not counted.
    fn check_fills(&self, taker: &Taker) -> Result<(), Refusal> {
        let side = self.side(taker.direction.opposite());
        let mut available = 0;
        for (place, entry) in side.iter() {
            let price = side.price(place);
            let is_over = taker
                .limit
                .is_some_and(|limit| !taker.direction.accepts(limit, price));
            let is_own = entry.owner == taker.owner.0;
            // An order that stops at its owner's own one goes no further.
            if is_over || (is_own && taker.self_trade != SelfTrade::CancelResting) {
                break;
            }
            if !is_own {
                available += entry.quantity.min(taker.left - available);
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

    /// Checks that what is left of the order could stand.
    fn check_rests(
        &self,
        taker: &Taker,
        price: PricePerHour,
        priority: Priority,
    ) -> Result<(), Refusal> {
        let side = self.side(taker.direction);
        if !self.records.has_room() {
            return Err(Refusal::Full {
                capacity: self.records.capacity(),
            });
        }
        // One that trades first is checked before; of the others, putting them in finds out.
        let trades = self.crosses(taker).is_some();
        match trades && side.get(side.place(price, priority)).is_some() {
            true => Err(Refusal::PriorityTaken),
            false => Ok(()),
        }
    }

    /// Trades an order with the other side, best first, and returns how much of it was cancelled instead.
    fn trade(&mut self, taker: &mut Taker, mut on_event: impl FnMut(Event)) -> u32 {
        let side = match taker.direction {
            Direction::Buy => &mut self.asks,
            Direction::Sell => &mut self.bids,
        };
        while taker.left > 0 {
            let Some((place, entry)) = side.best() else {
                break;
            };
            let price = side.price(place);
            if taker
                .limit
                .is_some_and(|limit| !taker.direction.accepts(limit, price))
            {
                break;
            }
            if entry.owner == taker.owner.0 {
                if taker.self_trade != SelfTrade::CancelIncoming {
                    side.pop_best();
                    let cancelled = self.records.remove(entry.order);
                    on_event(Event::SelfTradePrevented(cancelled));
                }
                if taker.self_trade != SelfTrade::CancelResting {
                    return std::mem::take(&mut taker.left);
                }
                continue;
            }
            let quantity = taker.left.min(entry.quantity);
            let left = entry.quantity - quantity;
            taker.left -= quantity;
            let maker = if left == 0 {
                side.pop_best();
                self.records.remove(entry.order)
            } else {
                side.set_best_quantity(left);
                self.records.key(entry.order)
            };
            on_event(Event::Filled(Fill {
                maker,
                owner: Owner(entry.owner),
                price,
                quantity,
                left,
            }));
        }
        0
    }

    fn rest(
        &mut self,
        order: &NewOrder,
        price: PricePerHour,
        left: u32,
    ) -> Result<OrderKey, Refusal> {
        let place = self.side(order.direction).place(price, order.priority);
        let capacity = self.records.capacity();
        let key = self
            .records
            .add(place, order.direction, order.good_till)
            .ok_or(Refusal::Full { capacity })?;
        let entry = Entry {
            order: key.index,
            quantity: left,
            owner: order.owner.0,
        };
        if !self.side_mut(order.direction).insert(place, entry) {
            self.records.remove(key.index);
            return Err(Refusal::PriorityTaken);
        }
        if let Some(good_till) = order.good_till {
            let records = &self.records;
            let stands = |key| records.get(key).is_some();
            self.expiries.add(good_till, key, stands);
        }
        Ok(key)
    }

    /// Cancels an order and returns what stood.
    ///
    /// # Errors
    /// No order stands under the key.
    pub fn cancel(&mut self, key: OrderKey) -> Result<Resting, Refusal> {
        let record = *self.records.get(key).ok_or(Refusal::Unknown)?;
        let side = self.side_mut(record.direction);
        let entry = side.remove(record.place).ok_or(Refusal::Unknown)?;
        let price = side.price(record.place);
        self.records.remove(key.index);
        Ok(Resting {
            key,
            direction: record.direction,
            price,
            priority: Ladder::priority(record.place),
            quantity: entry.quantity,
            owner: Owner(entry.owner),
            good_till: record.good_till(),
        })
    }

    /// Returns the order that stands under a key.
    pub fn get(&self, key: OrderKey) -> Option<Resting> {
        let record = self.records.get(key)?;
        let side = self.side(record.direction);
        let entry = side.get(record.place)?;
        Some(self.resting(record.direction, record.place, entry))
    }

    fn resting(&self, direction: Direction, place: Place, entry: Entry) -> Resting {
        let key = self.records.key(entry.order);
        Resting {
            key,
            direction,
            price: self.side(direction).price(place),
            priority: Ladder::priority(place),
            quantity: entry.quantity,
            owner: Owner(entry.owner),
            good_till: self.records.get(key).and_then(records::Record::good_till),
        }
    }

    /// Moves time on, and tells of each order that ends by that, those that end first first. Time never goes back.
    pub fn advance(&mut self, now: Timestamp, mut on_end: impl FnMut(Resting)) {
        self.now = self.now.max(now);
        while let Some(key) = self.expiries.pop_due(self.now) {
            // One that was filled or cancelled before is not there any more.
            if let Ok(resting) = self.cancel(key) {
                on_end(resting);
            }
        }
    }

    /// Returns the book's time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns the orders that stand in one direction, in the order in which they would trade.
    pub fn orders(&self, direction: Direction) -> impl Iterator<Item = Resting> + '_ {
        self.side(direction)
            .iter()
            .map(move |(place, entry)| self.resting(direction, place, entry))
    }

    /// Returns the price levels of one direction, best first.
    pub fn levels(&self, direction: Direction) -> impl Iterator<Item = PriceLevel> + '_ {
        let side = self.side(direction);
        let mut orders = side.iter().peekable();
        std::iter::from_fn(move || {
            let (place, first) = orders.next()?;
            let mut level = PriceLevel {
                price: side.price(place),
                quantity: first.quantity.into(),
                orders: 1,
            };
            while let Some((_, entry)) =
                orders.next_if(|(place, _)| side.price(*place) == level.price)
            {
                level.quantity += u64::from(entry.quantity);
                level.orders += 1;
            }
            Some(level)
        })
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

/// Checks a limit: a price of nothing, and the greatest that a number can hold, mark the ends of a ladder.
fn check_price(price: PricePerHour) -> Result<(), Refusal> {
    match price.0.nanocredits() {
        0 | u64::MAX => Err(Refusal::Price { price }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
