//! Which bids an ask may be offered to: each requirement by itself, and the order.

use market::order::{Attributes, Bid, OrderBody};
use market::{AccountId, Amount};

use super::*;
use crate::fixture::{HEADER, ask, at, class, node, open_book, order, posted, price};

/// A bid that the fixture's ask serves.
pub(crate) fn bid(max_price: u64) -> Bid {
    Bid {
        account: AccountId::from_bytes([88; 32]),
        class: class("1T-8G"),
        max_price: price(max_price),
        gpus: 1,
        duration_s: 3_600,
        usable_mib: 8 * 1_024,
        attributes: Attributes::TRAIN,
        sandbox_level: 1,
        budget: Amount::from_nanocredits(1_000_000_000),
        balance_height: 7,
    }
}

fn register() -> Register {
    Register {
        node: node(200),
        slot: market::order::Slot::new(0).unwrap(),
    }
}

fn book_of_bids(bids: impl IntoIterator<Item = Bid>) -> Book {
    let mut book = open_book();
    for (maker, bid) in (1..).zip(bids) {
        let order = order(0, OrderBody::Bid(bid));
        book.apply(posted(&order, maker), at(0)).unwrap();
    }
    book
}

fn found(book: &Book, least: u64) -> Vec<Crossable> {
    let ask = ask();
    let own = OwnAsk {
        register: register(),
        ask: &ask,
    };
    crossable(book, own, price(least), &HEADER, at(1))
}

#[test]
fn each_requirement_of_a_bid_must_be_met() {
    let ask = ask();
    assert!(serves(&ask, &bid(1)));
    let changes: [fn(&mut Bid); 7] = [
        |bid| bid.class = class("1.4T-8G"),
        |bid| bid.class = class("cpu-1T-8G"),
        |bid| bid.usable_mib += 1,
        |bid| bid.gpus = 2,
        |bid| bid.duration_s += 1,
        |bid| bid.attributes = Attributes::ON_DEMAND,
        |bid| bid.sandbox_level = 2,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut wanted = bid(1);
        change(&mut wanted);
        assert!(!serves(&ask, &wanted), "requirement {number}");
    }
    let mut less = bid(1);
    less.class = class("0.5T-4G");
    assert!(serves(&ask, &less), "a better card does as well");
}

#[test]
fn the_dearest_bid_goes_first_and_equals_are_drawn() {
    let book = book_of_bids([bid(5), bid(9), bid(7), bid(7), bid(4)]);
    let bids = found(&book, 5);
    let prices: Vec<u64> = bids.iter().map(|b| b.max_price.0.nanocredits()).collect();
    assert_eq!(prices, [9, 7, 7, 5]);
    assert!(draw(&HEADER, &bids[1].register) < draw(&HEADER, &bids[2].register));
    assert_eq!(found(&book, 10), []);
}

#[test]
fn bids_of_the_same_account_or_node_are_left_out() {
    let mut own = bid(9);
    own.account = ask().account;
    assert_eq!(found(&book_of_bids([own]), 1), []);
    let mut book = open_book();
    let order = order(0, OrderBody::Bid(bid(9)));
    book.apply(posted(&order, 200), at(0)).unwrap();
    assert_eq!(found(&book, 1), []);
}

#[test]
fn one_look_returns_a_bounded_number() {
    let book = book_of_bids((0..100).map(|number| bid(1_000 + number)));
    let bids = found(&book, 1);
    assert_eq!(bids.len(), MAX_CROSSABLE);
    assert_eq!(bids[0].max_price, price(1_099));
}
