//! How an ask stands among others: by hand, and against counting one by one.

use market::order::{Bid, OrderBody, Slot};
use proptest::prelude::*;

use super::*;
use crate::book::ListingCertificate;
use crate::crossing::tests::bid;
use crate::fixture::{ask, at, class, node, open_book, order, posted, price};

const CREDIT: u64 = 1_000_000_000;

fn own_register() -> Register {
    Register {
        node: node(200),
        slot: Slot::new(0).unwrap(),
    }
}

/// An ask of another account.
fn rival(nanocredits: u64) -> Ask {
    Ask {
        account: AccountId::from_bytes([78; 32]),
        price: price(nanocredits),
        ..ask()
    }
}

fn own(nanocredits: u64) -> Ask {
    Ask {
        price: price(nanocredits),
        ..ask()
    }
}

fn book_of(asks: &[Ask], bids: &[Bid]) -> Book {
    let asks = asks.iter().cloned().map(OrderBody::Ask);
    let bodies = asks.chain(bids.iter().cloned().map(OrderBody::Bid));
    let mut book = open_book();
    for (maker, body) in (1..).zip(bodies) {
        book.apply(posted(&order(0, body), maker), at(0)).unwrap();
    }
    book
}

fn place(book: &Book, ask: &Ask) -> Position {
    let register = own_register();
    position(book, OwnAsk { register, ask }, at(1))
}

fn best(book: &Book, ask: &Ask) -> Touch {
    let register = own_register();
    touch(book, OwnAsk { register, ask }, at(1))
}

/// Gives the makers with these numbers certificates that prove what the fixture's ask claims.
fn certify(book: &mut Book, makers: impl IntoIterator<Item = u8>) {
    for maker in makers {
        let certificate = ListingCertificate {
            id: market::BlobHash::from_bytes([4; 32]),
            node: node(maker),
            class: class("1T-8G"),
            gpus: 1,
            figures: ask().figures,
            expires_at: at(10_000_000),
        };
        assert!(book.certify(certificate, at(0)));
    }
}

fn with_certificate(ask: Ask) -> Ask {
    Ask {
        evidence: market::order::Evidence::Certificate(market::BlobHash::from_bytes([4; 32])),
        ..ask
    }
}

#[test]
fn an_owner_reads_how_many_are_cheaper_and_at_which_price_it_would_be_next() {
    let book = book_of(
        &[
            rival(22 * CREDIT / 100),
            rival(24 * CREDIT / 100),
            rival(CREDIT),
        ],
        &[],
    );
    let place = place(&book, &own(25 * CREDIT / 100));
    assert_eq!((place.rank(), place.cheaper, place.rivals), (3, 2, 3));
    let floor = price(CREDIT / 10);
    assert_eq!(
        place.why_not_filled(floor),
        "not filled: 2 cheaper offers in 1T-8G; at 0.219 cr/h you would be next"
    );
    let floor = price(219 * CREDIT / 1_000);
    assert!(
        place.why_not_filled(floor).ends_with("you would be next"),
        "the floor itself may be asked"
    );
    let floor = price(23 * CREDIT / 100);
    assert_eq!(
        place.why_not_filled(floor),
        "not filled: 2 cheaper offers in 1T-8G; at 0.219 cr/h you would be next, and your floor is 0.23 cr/h"
    );
}

#[test]
fn the_cheapest_is_next_and_needs_no_other_price() {
    let book = book_of(&[rival(CREDIT)], &[]);
    let place = place(&book, &own(CREDIT / 2));
    assert_eq!((place.rank(), place.next_at), (1, None));
    let why = place.why_not_filled(price(0));
    assert_eq!(why, "next in line: no other offer in 1T-8G is cheaper");
}

#[test]
fn equals_are_drawn_and_better_classes_stand_in() {
    let better = Ask {
        class: class("1.4T-10G"),
        ..rival(CREDIT)
    };
    let worse = Ask {
        class: class("0.7T-8G"),
        ..rival(1)
    };
    let book = book_of(&[better, worse], &[]);
    let place = place(&book, &own(CREDIT));
    assert_eq!((place.rivals, place.cheaper, place.level), (1, 0, 1));
    let why = place.why_not_filled(price(0));
    assert!(
        why.contains("a draw decides between this and 1 offer"),
        "{why}"
    );
    assert!(why.contains("at 0.99 cr/h you would be next"), "{why}");
}

#[test]
fn an_unproven_ask_stands_behind_proven_ones_whatever_they_cost() {
    let proven = with_certificate(rival(3 * CREDIT));
    let mut book = book_of(&[proven.clone(), proven, rival(CREDIT / 2)], &[]);
    certify(&mut book, [1, 2]);
    let place = place(&book, &own(CREDIT));
    assert_eq!(place.standing, Standing::Unproven);
    assert_eq!(
        (place.proven_before, place.cheaper, place.rank()),
        (2, 1, 4)
    );
    let why = place.why_not_filled(price(0));
    assert!(
        why.contains("2 proven offers first whatever the price"),
        "{why}"
    );
    assert!(
        why.contains("at 0.499 cr/h you would be next behind these"),
        "{why}"
    );
}

#[test]
fn a_proven_ask_minds_only_proven_ones() {
    let mut book = book_of(&[rival(1), with_certificate(rival(2 * CREDIT))], &[]);
    certify(&mut book, [2, 200]);
    let own = with_certificate(own(CREDIT));
    let place = place(&book, &own);
    assert_eq!(place.standing, Standing::Proven);
    assert_eq!((place.rank(), place.rivals, place.next_at), (1, 2, None));
    assert_eq!(best(&book, &own).best_ask, Some(price(2 * CREDIT)));
}

#[test]
fn bids_that_it_would_serve_at_another_price_are_told_with_what_is_in_the_way() {
    let unserved = Bid {
        gpus: 2,
        ..bid(24 * CREDIT / 100)
    };
    let book = book_of(&[], &[bid(21 * CREDIT / 100), bid(CREDIT / 10), unserved]);
    let place = place(&book, &own(30 * CREDIT / 100));
    assert_eq!(place.waiting_bids, 2);
    let why = place.why_not_filled(price(25 * CREDIT / 100));
    assert!(
        why.ends_with("2 bids up to 0.21 cr/h wait: your floor is 0.25 cr/h"),
        "{why}"
    );
    for floor in [CREDIT / 100, 21 * CREDIT / 100] {
        let why = place.why_not_filled(price(floor));
        assert!(why.ends_with("wait: your price is 0.3 cr/h"), "{why}");
    }
    let one = book_of(&[], &[bid(21 * CREDIT / 100)]);
    let why = self::place(&one, &own(30 * CREDIT / 100)).why_not_filled(price(25 * CREDIT / 100));
    assert!(
        why.ends_with("a bid at 0.21 cr/h waits: your floor is 0.25 cr/h"),
        "{why}"
    );
}

#[test]
fn orders_of_the_same_account_never_count() {
    let mut own_bid = bid(9);
    own_bid.account = ask().account;
    let book = book_of(&[own(1)], &[own_bid]);
    let place = place(&book, &own(CREDIT));
    assert_eq!((place.rivals, place.waiting_bids), (0, 0));
    assert_eq!(best(&book, &own(CREDIT)), Touch::default());
}

#[test]
fn the_mid_lies_half_way_and_needs_both_sides() {
    let prices = |ask: Option<u64>, bid: Option<u64>| Touch {
        best_ask: ask.map(price),
        best_bid: bid.map(price),
    };
    assert_eq!(prices(Some(9), Some(4)).mid(), Some(price(6)));
    assert_eq!(
        prices(Some(u64::MAX), Some(u64::MAX)).mid(),
        Some(price(u64::MAX))
    );
    assert_eq!(prices(None, Some(4)).mid(), None);
    assert_eq!(prices(Some(9), None).mid(), None);
}

#[test]
fn nothing_is_below_the_smallest_price() {
    assert_eq!(just_below(price(1)), None);
    assert_eq!(just_below(price(2)), Some(price(1)));
}

proptest! {
    #[test]
    fn a_price_just_below_is_lower_by_at_most_a_fiftieth(nanocredits in 1_000_u64..) {
        let below = just_below(price(nanocredits)).unwrap().0.nanocredits();
        prop_assert!(below < nanocredits);
        prop_assert!(nanocredits - below <= nanocredits / 50);
    }

    #[test]
    fn at_the_price_it_is_told_an_ask_is_next(
        asked in 1_u64..2_000,
        rivals in proptest::collection::vec(1_u64..2_000, 0..12),
    ) {
        let asks: Vec<Ask> = rivals.iter().map(|price| rival(*price)).collect();
        let book = book_of(&asks, &[]);
        let before = place(&book, &own(asked));
        let cheaper = rivals.iter().filter(|price| **price < asked).count();
        prop_assert_eq!(usize::try_from(before.cheaper).unwrap(), cheaper);
        if let Some(next_at) = before.next_at {
            let after = place(&book, &own(next_at.0.nanocredits()));
            prop_assert_eq!((after.rank(), after.level, after.next_at), (1, 0, None));
            prop_assert!(next_at.0.nanocredits() > 0);
        }
    }
}
