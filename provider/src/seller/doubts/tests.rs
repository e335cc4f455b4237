//! Who is left alone, for how long, and how many at the most.

use market::PricePerHour;
use market::order::{Register, Slot};
use market::{AccountId, Amount};

use super::*;

fn at(second: u64) -> Timestamp {
    Timestamp::from_millis(second * 1_000)
}

fn bid(order: u8, node: u8) -> Crossable {
    Crossable {
        register: Register {
            node: NodeId::from_bytes([node; 32]),
            slot: Slot::new(0).unwrap(),
        },
        order: OrderId::from_bytes([order; 32]),
        account: AccountId::from_bytes([node; 32]),
        max_price: PricePerHour(Amount::from_nanocredits(1)),
    }
}

#[test]
fn a_declined_bid_is_left_alone_and_others_of_its_node_are_not() {
    let mut doubts = Doubts::default();
    doubts.declined(bid(1, 1).order, at(60));
    assert!(!doubts.allow(&bid(1, 1), at(59)));
    assert!(doubts.allow(&bid(1, 1), at(60)));
    assert!(doubts.allow(&bid(2, 1), at(0)));
}

#[test]
fn a_silent_node_is_left_alone_twice_as_long_each_time() {
    let mut doubts = Doubts::default();
    let node = bid(1, 1).register.node;
    doubts.silent(node, at(0));
    assert!(!doubts.allow(&bid(2, 1), at(59)), "all its bids");
    assert!(doubts.allow(&bid(2, 1), at(60)));
    doubts.silent(node, at(60));
    assert!(!doubts.allow(&bid(2, 1), at(179)));
    assert!(doubts.allow(&bid(2, 1), at(180)));
    for _ in 0..100 {
        doubts.silent(node, at(0));
    }
    assert!(doubts.allow(&bid(2, 1), at(64 * 60)), "at most 64 minutes");
    doubts.heard(node);
    assert!(doubts.allow(&bid(2, 1), at(0)));
}

#[test]
fn what_ends_first_is_forgotten_first() {
    let mut doubts = Doubts::default();
    for number in 0..=255 {
        doubts.declined(bid(number, 1).order, at(1_000 + u64::from(number)));
        doubts.silent(bid(1, number).register.node, at(u64::from(number)));
    }
    let more = OrderId::from_bytes([0xab, 0xcd].repeat(16).try_into().unwrap());
    doubts.declined(more, at(5_000));
    doubts.silent(NodeId::from_bytes(*more.as_bytes()), at(5_000));
    assert_eq!((doubts.declined.len(), doubts.silent.len()), (MOST, MOST));
    assert!(!doubts.declined.contains_key(&bid(0, 1).order));
    assert!(!doubts.silent.contains_key(&bid(1, 0).register.node));
}
