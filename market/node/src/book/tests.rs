//! Bulletins, pages and own orders; and books of real swarms that catch up with each other.

mod fixture;
mod swarms;

use std::collections::BTreeSet;
use std::time::Duration;

use market::order::{BookMessage, Bulletin, OrderBody};
use market::{ChainId, Timestamp};

use super::gossip;
use super::own::OwnOrders;
use super::protocol::{BookPage, BookRequest, BookResponse, MAX_PAGE_MESSAGES, MAX_RESPONSE_BYTES};
use super::rate::Allowances;
use crate::network::Judgement;
use crate::network::fixture::chain;
use fixture::{START, ask, at, key, open_book, slot, wide_slots};

fn own(seed: u16) -> OwnOrders {
    OwnOrders::new(key(seed), chain(), 60)
}

/// Signs an ask in a slot at a time.
fn order_message(own: &mut OwnOrders, number: u8, now: Timestamp) -> BookMessage {
    let order = own.draft(
        slot(number),
        OrderBody::Ask(ask()),
        Duration::from_secs(3600),
        now,
    );
    BookMessage::Order(own.seal(&order))
}

fn bulletin(messages: Vec<BookMessage>) -> Vec<u8> {
    Bulletin::new(messages).unwrap().encode()
}

#[test]
fn only_undecodable_oversized_and_badly_signed_bytes_are_the_senders_fault() {
    let good = bulletin(vec![order_message(&mut own(1), 0, START)]);
    assert!(gossip::read(&good, &chain()).is_some());
    assert!(gossip::read(b"garbage", &chain()).is_none());
    assert!(gossip::read(&vec![0; 60_000], &chain()).is_none());
    assert!(gossip::read(&good, &ChainId::from_bytes([1; 32])).is_none());
    for position in 0..good.len() {
        let mut bad = good.clone();
        bad[position] ^= 1;
        assert!(gossip::read(&bad, &chain()).is_none(), "byte {position}");
    }
}

#[test]
fn news_is_passed_on_once_and_old_news_is_ignored() {
    let (mut book, mut allowances) = (open_book(), Allowances::default());
    let data = bulletin(vec![order_message(&mut own(1), 0, START)]);
    let mut judge = |now| {
        let messages = gossip::read(&data, &chain()).unwrap();
        let outcome = gossip::apply(&mut book, &mut allowances, messages, now);
        (outcome.judgement, outcome.changes)
    };
    assert_eq!(judge(at(10)), (Judgement::Accept, 1));
    assert_eq!(judge(at(20)), (Judgement::Ignore, 0));
    // Posted too long ago: useless, but no fault of who passed it on.
    assert_eq!(judge(at(100_000_000)), (Judgement::Ignore, 0));
}

#[test]
fn an_overtaken_bulletin_is_passed_on_once_and_the_oldest_is_forgotten() {
    let mut overtaken = gossip::Overtaken::default();
    for number in 0..=u8::try_from(gossip::MAX_OVERTAKEN).unwrap() {
        overtaken.add(blake3::hash(&[number]));
    }
    assert!(!overtaken.take(&[0]));
    assert!(overtaken.take(&[1]));
    assert!(!overtaken.take(&[1]));
}

#[test]
fn a_node_that_comes_back_to_an_earlier_time_signs_above_what_it_signed_before() {
    let mut book = open_book();
    let before = order_message(&mut own(1), 0, at(5_000));
    let before = matching::check(before, &chain()).unwrap();
    book.apply(before, at(5_000)).unwrap();
    let mut again = own(1);
    again.catch_up(&book);
    let newer = order_message(&mut again, 0, START);
    let newer = matching::check(newer, &chain()).unwrap();
    book.apply(newer.clone(), START).unwrap();
    let (matching::Message::Order(newer), node) = (newer, key(1).node()) else {
        panic!("an order was signed");
    };
    assert_eq!(book.newest_sequence(&node), Some(newer.value().sequence));
}

#[test]
fn a_maker_over_its_rate_is_heard_but_not_passed_on() {
    let (mut book, mut allowances) = (open_book(), Allowances::default());
    let mut own = own(1);
    let mut post = |number| {
        let messages = vec![order_message(&mut own, number, START)];
        let messages = gossip::read(&bulletin(messages), &chain()).unwrap();
        gossip::apply(&mut book, &mut allowances, messages, START)
    };
    for number in 0..20 {
        assert_eq!(post(number).judgement, Judgement::Accept);
    }
    let outcome = post(20);
    assert_eq!((outcome.judgement, outcome.changes), (Judgement::Ignore, 1));
    assert_eq!(book.registers(), 21);
}

#[test]
fn pages_keep_a_nodes_messages_together_and_miss_none() {
    let mut book = open_book();
    for seed in 0..600 {
        let mut own = own(seed);
        for number in 0..4 {
            let message = order_message(&mut own, number, START);
            let message = matching::check(message, &chain()).unwrap();
            book.apply(message, START).unwrap();
        }
    }
    let mut after = None;
    let mut pages = 0;
    let mut seen = BTreeSet::new();
    loop {
        let page = BookPage::cut(book.messages(START), after);
        pages += 1;
        let response = BookResponse::Page(page.clone());
        assert!(market::wire::encode(&response).len() <= MAX_RESPONSE_BYTES);
        for message in &page.messages {
            assert!(seen.insert(market::wire::encode(message)), "twice");
        }
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    assert_eq!((pages, seen.len()), (2, 2_400));
    let first = BookPage::cut(book.messages(START), None);
    assert_eq!(first.messages.len(), MAX_PAGE_MESSAGES);
}

#[test]
fn the_largest_page_fits_into_an_answer_and_a_request_into_its_limit() {
    let mut book = open_book();
    for seed in 0..33 {
        let mut own = own(seed);
        for number in 0..64 {
            let message = order_message(&mut own, number, START);
            let message = matching::check(message, &chain()).unwrap();
            book.apply(message, START).unwrap();
        }
    }
    let page = BookPage::cut(book.messages(START), None);
    assert!(page.messages.len() >= MAX_PAGE_MESSAGES);
    let bytes = market::wire::encode(&BookResponse::Page(page)).len();
    assert!(bytes <= MAX_RESPONSE_BYTES, "{bytes}");
    let request = BookRequest::Snapshot {
        digest: [255; 32],
        after: Some(key(1).node()),
    };
    assert!(market::wire::encode(&request).len() <= super::MAX_REQUEST_BYTES);
    let mut own = own(1);
    order_message(&mut own, 0, START);
    let farewell = own.farewell(START).expect("it has posted");
    let request = BookRequest::Farewell(farewell);
    assert!(market::wire::encode(&request).len() <= super::MAX_REQUEST_BYTES);
}

#[test]
fn beacons_name_the_slots_that_stand_until_none_does() {
    let mut own = own(1);
    assert!(own.beacon_if_due(START).is_none(), "no orders, no beacons");
    for number in [0, 5] {
        let body = OrderBody::Ask(ask());
        let lifetime = Duration::from_secs(if number == 0 { 90 } else { 3_600 });
        let order = own.draft(slot(number), body, lifetime, START);
        let signed = own.seal(&order);
        own.placed(order, signed, START);
    }
    let mut beacon_at = |millis| {
        let signed = own.beacon_if_due(at(millis))?;
        Some(signed.verify(&chain()).unwrap().value.live_slots)
    };
    assert_eq!(beacon_at(59_999), None);
    assert_eq!(beacon_at(60_000), Some(0b10_0001));
    assert_eq!(beacon_at(119_999), None);
    assert_eq!(beacon_at(120_000), Some(0b10_0000));
    assert_eq!(beacon_at(3_600_001), Some(0), "the last order has expired");
    assert_eq!(beacon_at(9_000_000), None);
}

#[test]
fn a_cancelled_order_is_replaced_in_what_waits_for_publishing() {
    let mut own = own(1);
    for body in [OrderBody::Ask(ask()), OrderBody::Empty] {
        let order = own.draft(slot(0), body, Duration::from_secs(60), START);
        let signed = own.seal(&order);
        own.placed(order, signed, START);
    }
    let (data, places) = own.next_bulletin().unwrap();
    let messages = Bulletin::decode(&data).unwrap().into_messages();
    let BookMessage::Order(signed) = &messages[0] else {
        panic!("not an order");
    };
    assert_eq!(messages.len(), 1);
    assert_eq!(
        signed.verify(&chain()).unwrap().value.body,
        OrderBody::Empty
    );
    own.published(&places);
    assert!(own.next_bulletin().is_none());
}

#[test]
fn many_own_orders_leave_in_bulletins_of_thirty_two() {
    let mut own = own(1);
    for number in 0..wide_slots() {
        let order = own.draft(
            slot(number),
            OrderBody::Ask(ask()),
            Duration::from_secs(60),
            START,
        );
        let signed = own.seal(&order);
        own.placed(order, signed, START);
    }
    let mut sizes = Vec::new();
    while let Some((_, places)) = own.next_bulletin() {
        sizes.push(places.len());
        own.published(&places);
    }
    assert_eq!(sizes, [32, 8]);
}
