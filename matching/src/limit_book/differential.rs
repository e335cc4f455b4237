//! Owns the reading of bytes as calls of a limit order book, and the comparison of what it answers with others.
//!
//! Never finds a call impossible: every six bytes are one, refused or not.
//!
//! The book is compared with the naive one in everything, and with the engine `lobster` in what both can: limit and
//! market orders, first come first served, and cancellations.

use market::{Amount, PricePerHour, Timestamp};

use super::naive::NaiveBook;
use super::{
    Direction, Event, Execution, LimitBook, NewOrder, OrderNumber, Owner, Priority, Replacement,
    SelfTrade,
};

/// A check of bytes: whether they made any order trade.
pub type Check = fn(&[u8]) -> bool;

/// The comparisons, each with the name of its corpus.
pub const CHECKS: [(&str, Check); 2] = [
    ("limit_book", limit_book),
    ("limit_book_peer", limit_book_peer),
];

/// Numbers that single calls name, and all of them: small, so that calls meet.
const NUMBERS: u32 = 48;
const CAPACITY: usize = 400;

/// The bytes of one call.
const CALL: usize = 6;

/// The most calls of one input.
const MAX_CALLS: usize = 600;

/// The orders of one comparison with a peer, each with a number of its own; those that follow are left out.
const PEER_ORDERS: u32 = 4_096;

/// What six bytes say.
#[derive(Debug, Clone, Copy)]
struct Call {
    kind: u8,
    number: u8,
    price: u8,
    quantity: u8,
    priority: u8,
    extra: u8,
}

impl Call {
    fn all(bytes: &[u8]) -> impl Iterator<Item = Self> + '_ {
        let (calls, _) = bytes.as_chunks::<CALL>();
        let calls = calls.iter().take(MAX_CALLS);
        calls.map(|[kind, number, price, quantity, priority, extra]| Self {
            kind: kind % 16,
            number: *number,
            price: *price,
            quantity: *quantity,
            priority: *priority,
            extra: *extra,
        })
    }

    fn number(self) -> OrderNumber {
        OrderNumber(u32::from(self.number) % (NUMBERS + 1))
    }

    /// Sixteen prices, now and then none.
    fn price(self) -> PricePerHour {
        let nanocredits = match self.price {
            254 => u64::MAX,
            255 => 0,
            price => 100 + u64::from(price % 16),
        };
        PricePerHour(Amount::from_nanocredits(nanocredits))
    }

    fn direction(self) -> Direction {
        match self.extra & 1 {
            0 => Direction::Buy,
            _ => Direction::Sell,
        }
    }

    fn self_trade(self) -> SelfTrade {
        match self.extra >> 1 & 3 {
            0 | 1 => SelfTrade::CancelResting,
            2 => SelfTrade::CancelIncoming,
            _ => SelfTrade::CancelBoth,
        }
    }

    fn execution(self) -> Execution {
        let price = self.price();
        match self.kind {
            4 => Execution::PostOnly(price),
            5 => Execution::ImmediateOrCancel(price),
            6 => Execution::FillOrKill(price),
            7 => Execution::Market,
            _ => Execution::Limit(price),
        }
    }

    fn order(self, now: Timestamp) -> NewOrder {
        let life = u64::from(self.extra >> 5);
        NewOrder {
            number: self.number(),
            direction: self.direction(),
            execution: self.execution(),
            quantity: u32::from(self.quantity % 16),
            owner: Owner(u32::from(self.extra >> 3 & 3)),
            priority: Priority(self.priority.into()),
            good_till: match life {
                0 => None,
                1 => Some(now),
                life => Some(Timestamp::from_millis(now.as_millis() + life)),
            },
            self_trade: self.self_trade(),
        }
    }

    fn replacement(self) -> Replacement {
        Replacement {
            price: self.price(),
            quantity: u32::from(self.quantity % 16),
            priority: Priority(self.priority.into()),
            self_trade: self.self_trade(),
        }
    }

    /// Many orders of one price at scattered priorities: enough to split nodes.
    fn burst(self) -> impl Iterator<Item = NewOrder> {
        (0..u32::from(self.quantity)).map(move |index| {
            let range = CAPACITY as u32 - NUMBERS;
            let number = NUMBERS + (u32::from(self.number) * 7 + index) % range;
            let scattered = u64::from(index).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            NewOrder {
                number: OrderNumber(number),
                direction: self.direction(),
                execution: Execution::PostOnly(self.price()),
                quantity: 1 + index % 3,
                owner: Owner(9),
                priority: match self.extra & 2 {
                    0 => Priority(scattered ^ u64::from(self.priority)),
                    _ => Priority(u64::from(index) << 8 | u64::from(self.priority)),
                },
                good_till: None,
                self_trade: SelfTrade::CancelResting,
            }
        })
    }
}

/// Compares the book with the naive one, call by call.
pub fn limit_book(bytes: &[u8]) -> bool {
    let mut pair = Pair {
        book: LimitBook::new(CAPACITY),
        naive: NaiveBook::new(CAPACITY),
        traded: false,
    };
    for call in Call::all(bytes) {
        match call.kind {
            8 | 9 => pair.cancel(call.number()),
            10 | 11 => pair.replace(call.number(), call.replacement()),
            12 => pair.advance(u64::from(call.quantity % 8)),
            13 => call.burst().for_each(|order| pair.submit(order)),
            14 => {
                let numbers = call.burst().map(|order| order.number);
                numbers.step_by(2).for_each(|number| pair.cancel(number));
            }
            15 => pair.submit(NewOrder {
                execution: Execution::Market,
                quantity: u32::from(call.quantity) * 2,
                ..call.order(pair.book.now())
            }),
            _ => pair.submit(call.order(pair.book.now())),
        }
        pair.compare();
    }
    pair.traded
}

/// Two books that are told the same.
struct Pair {
    book: LimitBook,
    naive: NaiveBook,
    traded: bool,
}

impl Pair {
    fn submit(&mut self, order: NewOrder) {
        let mut events = Vec::new();
        let said = self.book.submit(order, |event| events.push(event));
        if let Ok(outcome) = &said {
            let sum = outcome.filled + outcome.resting + outcome.dropped;
            assert_eq!(sum, order.quantity, "quantity is conserved: {outcome:?}");
            self.traded |= outcome.filled > 0;
        }
        assert_eq!((said, events), self.naive.submit(order), "{order:?}");
    }

    fn replace(&mut self, number: OrderNumber, change: Replacement) {
        let mut events = Vec::new();
        let said = self
            .book
            .replace(number, change, |event| events.push(event));
        let naive = self.naive.replace(number, change);
        assert_eq!((said, events), naive, "{number:?} {change:?}");
    }

    fn cancel(&mut self, number: OrderNumber) {
        let said = self.book.cancel(number);
        assert_eq!(said, self.naive.cancel(number), "{number:?}");
        assert_eq!(self.book.get(number), None);
    }

    fn advance(&mut self, by_ms: u64) {
        let now = Timestamp::from_millis(self.book.now().as_millis() + by_ms);
        let mut ended = Vec::new();
        self.book.advance(now, |order| ended.push(order));
        assert_eq!(ended, self.naive.advance(now));
    }

    fn compare(&self) {
        self.book.check_structure();
        for direction in [Direction::Buy, Direction::Sell] {
            let orders: Vec<_> = self.book.orders(direction).collect();
            assert_eq!(orders, self.naive.orders(direction));
            for order in orders {
                assert_eq!(self.book.get(order.number), Some(order));
            }
        }
    }
}

/// Compares the book with `lobster`.
pub fn limit_book_peer(bytes: &[u8]) -> bool {
    let mut book = LimitBook::new(PEER_ORDERS as usize);
    let mut peer = lobster::OrderBook::new(64, 4, false);
    let mut next = 0;
    let mut traded = false;
    for call in Call::all(bytes) {
        match call.kind {
            8..=11 => {
                let number = u32::from(call.number) % (next + 1);
                let said = book.cancel(OrderNumber(number)).is_ok();
                // The peer says the same to a cancellation of nothing: only fills can tell.
                let _same = peer.execute(lobster::OrderType::Cancel { id: number.into() });
                traded |= said;
            }
            13 => {
                for order in call.burst() {
                    let execution = Execution::Limit(order.execution.limit().unwrap_or_default());
                    let order = NewOrder { execution, ..order };
                    traded |= submit_both((&mut book, &mut peer), order, next);
                    next += 1;
                }
            }
            _ => {
                let order = call.order(book.now());
                let execution = match order.execution {
                    Execution::Market => Execution::Market,
                    other => Execution::Limit(other.limit().unwrap_or_default()),
                };
                let order = NewOrder { execution, ..order };
                traded |= submit_both((&mut book, &mut peer), order, next);
                next += 1;
            }
        }
    }
    traded
}

/// Submits an order to both, first come first served; returns whether it traded.
fn submit_both(
    (book, peer): (&mut LimitBook, &mut lobster::OrderBook),
    order: NewOrder,
    number: u32,
) -> bool {
    if number >= PEER_ORDERS {
        return false;
    }
    let order = NewOrder {
        number: OrderNumber(number),
        owner: Owner(number),
        priority: Priority(number.into()),
        quantity: order.quantity.max(1),
        good_till: None,
        ..order
    };
    let mut fills = Vec::new();
    let said = book.submit(order, |event| {
        if let Event::Filled(fill) = event {
            let price = fill.price.0.nanocredits();
            fills.push((u128::from(fill.maker.0), price, u64::from(fill.quantity)));
        }
    });
    // A price that is none, which the peer knows nothing of.
    if said.is_err() {
        return false;
    }
    let (id, qty) = (number.into(), order.quantity.into());
    let side = match order.direction {
        Direction::Buy => lobster::Side::Bid,
        Direction::Sell => lobster::Side::Ask,
    };
    let event = peer.execute(match order.execution.limit() {
        Some(price) => lobster::OrderType::Limit {
            id,
            side,
            qty,
            price: price.0.nanocredits(),
        },
        None => lobster::OrderType::Market { id, side, qty },
    });
    let (lobster::OrderEvent::Filled { fills: theirs, .. }
    | lobster::OrderEvent::PartiallyFilled { fills: theirs, .. }) = event
    else {
        assert_eq!(fills, [], "{order:?}");
        return false;
    };
    let theirs: Vec<_> = theirs
        .iter()
        .map(|fill| (fill.order_2, fill.price, fill.qty))
        .collect();
    assert_eq!(fills, theirs, "{order:?}");
    let best = |direction| book.best(direction).map(|price| price.0.nanocredits());
    assert_eq!(best(Direction::Buy), peer.max_bid());
    assert_eq!(best(Direction::Sell), peer.min_ask());
    true
}
