//! The book: registers converge whatever the order of arrival, and what stands follows from time alone.

use std::time::Duration;

use market::order::{Bid, Order, Slot};
use market::{AccountId, Amount};
use proptest::prelude::*;
use proptest::sample::{Index, subsequence};

use super::*;
use crate::fixture::*;

fn slot(number: u8) -> Slot {
    Slot::new(number).unwrap()
}

fn an_ask(after_start_ms: u64) -> Order {
    order(after_start_ms, OrderBody::Ask(ask()))
}

fn an_empty(after_start_ms: u64) -> Order {
    order(after_start_ms, OrderBody::Empty)
}

fn count_asks(book: &Book, after_start_ms: u64) -> usize {
    book.asks(at(after_start_ms)).count()
}

#[test]
fn a_cancelled_order_stays_cancelled_when_the_old_one_comes_again() {
    let mut book = open_book();
    let register = Register {
        node: node(1),
        slot: slot(0),
    };
    let ask = posted(&an_ask(0), 1);
    book.apply(ask.clone(), at(0)).unwrap();
    assert_eq!(count_asks(&book, 0), 1);
    let cancelled = book.apply(posted(&an_empty(5), 1), at(10));
    assert_eq!(cancelled, Ok(Change::Cancelled { register }));
    assert_eq!(book.apply(ask, at(10)), Err(Refused::Superseded));
    assert_eq!(count_asks(&book, 10), 0);
}

#[test]
fn books_are_equal_only_with_the_same_orders_and_beacons() {
    let book_with = |messages: &[Message]| {
        let mut book = open_book();
        for message in messages {
            // What comes twice is superseded.
            let _ = book.apply(message.clone(), at(10));
        }
        book
    };
    let (ask, empty, beacon) = (
        posted(&an_ask(0), 1),
        posted(&an_empty(5), 1),
        heard(&beacon(0, 1), 1),
    );
    let one = book_with(std::slice::from_ref(&ask));
    assert_eq!(one, book_with(&[ask.clone(), ask.clone()]));
    assert_ne!(one, book_with(std::slice::from_ref(&empty)));
    assert_ne!(one, book_with(&[ask, beacon]));
    assert_eq!(one.newest_sequence(&node(1)), Some(an_ask(0).sequence));
    assert_eq!(one.newest_sequence(&node(2)), None);
}

#[test]
fn a_cancellation_that_comes_before_its_order_wins_even_past_its_own_expiry() {
    let mut book = open_book();
    let mut empty = an_empty(5);
    empty.expires_at = at(6);
    book.apply(posted(&empty, 1), at(10)).unwrap();
    book.expire(at(1_000_000));
    let late = book.apply(posted(&an_ask(0), 1), at(1_000_000));
    assert_eq!(late, Err(Refused::Superseded));
}

#[test]
fn nobody_writes_a_register_of_another_node() {
    let mut book = open_book();
    book.apply(posted(&an_ask(0), 1), at(0)).unwrap();
    book.apply(posted(&an_empty(9), 2), at(10)).unwrap();
    let nodes: Vec<_> = book
        .asks(at(10))
        .map(|listed| listed.register.node)
        .collect();
    assert_eq!(nodes, [node(1)]);
}

#[test]
fn an_order_without_a_beacon_falls_out_after_150_seconds() {
    let mut book = open_book();
    book.apply(posted(&an_ask(0), 1), at(0)).unwrap();
    assert_eq!(count_asks(&book, 149_999), 1);
    assert_eq!(count_asks(&book, 150_000), 0);
    book.apply(heard(&beacon(160_000, 1), 1), at(160_000))
        .unwrap();
    assert_eq!(
        count_asks(&book, 160_001),
        1,
        "a beacon brings it back unchanged"
    );
    assert_eq!(count_asks(&book, 310_000), 0);
}

#[test]
fn a_beacon_never_carries_an_order_past_its_expiry() {
    let mut book = open_book();
    book.apply(posted(&an_ask(0), 1), at(0)).unwrap();
    book.apply(heard(&beacon(3_590_000, 1), 1), at(3_590_000))
        .unwrap();
    assert_eq!(count_asks(&book, 3_599_999), 1);
    assert_eq!(count_asks(&book, 3_600_000), 0);
}

#[test]
fn a_node_that_pauses_leaves_the_book_and_comes_back_with_two_beacons() {
    let mut book = open_book();
    book.apply(posted(&an_ask(0), 1), at(0)).unwrap();
    book.apply(heard(&beacon(1_000, 0), 1), at(1_000)).unwrap();
    assert_eq!(count_asks(&book, 1_000), 0);
    book.apply(heard(&beacon(2_000, 1), 1), at(2_000)).unwrap();
    assert_eq!(count_asks(&book, 2_000), 1);
    let old = book.apply(heard(&beacon(1_000, 0), 1), at(2_000));
    assert_eq!(old, Err(Refused::Superseded));
}

#[test]
fn an_order_newer_than_the_beacon_does_not_wait_for_the_next_one() {
    let mut book = open_book();
    book.apply(heard(&beacon(0, 0), 1), at(0)).unwrap();
    book.apply(posted(&an_ask(1_000), 1), at(1_000)).unwrap();
    assert_eq!(count_asks(&book, 1_000), 1);
}

#[test]
fn a_beacon_of_the_same_millisecond_decides_over_the_order() {
    let mut book = open_book();
    book.apply(posted(&an_ask(0), 1), at(0)).unwrap();
    book.apply(heard(&beacon(0, 0), 1), at(0)).unwrap();
    assert_eq!(count_asks(&book, 0), 0);
}

#[test]
fn memory_is_freed_at_the_horizon_and_not_before() {
    let mut book = open_book();
    book.apply(posted(&an_ask(0), 1), at(0)).unwrap();
    book.apply(heard(&beacon(0, 1), 1), at(0)).unwrap();
    let day = 24 * 3_600_000;
    assert_eq!(book.expire(at(day - 1)), 0);
    assert_eq!(book.registers(), 1);
    assert_eq!(book.expire(at(day)), 1);
    assert_eq!(book, open_book());
}

#[test]
fn what_came_first_stays_when_the_book_is_full() {
    let capacity = Capacity {
        makers: 2,
        orders: 3,
    };
    let mut book = Book::new(Posting::Open, capacity);
    let place = |book: &mut Book, maker: u8, number: u8| {
        let mut order = an_ask(u64::from(number));
        order.slot = slot(number);
        book.apply(posted(&order, maker), at(1_000))
    };
    for (maker, number) in [(1, 0), (1, 1), (2, 0)] {
        place(&mut book, maker, number).unwrap();
    }
    let full = Err(Refused::Full { capacity });
    assert_eq!(place(&mut book, 2, 1), full, "no register left");
    assert_eq!(place(&mut book, 3, 0), full, "no maker left");
    assert_eq!(book.apply(heard(&beacon(0, 1), 3), at(0)), full);
    let replaced = book.apply(posted(&an_ask(500), 1), at(1_000));
    assert!(replaced.is_ok(), "replacing takes no room: {replaced:?}");
    assert_eq!(book.registers(), 3);
}

#[test]
fn a_certified_market_takes_orders_only_under_a_certificate_in_force() {
    let mut book = Book::new(Posting::Certified, Capacity::default());
    let certificate = certificate(1, at(60_000));
    let refused = Err(Refused::NotCertified { node: node(1) });
    assert_eq!(book.apply(posted(&an_ask(0), 1), at(0)), refused);
    assert!(book.certify(certificate.clone(), at(0)));
    assert!(book.apply(posted(&an_ask(0), 1), at(0)).is_ok());
    assert_eq!(book.apply(posted(&an_ask(60_000), 1), at(60_000)), refused);
    assert!(!book.certify(certificate, at(60_000)), "it has ended");
}

fn certificate(maker: u8, expires_at: Timestamp) -> ListingCertificate {
    ListingCertificate {
        id: BlobHash::from_bytes([8; 32]),
        node: node(maker),
        class: ask().class,
        gpus: 1,
        figures: ask().figures,
        expires_at,
    }
}

#[test]
fn an_ask_is_proven_only_by_its_own_certificate_and_only_as_far_as_that_goes() {
    let mut book = open_book();
    let certificate = certificate(1, at(60_000));
    let mut proven = ask();
    proven.evidence = Evidence::Certificate(certificate.id);
    assert_eq!(
        book.standing(node(1), &proven, at(0)),
        Standing::Unproven,
        "a name alone proves nothing"
    );
    book.certify(certificate, at(0));
    assert_eq!(book.standing(node(1), &proven, at(0)), Standing::Proven);
    assert_eq!(book.standing(node(2), &proven, at(0)), Standing::Unproven);
    assert_eq!(
        book.standing(node(1), &proven, at(60_000)),
        Standing::Unproven
    );
    assert_eq!(book.standing(node(1), &ask(), at(0)), Standing::Unproven);
    let claims: [fn(&mut Ask); 3] = [
        |ask| ask.class = class("1.4T-8G"),
        |ask| ask.gpus = 2,
        |ask| ask.figures.usable_mib += 1,
    ];
    for claim in claims {
        let mut more = proven.clone();
        claim(&mut more);
        assert_eq!(book.standing(node(1), &more, at(0)), Standing::Unproven);
    }
}

#[test]
fn a_class_at_a_glance_has_its_best_prices_and_how_much_stands() {
    let priced = |nanocredits, gpus| Ask {
        price: price(nanocredits),
        gpus,
        ..ask()
    };
    let other_class = Ask {
        class: class("2T-8G"),
        price: price(1),
        ..ask()
    };
    let mut book = book_of([priced(300, 1), priced(200, 2), priced(300, 4), other_class]);
    let bid = Bid {
        account: AccountId::from_bytes([78; 32]),
        class: ask().class,
        max_price: price(150),
        gpus: 1,
        duration_s: 60,
        usable_mib: 0,
        attributes: ask().attributes,
        sandbox_level: 1,
        budget: Amount::from_nanocredits(9),
        balance_height: 1,
    };
    for (maker, nanocredits) in [(8, 150), (9, 180)] {
        let mut bid = bid.clone();
        bid.max_price = price(nanocredits);
        let order = order(0, OrderBody::Bid(bid));
        book.apply(posted(&order, maker), at(0)).unwrap();
    }
    let cheapest = book.rows(ask().class, at(0)).next().unwrap();
    let listed = book.ask_of(cheapest, at(0)).unwrap();
    assert_eq!(listed.ask.price, price(200));
    assert_eq!(book.find_ask(listed.order, at(0)), Some(listed));
    let classes = book.classes(at(0));
    assert_eq!(
        classes[&ask().class],
        ClassSummary {
            best_ask: Some(price(200)),
            best_bid: Some(price(180)),
            asks: 3,
            bids: 2,
            gpus: 7,
        }
    );
    assert_eq!(classes[&class("2T-8G")].best_bid, None);
}

#[test]
fn mid_and_spread_need_both_sides_and_a_spread_a_book_that_is_not_crossed() {
    let of = |bid: Option<u64>, ask: Option<u64>| {
        let summary = ClassSummary {
            best_bid: bid.map(price),
            best_ask: ask.map(price),
            ..ClassSummary::default()
        };
        (summary.mid(), summary.spread())
    };
    assert_eq!(
        of(Some(180), Some(205)),
        (Some(price(192)), Some(price(25)))
    );
    assert_eq!(of(Some(200), Some(200)), (Some(price(200)), Some(price(0))));
    assert_eq!(of(Some(205), Some(180)), (Some(price(192)), None));
    assert_eq!(of(None, Some(180)), (None, None));
    assert_eq!(of(Some(180), None), (None, None));
    assert_eq!(of(Some(u64::MAX), Some(u64::MAX)).0, Some(price(u64::MAX)));
}

#[test]
fn a_late_joiner_gets_the_same_book_from_any_replica() {
    let mut book = book_of([ask(), ask(), ask()]);
    book.apply(heard(&beacon(10, 1), 2), at(10)).unwrap();
    book.apply(posted(&an_empty(20), 3), at(20)).unwrap();
    let mut joiner = open_book();
    for message in book.messages(at(30)) {
        joiner.apply(recheck(message), at(30)).unwrap();
    }
    assert_eq!(joiner, book);
    assert_eq!(joiner.digest(at(30)), book.digest(at(30)));
    assert_ne!(joiner.digest(at(30)), open_book().digest(at(30)));
}

/// A message of one of three makers in one of two slots, posted within four minutes.
fn any_message() -> impl Strategy<Value = Message> {
    let times = (12u64..20, 1u64..10, 1u8..4);
    (times, 0u8..2, 0u8..4, any::<Index>()).prop_map(
        |((tick, life, maker), slot, kind, price_of)| {
            let after_start_ms = tick * 30_000;
            let body = match kind {
                0 => OrderBody::Empty,
                1 => {
                    return heard(&beacon(after_start_ms, price_of.index(4) as u64), maker);
                }
                _ => OrderBody::Ask(Ask {
                    price: price(1 + price_of.index(5) as u64),
                    ..ask()
                }),
            };
            let mut order = order(after_start_ms, body);
            order.slot = Slot::new(slot).unwrap();
            order.expires_at = at(after_start_ms + life * 60_000);
            posted(&order, maker)
        },
    )
}

/// The same messages twice in two orders, each time with some of them doubled.
fn shuffled_twice() -> impl Strategy<Value = (Vec<Message>, Vec<Message>)> {
    prop::collection::vec(any_message(), 1..24).prop_flat_map(|messages| {
        let count = messages.len();
        let once = Just(messages.clone()).prop_shuffle();
        let doubled = subsequence(messages.clone(), 0..=count).prop_map(move |again| {
            let mut all = messages.clone();
            all.extend(again);
            all
        });
        (once, doubled.prop_shuffle())
    })
}

/// The naive oracle: of all messages, the winner of each register, then what its node's beacon allows.
fn oracle(messages: &[Message], now: Timestamp) -> Vec<(Register, OrderId)> {
    let mut winners = BTreeMap::new();
    for message in messages {
        let Message::Order(order) = message else {
            continue;
        };
        let register = Register {
            node: order.node(),
            slot: order.value().slot,
        };
        let rank = (order.value().sequence, *order.id());
        let winner = winners.entry(register).or_insert((rank, order.value()));
        if winner.0 < rank {
            *winner = (rank, order.value());
        }
    }
    let beacons = messages.iter().filter_map(|message| match message {
        Message::Beacon(beacon) => Some(beacon),
        Message::Order(_) => None,
    });
    let beacons: Vec<_> = beacons.collect();
    let stands = |register: &Register, order: &Order| {
        let own = beacons
            .iter()
            .filter(|beacon| beacon.node() == register.node);
        let newest = own.max_by_key(|beacon| (beacon.value().sequence, *beacon.id()));
        let newest = newest.map(|beacon| beacon.value());
        let alive_until = match newest.filter(|beacon| beacon.sequence >= order.sequence) {
            Some(beacon) if beacon.live_slots >> register.slot.number() & 1 == 0 => return false,
            Some(beacon) => beacon.sequence,
            None => order.sequence,
        };
        let silence = now.saturating_since(alive_until.time());
        silence < Duration::from_secs(150) && now < order.expires_at
    };
    winners
        .into_iter()
        .filter(|(register, (_, order))| {
            matches!(order.body, OrderBody::Ask(_)) && stands(register, order)
        })
        .map(|(register, (rank, _))| (register, OrderId::from_bytes(rank.1)))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_order_and_doubling_of_the_same_messages_gives_the_same_book(
        (one, other) in shuffled_twice(),
        ask_ms in 0u64..300_000,
        step_ms in 0u64..60_000,
    ) {
        let posted_by = at(600_000);
        let fill = |messages: &[Message], expire_every: usize| {
            let mut book = open_book();
            for (number, message) in messages.iter().enumerate() {
                let _ = book.apply(message.clone(), posted_by);
                if number % expire_every == 0 {
                    book.expire(posted_by);
                }
            }
            book
        };
        let (left, right) = (fill(&one, 1), fill(&other, 3));
        prop_assert_eq!(&left, &right);
        let now = at(600_000 + ask_ms);
        prop_assert_eq!(left.digest(now), right.digest(now));
        let standing: Vec<_> = left
            .asks(now)
            .map(|listed| (listed.register, listed.order))
            .collect();
        prop_assert_eq!(standing, oracle(&one, now));
        // A replica that hears everything late, and frees memory meanwhile, ends with the same.
        let mut slow = open_book();
        let mut clock_ms = 600_000;
        for message in &other {
            let _ = slow.apply(message.clone(), at(clock_ms));
            slow.expire(at(clock_ms));
            clock_ms += step_ms;
        }
        let late = at(clock_ms);
        prop_assert_eq!(slow.digest(late), left.digest(late));
        let standing: Vec<_> = slow
            .asks(late)
            .map(|listed| (listed.register, listed.order))
            .collect();
        prop_assert_eq!(standing, oracle(&one, late));
        // Freeing memory never changes what stands.
        let mut freed = left.clone();
        freed.expire(now);
        let kept: Vec<_> = freed.asks(now).collect();
        prop_assert_eq!(kept, left.asks(now).collect::<Vec<_>>());
    }
}
