//! Owns the naive limit order book: one list of orders, searched and sorted anew for every question.
//!
//! Never quick and never clever: it is what the real book is compared with, so it shares no code with it beyond the
//! words of `order.rs`.

use std::cmp::Reverse;

use market::{PricePerHour, Timestamp};

use super::{
    Direction, Event, Execution, Fill, NewOrder, OrderNumber, Outcome, Refusal, Replacement,
    Resting, SelfTrade,
};

/// A limit order book without any structure.
#[derive(Debug, Clone)]
pub(super) struct NaiveBook {
    orders: Vec<Resting>,
    capacity: usize,
    now: Timestamp,
}

type Said<T> = (Result<T, Refusal>, Vec<Event>);

impl NaiveBook {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            orders: Vec::new(),
            capacity,
            now: Timestamp::from_millis(0),
        }
    }

    /// Returns the orders of a direction, in the order in which they trade.
    pub(super) fn orders(&self, direction: Direction) -> Vec<Resting> {
        let of = |order: &&Resting| order.direction == direction;
        let mut orders: Vec<Resting> = self.orders.iter().filter(of).copied().collect();
        match direction {
            Direction::Buy => orders.sort_by_key(|it| (Reverse(it.price), it.priority)),
            Direction::Sell => orders.sort_by_key(|it| (it.price, it.priority)),
        }
        orders
    }

    fn find(&mut self, number: OrderNumber) -> Option<&mut Resting> {
        self.orders.iter_mut().find(|it| it.number == number)
    }

    fn drop(&mut self, number: OrderNumber) {
        self.orders.retain(|it| it.number != number);
    }

    pub(super) fn submit(&mut self, order: NewOrder) -> Said<Outcome> {
        if let Err(refusal) = self.check(&order) {
            return (Err(refusal), Vec::new());
        }
        let rests = matches!(
            order.execution,
            Execution::Limit(_) | Execution::PostOnly(_)
        );
        let resting = Resting {
            number: order.number,
            direction: order.direction,
            price: order.execution.limit().unwrap_or_default(),
            priority: order.priority,
            quantity: order.quantity,
            owner: order.owner,
            good_till: order.good_till,
        };
        let (outcome, events) = self.trade(resting, order.execution.limit(), order.self_trade);
        if rests && outcome.resting > 0 {
            self.orders.push(Resting {
                quantity: outcome.resting,
                ..resting
            });
            return (Ok(outcome), events);
        }
        let outcome = Outcome {
            resting: 0,
            dropped: outcome.dropped + outcome.resting,
            ..outcome
        };
        (Ok(outcome), events)
    }

    fn check(&self, order: &NewOrder) -> Result<(), Refusal> {
        if order.quantity == 0 {
            return Err(Refusal::NoQuantity);
        }
        let limit = order.execution.limit();
        check_price(limit)?;
        let is_taken = self.orders.iter().any(|it| it.number == order.number);
        if is_taken || order.number.index() >= self.capacity {
            return Err(Refusal::Number {
                number: order.number,
                capacity: self.capacity,
            });
        }
        if let Some(good_till) = order.good_till
            && good_till <= self.now
        {
            let now = self.now;
            return Err(Refusal::Ended { good_till, now });
        }
        match order.execution {
            Execution::PostOnly(price) => {
                let best = self.orders(order.direction.opposite()).first().copied();
                if let Some(best) = best
                    && order.direction.accepts(price, best.price)
                {
                    return Err(Refusal::WouldTrade { best: best.price });
                }
                self.check_priority(order.direction, price, order)
            }
            Execution::Limit(price) => self.check_priority(order.direction, price, order),
            Execution::FillOrKill(_) => {
                let mut tried = self.clone();
                let resting = Resting {
                    number: order.number,
                    direction: order.direction,
                    price: limit.unwrap_or_default(),
                    priority: order.priority,
                    quantity: order.quantity,
                    owner: order.owner,
                    good_till: None,
                };
                let (outcome, _) = tried.trade(resting, limit, order.self_trade);
                match outcome.filled == order.quantity {
                    true => Ok(()),
                    false => Err(Refusal::CannotFill {
                        available: outcome.filled,
                        wanted: order.quantity,
                    }),
                }
            }
            Execution::ImmediateOrCancel(_) | Execution::Market => Ok(()),
        }
    }

    fn check_priority(
        &self,
        direction: Direction,
        price: PricePerHour,
        order: &NewOrder,
    ) -> Result<(), Refusal> {
        let place = (direction, price, order.priority);
        let mut others = self.orders.iter();
        match others.any(|it| (it.direction, it.price, it.priority) == place) {
            true => Err(Refusal::PriorityTaken),
            false => Ok(()),
        }
    }

    /// Lets an order trade; what is left of it is told as resting.
    fn trade(
        &mut self,
        taker: Resting,
        limit: Option<PricePerHour>,
        self_trade: SelfTrade,
    ) -> (Outcome, Vec<Event>) {
        let mut events = Vec::new();
        let mut outcome = Outcome {
            resting: taker.quantity,
            ..Outcome::default()
        };
        for maker in self.orders(taker.direction.opposite()) {
            let is_over = limit.is_some_and(|limit| !taker.direction.accepts(limit, maker.price));
            if outcome.resting == 0 || is_over {
                break;
            }
            if maker.owner == taker.owner {
                if matches!(self_trade, SelfTrade::CancelResting | SelfTrade::CancelBoth) {
                    self.drop(maker.number);
                    events.push(Event::SelfTradePrevented(maker.number));
                }
                if matches!(
                    self_trade,
                    SelfTrade::CancelIncoming | SelfTrade::CancelBoth
                ) {
                    outcome.dropped = outcome.resting;
                    outcome.resting = 0;
                }
                continue;
            }
            let quantity = maker.quantity.min(outcome.resting);
            outcome.filled += quantity;
            outcome.resting -= quantity;
            let left = maker.quantity - quantity;
            if left == 0 {
                self.drop(maker.number);
            } else if let Some(held) = self.find(maker.number) {
                held.quantity = left;
            }
            events.push(Event::Filled(Fill {
                maker: maker.number,
                owner: maker.owner,
                price: maker.price,
                quantity,
                left,
            }));
        }
        (outcome, events)
    }

    pub(super) fn replace(&mut self, number: OrderNumber, change: Replacement) -> Said<Outcome> {
        let Some(held) = self.find(number).copied() else {
            return (Err(Refusal::Unknown), Vec::new());
        };
        if change.quantity == 0 {
            return (Err(Refusal::NoQuantity), Vec::new());
        }
        if let Err(refusal) = check_price(Some(change.price)) {
            return (Err(refusal), Vec::new());
        }
        if change.price == held.price && change.quantity <= held.quantity {
            self.find(number).expect("it was just there").quantity = change.quantity;
            let outcome = Outcome {
                resting: change.quantity,
                ..Outcome::default()
            };
            return (Ok(outcome), Vec::new());
        }
        let mut others = self.orders.iter().filter(|it| it.number != number);
        let place = (held.direction, change.price, change.priority);
        if others.any(|it| (it.direction, it.price, it.priority) == place) {
            return (Err(Refusal::PriorityTaken), Vec::new());
        }
        self.drop(number);
        let changed = Resting {
            price: change.price,
            priority: change.priority,
            quantity: change.quantity,
            ..held
        };
        let (outcome, events) = self.trade(changed, Some(change.price), change.self_trade);
        if outcome.resting > 0 {
            self.orders.push(Resting {
                quantity: outcome.resting,
                ..changed
            });
        }
        (Ok(outcome), events)
    }

    pub(super) fn cancel(&mut self, number: OrderNumber) -> Result<Resting, Refusal> {
        let held = self.find(number).copied().ok_or(Refusal::Unknown)?;
        self.drop(number);
        Ok(held)
    }

    /// Returns the orders that end, those that end first first.
    pub(super) fn advance(&mut self, now: Timestamp) -> Vec<Resting> {
        self.now = self.now.max(now);
        let now = self.now;
        let ends = |order: &Resting| order.good_till.is_some_and(|end| end <= now);
        let mut ended: Vec<Resting> = self.orders.iter().filter(|it| ends(it)).copied().collect();
        ended.sort_by_key(|it| (it.good_till, it.number));
        self.orders.retain(|it| !ends(it));
        ended
    }
}

fn check_price(limit: Option<PricePerHour>) -> Result<(), Refusal> {
    match limit {
        Some(price) if [0, u64::MAX].contains(&price.0.nanocredits()) => {
            Err(Refusal::Price { price })
        }
        _ => Ok(()),
    }
}
