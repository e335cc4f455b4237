//! Orders of a replica as they meet: the same on every replica, never crossed afterwards.

use market::order::{Ask, Bid, OrderBody};
use market::{Amount, NodeId};
use proptest::prelude::*;

use super::*;
use crate::fixture::*;

fn priced(account: u8, nanocredits: u64, gpus: u16) -> OrderBody {
    OrderBody::Ask(Ask {
        account: AccountId::from_bytes([account; 32]),
        price: price(nanocredits),
        gpus,
        ..ask()
    })
}

fn wanted(account: u8, nanocredits: u64, gpus: u16) -> OrderBody {
    OrderBody::Bid(Bid {
        account: AccountId::from_bytes([account; 32]),
        class: ask().class,
        max_price: price(nanocredits),
        gpus,
        duration_s: 60,
        usable_mib: 0,
        attributes: ask().attributes,
        sandbox_level: 1,
        budget: Amount::from_nanocredits(9),
        balance_height: 1,
    })
}

fn book_with(bodies: impl IntoIterator<Item = (u8, OrderBody)>) -> Book {
    let mut book = open_book();
    for (maker, body) in bodies {
        book.apply(posted(&order(0, body), maker), at(0)).unwrap();
    }
    book
}

fn instrument(book: &Book) -> Instrument {
    Instrument::of(book, ask().class, &HEADER, at(0))
}

fn of(instrument: &Instrument) -> Vec<(NodeId, NodeId, u64, u32)> {
    let meetings = instrument.meetings().iter();
    meetings
        .map(|met| {
            (
                met.ask.node,
                met.bid.node,
                met.price.0.nanocredits(),
                met.gpus,
            )
        })
        .collect()
}

#[test]
fn the_dearest_bid_takes_the_cheapest_ask_at_the_asks_price() {
    let book = book_with([
        (1, priced(1, 30, 2)),
        (2, priced(2, 20, 1)),
        (3, wanted(3, 25, 1)),
        (4, wanted(4, 35, 2)),
    ]);
    let met = instrument(&book);
    assert_eq!(
        of(&met),
        [(node(2), node(4), 20, 1), (node(1), node(4), 30, 1)]
    );
    assert_eq!(met.best(Direction::Sell), Some(price(30)));
    assert_eq!(met.best(Direction::Buy), Some(price(25)));
    let left: Vec<_> = met
        .levels(Direction::Sell)
        .map(|level| level.quantity)
        .collect();
    assert_eq!(left, [1]);
}

#[test]
fn an_account_never_meets_itself() {
    let book = book_with([(1, priced(7, 20, 1)), (2, wanted(7, 25, 1))]);
    let met = instrument(&book);
    assert_eq!(of(&met), []);
    assert_eq!(met.best(Direction::Sell), Some(price(20)));
    assert_eq!(met.best(Direction::Buy), None);
}

fn any_body() -> impl Strategy<Value = OrderBody> {
    (any::<bool>(), 1_u8..6, 1_u64..12, 1_u16..4).prop_map(|(sells, account, price, gpus)| {
        match sells {
            true => priced(account, price, gpus),
            false => wanted(account, price, gpus),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn replicas_with_the_same_orders_see_the_same_meeting(
        (one, other) in prop::collection::vec(any_body(), 0..30)
            .prop_map(|bodies| (1_u8..).zip(bodies).collect::<Vec<_>>())
            .prop_flat_map(|bodies| (Just(bodies.clone()), Just(bodies).prop_shuffle())),
    ) {
        let (left, right) = (instrument(&book_with(one.clone())), instrument(&book_with(other)));
        prop_assert_eq!(left.meetings(), right.meetings());
        for direction in [Direction::Buy, Direction::Sell] {
            prop_assert!(left.levels(direction).eq(right.levels(direction)));
        }
        if let (Some(bid), Some(ask)) = (left.best(Direction::Buy), left.best(Direction::Sell)) {
            prop_assert!(bid < ask);
        }
        // Every ask's GPUs have either met somebody or are left.
        let offered: u64 = one.iter().map(|(_, body)| match body {
            OrderBody::Ask(ask) => u64::from(ask.gpus),
            _ => 0,
        }).sum();
        let met: u64 = left.meetings().iter().map(|met| u64::from(met.gpus)).sum();
        let rest: u64 = left.levels(Direction::Sell).map(|level| level.quantity).sum();
        prop_assert_eq!(met + rest, offered);
    }
}
