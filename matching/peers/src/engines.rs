//! Owns the engines: each behind the same three calls, with no more between than its own interface asks for.
//!
//! Never helps one of them: what an engine wants kept by its caller is kept here, inside the measured time.

use std::hint::black_box;

use market::{Amount, PricePerHour};
use matching::limit_book::{
    Direction, Event, Execution, LimitBook, NewOrder, OrderNumber, Owner, Priority, SelfTrade,
};
use nanobook::{Exchange, OrderId};
use orderbook_rs::OrderBook;
use orderbook_rs::prelude::{Id, TimeInForce};

use crate::stream::Added;

/// One trade, in the words of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filled {
    /// The order that stood.
    pub number: u32,
    /// The price.
    pub price: u64,
    /// How much.
    pub quantity: u32,
    /// What is left of the order that stood; not every engine tells.
    pub left: u32,
}

/// How many orders there will be.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// At one time.
    pub standing: usize,
    /// In all.
    pub ever: usize,
}

/// A limit order book.
pub trait Engine {
    /// What it is called in the table.
    const NAME: &'static str;

    /// Why it cannot be given cancellations, where it cannot.
    const CANCELS: Result<(), &'static str> = Ok(());

    /// Makes an empty book with room for so many orders.
    fn new(orders: Room) -> Self;

    /// Adds an order that meets nothing.
    fn add(&mut self, order: &Added);

    /// Cancels an order that stands.
    fn cancel(&mut self, number: u32);

    /// Trades at any price, and tells of each fill.
    fn take(&mut self, direction: Direction, quantity: u32, on_fill: &mut impl FnMut(Filled));
}

/// This project's.
pub struct Nightshift(LimitBook);

const ADDER: Owner = Owner(1);
const TAKER: Owner = Owner(2);

impl Engine for Nightshift {
    const NAME: &'static str = "nightshift";

    fn new(room: Room) -> Self {
        // One more number, for what takes and never stands.
        Self(LimitBook::new(room.standing + 1))
    }

    fn add(&mut self, order: &Added) {
        let price = PricePerHour(Amount::from_nanocredits(order.price));
        let new = NewOrder {
            number: OrderNumber(order.number),
            direction: order.direction,
            execution: Execution::Limit(price),
            quantity: order.quantity,
            owner: ADDER,
            priority: Priority(order.sequence),
            good_till: None,
            self_trade: SelfTrade::CancelResting,
        };
        black_box(self.0.submit(new, |_| ()).expect("the order is good"));
    }

    fn cancel(&mut self, number: u32) {
        let cancelled = self.0.cancel(OrderNumber(number));
        black_box(cancelled.expect("it stands"));
    }

    fn take(&mut self, direction: Direction, quantity: u32, on_fill: &mut impl FnMut(Filled)) {
        let new = NewOrder {
            number: OrderNumber(self.0.capacity() as u32 - 1),
            direction,
            execution: Execution::Market,
            quantity,
            owner: TAKER,
            priority: Priority(0),
            good_till: None,
            self_trade: SelfTrade::CancelResting,
        };
        let outcome = self.0.submit(new, |event| {
            if let Event::Filled(fill) = event {
                on_fill(Filled {
                    number: fill.maker.0,
                    price: fill.price.0.nanocredits(),
                    quantity: fill.quantity,
                    left: fill.left,
                });
            }
        });
        black_box(outcome.expect("the order is good"));
    }
}

/// `lobster`, one of its arenas as large as the book gets.
pub struct Lobster {
    book: lobster::OrderBook,
    taken: u128,
}

const fn lobster_side(direction: Direction) -> lobster::Side {
    match direction {
        Direction::Buy => lobster::Side::Bid,
        Direction::Sell => lobster::Side::Ask,
    }
}

impl Engine for Lobster {
    const NAME: &'static str = "lobster 0.7.0";

    fn new(room: Room) -> Self {
        Self {
            book: lobster::OrderBook::new(room.standing, 16, false),
            taken: 1 << 64,
        }
    }

    fn add(&mut self, order: &Added) {
        let event = self.book.execute(lobster::OrderType::Limit {
            id: order.number.into(),
            side: lobster_side(order.direction),
            qty: order.quantity.into(),
            price: order.price,
        });
        black_box(event);
    }

    fn cancel(&mut self, number: u32) {
        let id = number.into();
        black_box(self.book.execute(lobster::OrderType::Cancel { id }));
    }

    fn take(&mut self, direction: Direction, quantity: u32, on_fill: &mut impl FnMut(Filled)) {
        self.taken += 1;
        let event = self.book.execute(lobster::OrderType::Market {
            id: self.taken,
            side: lobster_side(direction),
            qty: quantity.into(),
        });
        let (lobster::OrderEvent::Filled { fills, .. }
        | lobster::OrderEvent::PartiallyFilled { fills, .. }) = event
        else {
            return;
        };
        for fill in fills {
            on_fill(Filled {
                number: fill.order_2 as u32,
                price: fill.price,
                quantity: fill.qty as u32,
                left: u32::from(!fill.total_fill),
            });
        }
    }
}

/// `nanobook`, without its log of events.
pub struct Nanobook {
    exchange: Exchange,
    ids: Vec<OrderId>,
    /// The number of the order under each of its ids.
    numbers: Vec<u32>,
}

const fn nanobook_side(direction: Direction) -> nanobook::Side {
    match direction {
        Direction::Buy => nanobook::Side::Buy,
        Direction::Sell => nanobook::Side::Sell,
    }
}

impl Engine for Nanobook {
    const NAME: &'static str = "nanobook 0.19.3";
    const CANCELS: Result<(), &'static str> =
        Err("an order never returns that meets a best level of cancelled orders alone");

    fn new(room: Room) -> Self {
        Self {
            exchange: Exchange::new(),
            ids: vec![OrderId(0); room.standing],
            numbers: Vec::with_capacity(room.ever * 2),
        }
    }

    fn add(&mut self, order: &Added) {
        let price = nanobook::Price(order.price as i64);
        let side = nanobook_side(order.direction);
        let result = self.exchange.submit_limit(
            side,
            price,
            order.quantity.into(),
            nanobook::TimeInForce::GTC,
        );
        self.ids[order.number as usize] = result.order_id;
        self.numbers.resize(result.order_id.0 as usize + 1, 0);
        self.numbers[result.order_id.0 as usize] = order.number;
    }

    fn cancel(&mut self, number: u32) {
        black_box(self.exchange.cancel(self.ids[number as usize]));
    }

    fn take(&mut self, direction: Direction, quantity: u32, on_fill: &mut impl FnMut(Filled)) {
        let side = nanobook_side(direction);
        let result = self.exchange.submit_market(side, quantity.into());
        for trade in result.trades {
            on_fill(Filled {
                number: self.numbers[trade.passive_order_id.0 as usize],
                price: trade.price.0 as u64,
                quantity: trade.quantity as u32,
                left: 0,
            });
        }
    }
}

/// `orderbook-rs`, with its numbered ids.
pub struct OrderbookRs {
    book: OrderBook<()>,
    taken: u64,
}

const fn orderbook_side(direction: Direction) -> orderbook_rs::prelude::Side {
    match direction {
        Direction::Buy => orderbook_rs::prelude::Side::Buy,
        Direction::Sell => orderbook_rs::prelude::Side::Sell,
    }
}

impl Engine for OrderbookRs {
    const NAME: &'static str = "orderbook-rs 0.15.3";

    fn new(_room: Room) -> Self {
        Self {
            book: OrderBook::new("peer"),
            taken: 1 << 40,
        }
    }

    fn add(&mut self, order: &Added) {
        let added = self.book.add_limit_order(
            Id::Sequential(order.number.into()),
            order.price.into(),
            order.quantity.into(),
            orderbook_side(order.direction),
            TimeInForce::Gtc,
            None,
        );
        black_box(added.expect("the order is good"));
    }

    fn cancel(&mut self, number: u32) {
        let cancelled = self.book.cancel_order(Id::Sequential(number.into()));
        black_box(cancelled.expect("the order is good"));
    }

    fn take(&mut self, direction: Direction, quantity: u32, on_fill: &mut impl FnMut(Filled)) {
        self.taken += 1;
        let side = orderbook_side(direction);
        let id = Id::Sequential(self.taken);
        // A book without an order to take is an error of its own.
        let Ok(result) = self.book.submit_market_order(id, quantity.into(), side) else {
            return;
        };
        for trade in result.trades().as_vec() {
            let Id::Sequential(number) = trade.maker_order_id() else {
                continue;
            };
            on_fill(Filled {
                number: number as u32,
                price: trade.price().as_u128() as u64,
                quantity: trade.quantity().as_u64() as u32,
                left: 0,
            });
        }
    }
}
