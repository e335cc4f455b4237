//! Tests of what a bid does next.

use market_node::api::MAX_BID_S;

use super::*;

const HOUR_MS: u64 = 3_600_000;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000 + millis)
}

fn order(byte: u8) -> OrderId {
    OrderId::from_bytes([byte; 32])
}

/// A bid for an hour that has looked once, found nothing, and stands as order 1.
fn standing() -> Machine {
    let mut bid = Machine::new(at(HOUR_MS));
    assert_eq!(bid.next(at(0)), Step::Look { called: None });
    bid.looked(
        Found::Nothing,
        Some("no offers in the book".to_owned()),
        at(0),
    );
    let lifetime = Duration::from_secs(3_600);
    assert_eq!(bid.next(at(0)), Step::Post { lifetime });
    bid.posted(order(1), at(HOUR_MS));
    bid
}

#[test]
fn a_bid_looks_first_then_stands_and_ends_in_time() {
    let mut bid = standing();
    assert_eq!(bid.order(), Some(order(1)));
    assert_eq!(bid.next(at(1)), Step::Wait { until: at(HOUR_MS) });
    assert_eq!(bid.next(at(HOUR_MS - 1)), Step::Wait { until: at(HOUR_MS) });
    assert_eq!(bid.next(at(HOUR_MS)), Step::End);
}

#[test]
fn a_book_that_changes_without_pause_is_looked_at_twice_a_second() {
    let mut bid = standing();
    let mut looks = 0;
    for millis in 0..10_000 {
        bid.book_changed();
        if bid.next(at(millis)) == (Step::Look { called: None }) {
            looks += 1;
            bid.looked(Found::Nothing, None, at(millis));
        }
    }
    assert_eq!(looks, 19, "the look before the first change counts too");
    assert_eq!(bid.misfits().as_deref(), Some("no offers in the book"));
}

#[test]
fn an_offer_is_taken_up_at_once_and_others_meanwhile_are_declined() {
    let mut bid = standing();
    bid.looked(Found::Unavailable, None, at(10));
    assert_eq!(bid.offered(order(7), at(11)), Ok(()));
    assert!(bid.is_filling());
    assert_eq!(bid.offered(order(8), at(11)), Err(Decline::Filling));
    let called = Some(order(7));
    assert_eq!(
        bid.next(at(11)),
        Step::Look { called },
        "no rest holds it up"
    );
    assert_eq!(bid.listens(), Err(Decline::Filling));
    assert!(bid.reserve());
    bid.looked(Found::Unavailable, None, at(20));
    assert_eq!(
        bid.offered(order(8), at(21)),
        Ok(()),
        "refused, so it listens"
    );
}

#[test]
fn an_offer_that_comes_during_a_look_is_not_forgotten() {
    let mut bid = standing();
    bid.book_changed();
    assert_eq!(bid.next(at(1_000)), Step::Look { called: None });
    assert_eq!(bid.offered(order(7), at(1_001)), Ok(()));
    bid.looked(Found::Nothing, None, at(1_002));
    let called = Some(order(7));
    assert_eq!(bid.next(at(1_002)), Step::Look { called });
    bid.looked(Found::Nothing, None, at(1_003));

    // Where that look reserves another offer, the next look is not far.
    bid.book_changed();
    assert_eq!(bid.next(at(2_000)), Step::Look { called: None });
    assert_eq!(bid.offered(order(8), at(2_001)), Ok(()));
    assert!(bid.reserve());
    bid.looked(Found::Unavailable, None, at(2_002));
    let rested = at(2_002).saturating_add(REST);
    assert_eq!(bid.next(at(2_003)), Step::Wait { until: rested });
    assert_eq!(bid.next(rested), Step::Look { called: None });
}

#[test]
fn an_offer_whose_ask_the_bid_has_seen_and_begun_to_reserve_is_taken() {
    let mut bid = standing();
    assert_eq!(bid.listens(), Ok(()));
    bid.book_changed();
    assert_eq!(bid.next(at(1_000)), Step::Look { called: None });
    assert!(bid.reserve());
    assert_eq!(bid.offered(order(7), at(1_001)), Ok(()));
    assert!(bid.is_filling());
    assert_eq!(
        bid.listens(),
        Err(Decline::Filling),
        "the next one is declined"
    );

    // Where it was another offer that the look reserved, the next look is not far.
    bid.looked(Found::Unavailable, None, at(1_002));
    let rested = at(1_002).saturating_add(REST);
    assert_eq!(bid.next(rested), Step::Look { called: None });
}

#[test]
fn a_refused_bid_stays_and_tries_again_after_a_rest() {
    let mut bid = standing();
    bid.looked(Found::Unavailable, None, at(100));
    let rested = at(100).saturating_add(REST);
    assert_eq!(bid.next(at(101)), Step::Wait { until: rested });
    assert_eq!(bid.next(rested), Step::Look { called: None });
    assert!(bid.stands_as(order(1)));
}

#[test]
fn an_order_is_posted_again_before_it_lapses_and_never_beyond_the_end() {
    let week = u64::from(MAX_BID_S) * 1_000;
    let mut bid = Machine::new(at(week));
    let (mut now, mut posts, mut longest_ms) = (0, 0_u8, 0);
    loop {
        match bid.next(at(now)) {
            Step::Look { .. } => bid.looked(Found::Nothing, None, at(now)),
            Step::Post { lifetime } => {
                let expires_at = at(now).saturating_add(lifetime);
                assert!(lifetime <= MAX_LIFETIME && expires_at <= at(week));
                posts += 1;
                longest_ms = longest_ms.max(now);
                bid.posted(order(posts), expires_at);
            }
            Step::Wait { until } => {
                assert!(until > at(now), "it never spins");
                now = until.as_millis() - at(0).as_millis();
            }
            Step::End => break,
        }
    }
    assert_eq!((now, posts), (week, 8), "every 23 hours, and the rest");
    assert!(longest_ms < week);
}

#[test]
fn a_book_that_takes_no_order_is_asked_again_later() {
    let mut bid = Machine::new(at(HOUR_MS));
    bid.next(at(0));
    bid.looked(Found::Nothing, None, at(0));
    bid.not_posted(at(0));
    assert_eq!(bid.next(at(1)), Step::Wait { until: at(2_000) });
    assert!(matches!(bid.next(at(2_000)), Step::Post { .. }));
}

#[test]
fn an_order_that_fell_out_of_the_book_is_posted_anew() {
    let mut bid = standing();
    bid.fell_out();
    assert_eq!(bid.order(), None);
    assert!(matches!(bid.next(at(1)), Step::Post { .. }));
}

#[test]
fn a_halted_bid_does_nothing_and_takes_nothing() {
    let mut bid = standing();
    bid.halt();
    bid.book_changed();
    assert!(matches!(bid.next(at(5)), Step::Wait { until } if until > at(5)));
    assert_eq!(bid.offered(order(7), at(5)), Err(Decline::NoSuchBid));
    assert!(!bid.stands_as(order(1)) && !bid.reserve());
    bid.looked(Found::Unavailable, None, at(6));
    let late = at(HOUR_MS + 1);
    assert!(matches!(bid.next(late), Step::Wait { until } if until > late));
}

#[test]
fn an_offer_after_the_time_finds_no_bid() {
    let mut bid = standing();
    assert_eq!(bid.offered(order(7), at(HOUR_MS)), Err(Decline::NoSuchBid));
}
