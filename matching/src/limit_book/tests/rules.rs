//! The rules of the book, one a test.

use super::*;

fn price(nanocredits: u64) -> PricePerHour {
    PricePerHour(Amount::from_nanocredits(nanocredits))
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

/// An order of its own owner, first come first served.
fn order(number: u32, direction: Direction, execution: Execution) -> NewOrder {
    NewOrder {
        number: OrderNumber(number),
        direction,
        execution,
        quantity: 10,
        owner: Owner(number),
        priority: Priority(number.into()),
        good_till: None,
        self_trade: SelfTrade::CancelResting,
    }
}

fn ask(number: u32, nanocredits: u64) -> NewOrder {
    order(
        number,
        Direction::Sell,
        Execution::Limit(price(nanocredits)),
    )
}

fn bid(number: u32, nanocredits: u64) -> NewOrder {
    order(number, Direction::Buy, Execution::Limit(price(nanocredits)))
}

fn book_of(orders: impl IntoIterator<Item = NewOrder>) -> LimitBook {
    let mut book = LimitBook::new(64);
    for order in orders {
        book.submit(order, |event| panic!("{event:?}")).unwrap();
    }
    book
}

fn fill(maker: u32, nanocredits: u64, quantity: u32, left: u32) -> Event {
    Event::Filled(Fill {
        maker: OrderNumber(maker),
        owner: Owner(maker),
        price: price(nanocredits),
        quantity,
        left,
    })
}

fn submit(book: &mut LimitBook, order: NewOrder) -> (Result<Outcome, Refusal>, Vec<Event>) {
    let mut events = Vec::new();
    let said = book.submit(order, |event| events.push(event));
    book.check_structure();
    (said, events)
}

const fn outcome(filled: u32, resting: u32, dropped: u32) -> Outcome {
    Outcome {
        filled,
        resting,
        dropped,
    }
}

#[test]
fn a_limit_order_takes_the_best_prices_up_to_its_own_and_the_rest_stands() {
    let mut book = book_of([ask(1, 30), ask(2, 20), ask(3, 25)]);
    let buying = NewOrder {
        quantity: 25,
        ..bid(4, 25)
    };
    let (said, events) = submit(&mut book, buying);
    assert_eq!(said, Ok(outcome(20, 5, 0)));
    assert_eq!(events, [fill(2, 20, 10, 0), fill(3, 25, 10, 0)]);
    assert_eq!(book.best(Direction::Buy), Some(price(25)));
    assert_eq!(book.best(Direction::Sell), Some(price(30)));
}

#[test]
fn of_one_price_the_lowest_priority_goes_first_whenever_it_came() {
    let with = |number, priority| NewOrder {
        priority: Priority(priority),
        ..ask(number, 20)
    };
    let mut book = book_of([with(1, 7), with(2, 3), with(3, 5)]);
    let (_, events) = submit(
        &mut book,
        NewOrder {
            quantity: 25,
            ..order(4, Direction::Buy, Execution::Market)
        },
    );
    assert_eq!(
        events,
        [fill(2, 20, 10, 0), fill(3, 20, 10, 0), fill(1, 20, 5, 5)]
    );
}

#[test]
fn market_and_immediate_orders_drop_what_finds_nobody() {
    let mut book = book_of([ask(1, 20), ask(2, 30)]);
    let immediate = order(3, Direction::Buy, Execution::ImmediateOrCancel(price(25)));
    let immediate = NewOrder {
        quantity: 15,
        ..immediate
    };
    let (said, events) = submit(&mut book, immediate);
    assert_eq!((said, events.len()), (Ok(outcome(10, 0, 5)), 1));
    let market = NewOrder {
        quantity: 15,
        ..order(4, Direction::Buy, Execution::Market)
    };
    let (said, _) = submit(&mut book, market);
    assert_eq!(said, Ok(outcome(10, 0, 5)));
    assert!(book.is_empty());
}

#[test]
fn fill_or_kill_is_all_or_nothing() {
    let mut book = book_of([ask(1, 20), ask(2, 30)]);
    let all = |quantity, limit| NewOrder {
        quantity,
        ..order(3, Direction::Buy, Execution::FillOrKill(price(limit)))
    };
    let cannot = Refusal::CannotFill {
        available: 10,
        wanted: 15,
    };
    assert_eq!(submit(&mut book, all(15, 25)), (Err(cannot), vec![]));
    let (said, events) = submit(&mut book, all(15, 30));
    assert_eq!((said, events.len()), (Ok(outcome(15, 0, 0)), 2));
}

#[test]
fn post_only_stands_or_is_refused_with_the_price_at_which_it_would_trade() {
    let mut book = book_of([ask(1, 20)]);
    let post = |limit| order(2, Direction::Buy, Execution::PostOnly(price(limit)));
    let would = Refusal::WouldTrade { best: price(20) };
    assert_eq!(submit(&mut book, post(20)), (Err(would), vec![]));
    assert_eq!(submit(&mut book, post(19)).0, Ok(outcome(0, 10, 0)));
}

#[test]
fn an_owner_never_trades_with_itself() {
    let own = |order: NewOrder, self_trade| NewOrder {
        owner: Owner(9),
        quantity: 15,
        self_trade,
        ..order
    };
    let prevented = Event::SelfTradePrevented(OrderNumber(1));
    let cases = [
        (
            SelfTrade::CancelResting,
            outcome(10, 5, 0),
            vec![prevented, fill(2, 21, 10, 0)],
        ),
        (SelfTrade::CancelIncoming, outcome(0, 0, 15), vec![]),
        (SelfTrade::CancelBoth, outcome(0, 0, 15), vec![prevented]),
    ];
    for (self_trade, expected, events) in cases {
        let mut book = book_of([own(ask(1, 20), self_trade), ask(2, 21)]);
        let said = submit(&mut book, own(bid(3, 21), self_trade));
        assert_eq!(said, (Ok(expected), events));
    }
}

#[test]
fn less_keeps_the_priority_and_more_or_another_price_loses_it() {
    let mut book = book_of([ask(1, 20), ask(2, 20)]);
    let change = |nanocredits, quantity| Replacement {
        price: price(nanocredits),
        quantity,
        priority: Priority(9),
        self_trade: SelfTrade::CancelResting,
    };
    let first = |book: &LimitBook| book.orders(Direction::Sell).next().unwrap().number.0;
    let mut replace = |number, change| book_replace(&mut book, number, change);
    assert_eq!(replace(1, change(20, 4)), Ok(outcome(0, 4, 0)));
    assert_eq!(replace(1, change(20, 5)), Ok(outcome(0, 5, 0)));
    assert_eq!(first(&book), 2);
    let mut replace = |number, change| book_replace(&mut book, number, change);
    assert_eq!(replace(1, change(19, 5)), Ok(outcome(0, 5, 0)));
    assert_eq!(replace(2, change(19, 5)), Err(Refusal::PriorityTaken));
    assert_eq!(first(&book), 1);
    submit(&mut book, bid(3, 18)).0.unwrap();
    let mut replace = |number, change| book_replace(&mut book, number, change);
    assert_eq!(replace(1, change(18, 12)), Ok(outcome(10, 2, 0)));
    assert_eq!(replace(3, change(18, 12)), Err(Refusal::Unknown));
}

fn book_replace(
    book: &mut LimitBook,
    number: u32,
    change: Replacement,
) -> Result<Outcome, Refusal> {
    let said = book.replace(OrderNumber(number), change, |_| ());
    book.check_structure();
    said
}

#[test]
fn an_order_ends_when_its_time_comes_and_not_before() {
    let till = |order: NewOrder, millis| NewOrder {
        good_till: Some(at(millis)),
        ..order
    };
    let mut book = book_of([till(ask(1, 20), 50), till(ask(2, 20), 40), ask(3, 20)]);
    let mut ended = Vec::new();
    book.advance(at(39), |order| ended.push(order.number.0));
    assert_eq!(ended, []);
    book.advance(at(60), |order| ended.push(order.number.0));
    assert_eq!(ended, [2, 1]);
    assert_eq!(book.len(), 1);
    let over = Refusal::Ended {
        good_till: at(60),
        now: at(60),
    };
    assert_eq!(submit(&mut book, till(ask(1, 20), 60)).0, Err(over));
    // Time never goes back.
    book.advance(at(10), |_| ());
    assert_eq!(book.now(), at(60));
}

#[test]
fn a_number_that_is_used_again_does_not_end_with_the_order_before() {
    let till = |millis| NewOrder {
        good_till: Some(at(millis)),
        ..ask(1, 20)
    };
    let mut book = book_of([till(50)]);
    book.cancel(OrderNumber(1)).unwrap();
    submit(&mut book, till(90)).0.unwrap();
    book.advance(at(50), |order| panic!("{order:?}"));
    assert_eq!(book.len(), 1);
}

#[test]
fn ends_of_orders_that_are_gone_do_not_pile_up() {
    let mut book = LimitBook::new(4);
    let mut room = None;
    for round in 0..1_000 {
        let till = NewOrder {
            good_till: Some(at(1_000_000 + round)),
            ..ask(0, 20)
        };
        submit(&mut book, till).0.unwrap();
        book.cancel(OrderNumber(0)).unwrap();
        let held = *room.get_or_insert(book.allocated_bytes());
        assert_eq!(book.allocated_bytes(), held, "round {round}");
    }
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let mut book = book_of([ask(1, 20), bid(2, 10)]);
    let none = NewOrder {
        quantity: 0,
        ..ask(3, 20)
    };
    let capacity = 64;
    let number = |number| Refusal::Number {
        number: OrderNumber(number),
        capacity,
    };
    let same_place = NewOrder {
        priority: Priority(1),
        ..ask(3, 20)
    };
    let before = book.clone();
    let (free, most) = (price(0), price(u64::MAX));
    for (order, refusal) in [
        (none, Refusal::NoQuantity),
        (ask(3, 0), Refusal::Price { price: free }),
        (bid(3, u64::MAX), Refusal::Price { price: most }),
        (ask(1, 25), number(1)),
        (ask(64, 25), number(64)),
        (same_place, Refusal::PriorityTaken),
    ] {
        assert_eq!(submit(&mut book, order), (Err(refusal), vec![]));
        assert!(
            book.orders(Direction::Sell)
                .eq(before.orders(Direction::Sell))
        );
    }
    assert_eq!(book.cancel(OrderNumber(63)), Err(Refusal::Unknown));
}

#[test]
fn levels_stack_what_stands_at_one_price() {
    let book = book_of([ask(1, 30), ask(2, 20), ask(3, 30), bid(4, 9), bid(5, 11)]);
    let level = |nanocredits, quantity, orders| PriceLevel {
        price: price(nanocredits),
        quantity,
        orders,
    };
    let levels = |direction| book.levels(direction).collect::<Vec<_>>();
    assert_eq!(
        levels(Direction::Sell),
        [level(20, 10, 1), level(30, 20, 2)]
    );
    assert_eq!(levels(Direction::Buy), [level(11, 10, 1), level(9, 10, 1)]);
}

#[test]
fn the_priority_of_a_register_is_the_head_of_its_draw() {
    let header = HeaderId::from_bytes([7; 32]);
    let register = Register {
        node: market::NodeId::from_bytes([1; 32]),
        slot: market::order::Slot::new(3).unwrap(),
    };
    let draw = crate::quote::draw(&header, &register);
    let head = u64::from_be_bytes(*draw.first_chunk().unwrap());
    assert_eq!(priority(&header, &register), Priority(head));
}

#[test]
fn the_same_calls_give_the_same_fills_and_the_same_book() {
    let run = || {
        let mut book = LimitBook::new(64);
        let mut told = Vec::new();
        for step in 0..400_u32 {
            let nanocredits = 20 + u64::from(step * 7 % 13);
            let mut new = match step % 3 {
                0 => bid(step % 61, nanocredits),
                _ => ask(step % 61, nanocredits + 4),
            };
            new.quantity = 1 + step % 5;
            new.priority = Priority(u64::from(step).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            new.good_till = Some(at(u64::from(step) + 90));
            told.push(submit(&mut book, new));
            book.advance(at(step.into()), |_| ());
        }
        let left: Vec<_> = book
            .orders(Direction::Buy)
            .chain(book.orders(Direction::Sell))
            .collect();
        (told, left)
    };
    let (told, left) = run();
    assert!(told.iter().any(|(_, events)| !events.is_empty()) && !left.is_empty());
    assert_eq!(run(), (told, left));
}
