//! Orders: sizes on the wire, ranges, times, and bulletins from hostile peers.

use proptest::prelude::*;

use super::*;
use crate::amount::{Amount, PricePerHour};
use crate::gpu::{Figures, GpuClass, Spread};
use crate::ids::{AccountId, BlobHash, ChainId};
use crate::keys::SecretKey;
use crate::wire::{self, Signed};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn chain() -> ChainId {
    ChainId::from_bytes([1; 32])
}

fn class() -> GpuClass {
    "16T-12G".parse().unwrap()
}

/// An ask with every optional field present, which is the longest form.
fn ask() -> Ask {
    Ask {
        account: AccountId::from_bytes([2; 32]),
        class: class(),
        price: PricePerHour(Amount::from_nanocredits(250_000_000)),
        gpus: 1,
        max_duration_s: 3_600,
        figures: AskFigures {
            gemm_mflops: 17_000_000,
            usable_mib: 11_500,
            f16_mflops: Some(60_000_000),
            gb_per_s: Some(448),
        },
        upload_mb_per_s: Some(12_600),
        network_mbit_per_s: Some(40),
        attributes: Attributes::TRAIN | Attributes::INFER,
        sandbox_level: 1,
        evidence: Evidence::Certificate(BlobHash::from_bytes([3; 32])),
        hold_bps: 2_500,
        tick_ms: 10_000,
    }
}

fn bid() -> Bid {
    Bid {
        account: AccountId::from_bytes([4; 32]),
        class: class(),
        max_price: PricePerHour(Amount::from_nanocredits(300_000_000)),
        gpus: 1,
        duration_s: 3_600,
        usable_mib: 8_192,
        attributes: Attributes::TRAIN,
        sandbox_level: 1,
        budget: Amount::from_nanocredits(900_000_000),
        balance_height: 7,
    }
}

fn order(body: OrderBody) -> Order {
    Order {
        slot: Slot::new(63).unwrap(),
        sequence: Sequence::from_u64(NOW.as_millis()),
        expires_at: NOW.saturating_add(Duration::from_secs(3_600)),
        body,
    }
}

fn signed_bytes<T: Payload>(value: &T) -> Vec<u8> {
    let signed = Signed::sign(value, &SecretKey::from_seed([9; 32]), &chain());
    assert_eq!(
        signed.verify(&chain()).unwrap().signer,
        *signed.claimed_signer()
    );
    wire::encode(&signed)
}

#[test]
fn every_signed_order_fits_in_256_bytes_and_a_beacon_in_150() {
    let empty = signed_bytes(&order(OrderBody::Empty)).len();
    let bid = signed_bytes(&order(OrderBody::Bid(bid()))).len();
    let ask = signed_bytes(&order(OrderBody::Ask(ask()))).len();
    let beacon = signed_bytes(&Beacon {
        sequence: Sequence::from_u64(1),
        live_slots: u64::MAX,
        interval_s: 60,
    });
    assert_eq!((empty, bid, ask, beacon.len()), (125, 203, 247, 122));
    assert!(ask <= MAX_SIGNED_ORDER_BYTES);
}

#[test]
fn the_wire_form_of_each_order_is_pinned() {
    let hash = |body| hex::encode(&blake3::hash(&wire::encode(&order(body))).as_bytes()[..8]);
    let pinned = [
        OrderBody::Ask(ask()),
        OrderBody::Bid(bid()),
        OrderBody::Empty,
    ]
    .map(hash);
    assert_eq!(
        pinned,
        ["4683b3255d16434f", "68ac1730f3ce540b", "b5723636d0070c03"]
    );
}

#[test]
fn a_slot_from_64_on_is_refused_by_the_decoder() {
    assert_eq!(Slot::new(64), None);
    let mut bytes = wire::encode(&order(OrderBody::Empty));
    assert!(wire::decode::<Order>(&bytes, Order::MAX_BYTES).is_ok());
    bytes[0] = 64;
    assert!(wire::decode::<Order>(&bytes, Order::MAX_BYTES).is_err());
}

#[test]
fn each_field_out_of_range_is_named() {
    type Spoil = fn(&mut Ask);
    let spoiled: [(&str, Spoil); 11] = [
        ("price", |ask| ask.price = PricePerHour(Amount::ZERO)),
        ("price", |ask| {
            ask.price = PricePerHour(Amount::from_nanocredits(MAX_PRICE.0.nanocredits() + 1));
        }),
        ("gpus", |ask| ask.gpus = 0),
        ("gpus", |ask| ask.gpus = 1_025),
        ("max_duration_s", |ask| ask.max_duration_s = 0),
        ("gemm_mflops", |ask| ask.figures.gemm_mflops = 0),
        ("usable_mib", |ask| ask.figures.usable_mib = 0),
        ("sandbox_level", |ask| ask.sandbox_level = 0),
        ("hold_bps", |ask| ask.hold_bps = 10_001),
        ("tick_ms", |ask| ask.tick_ms = 99),
        ("tick_ms", |ask| ask.tick_ms = 60_001),
    ];
    assert_eq!(order(OrderBody::Ask(ask())).validate(NOW), Ok(()));
    for (field, spoil) in spoiled {
        let mut ask = ask();
        spoil(&mut ask);
        let refused = order(OrderBody::Ask(ask)).validate(NOW);
        assert!(
            matches!(refused, Err(OrderError::Range { field: named, .. }) if named == field),
            "{field}: {refused:?}"
        );
    }
}

#[test]
fn a_bid_without_a_budget_or_a_duration_is_refused() {
    assert_eq!(order(OrderBody::Bid(bid())).validate(NOW), Ok(()));
    for spoiled in [
        Bid {
            budget: Amount::ZERO,
            ..bid()
        },
        Bid {
            duration_s: 0,
            ..bid()
        },
        Bid { gpus: 0, ..bid() },
    ] {
        let refused = order(OrderBody::Bid(spoiled)).validate(NOW);
        assert!(matches!(refused, Err(OrderError::Range { .. })));
    }
}

#[test]
fn an_order_from_the_future_or_with_too_long_a_life_is_refused() {
    let minute_early = Timestamp::from_millis(NOW.as_millis() - 60_000);
    let earlier = Timestamp::from_millis(NOW.as_millis() - 60_001);
    let order = order(OrderBody::Empty);
    assert_eq!(order.validate(minute_early), Ok(()));
    assert_eq!(
        order.validate(earlier),
        Err(OrderError::AheadOfTime { ahead_ms: 60_001 })
    );
    let endless = Order {
        expires_at: NOW.saturating_add(MAX_LIFETIME + Duration::from_millis(1)),
        ..order.clone()
    };
    assert!(matches!(
        endless.validate(NOW),
        Err(OrderError::Lifetime { .. })
    ));
    let stillborn = Order {
        expires_at: NOW,
        ..order
    };
    assert_eq!(
        stillborn.validate(NOW),
        Err(OrderError::Lifetime { lifetime_ms: 0 })
    );
}

#[test]
fn an_expired_order_still_replaces_older_ones_until_its_horizon() {
    let order = order(OrderBody::Empty);
    let horizon = order.sequence.horizon();
    let just_before = Timestamp::from_millis(horizon.as_millis() - 1);
    assert!(order.expires_at < just_before);
    assert_eq!(order.validate(just_before), Ok(()));
    assert_eq!(order.validate(horizon), Err(OrderError::Outlived));
}

#[test]
fn sequences_rise_even_when_protocol_time_does_not() {
    let first = Sequence::next(None, NOW);
    assert_eq!(first.time(), NOW);
    let second = Sequence::next(Some(first), NOW);
    assert_eq!(second.as_u64(), first.as_u64() + 1);
    let later = NOW.saturating_add(Duration::from_secs(5));
    assert_eq!(Sequence::next(Some(second), later).time(), later);
}

#[test]
fn a_beacon_keeps_its_slots_for_two_and_a_half_intervals() {
    let sequence = Sequence::from_u64(NOW.as_millis());
    let beacon = Beacon {
        sequence,
        live_slots: 0b101,
        interval_s: 60,
    };
    let covered = [0, 1, 2, 63].map(|number| beacon.covers(Slot::new(number).unwrap()));
    assert_eq!(covered, [true, false, true, false]);
    assert_eq!(
        beacon.keeps_until(),
        NOW.saturating_add(Duration::from_secs(150))
    );
    assert_eq!(beacon.validate(NOW), Ok(()));
    assert_eq!(
        beacon.validate(Beacon::horizon(sequence)),
        Err(OrderError::Outlived)
    );
    for interval_s in [0, 301] {
        let odd = Beacon {
            interval_s,
            ..beacon.clone()
        };
        assert!(matches!(odd.validate(NOW), Err(OrderError::Range { .. })));
    }
}

#[test]
fn a_bulletin_holds_1_to_32_messages_and_survives_the_wire() {
    let key = SecretKey::from_seed([9; 32]);
    let signed = Signed::sign(&order(OrderBody::Ask(ask())), &key, &chain());
    let of = |count: usize| Bulletin::new(vec![BookMessage::Order(signed.clone()); count]);
    assert_eq!(of(0), Err(BulletinError::Count(0)));
    assert_eq!(of(33), Err(BulletinError::Count(33)));
    let full = of(32).unwrap();
    assert_eq!(Bulletin::decode(&full.encode()), Ok(full.clone()));
    // The same bytes with 33 or no messages are refused by the reader too.
    let hostile = |count: usize| wire::encode(&vec![BookMessage::Order(signed.clone()); count]);
    assert!(Bulletin::decode(&hostile(33)).is_err());
    assert_eq!(Bulletin::decode(&hostile(0)), Err(BulletinError::Count(0)));
    let cut = &full.encode()[..full.encode().len() - 1];
    assert!(matches!(Bulletin::decode(cut), Err(BulletinError::Wire(_))));
}

#[test]
fn attributes_are_read_by_name_and_printed_with_unknown_bits() {
    let set = "train".parse::<Attributes>().unwrap() | "on-demand".parse().unwrap();
    assert_eq!(set, Attributes::TRAIN | Attributes::ON_DEMAND);
    assert!(set.contains(Attributes::TRAIN) && !set.contains(Attributes::INFER));
    let odd = set | Attributes::from_bits(1 << 40);
    assert_eq!(odd.to_string(), "on-demand, train, 0x10000000000");
    let unknown = "fast".parse::<Attributes>().unwrap_err().to_string();
    assert!(unknown.starts_with("\"fast\" is not an attribute; known are: on-demand, train"));
}

#[test]
fn an_asks_figures_are_the_cautious_end_of_a_report() {
    let spread = |p10| {
        Some(Spread {
            p10,
            p50: p10 * 2,
            p90: p10 * 3,
        })
    };
    let mut report = Figures {
        sustained_gemm_fp32_mflops: Some(9_500_000),
        gemm_f16_mflops: spread(30_000_000),
        memory_read_mib_per_s: spread(400_000),
        usable_memory_bytes: Some((8 << 30) + 5),
        ..Figures::default()
    };
    let figures = AskFigures::of(&report).unwrap();
    assert_eq!(
        figures,
        AskFigures {
            gemm_mflops: 9_500_000,
            usable_mib: 8_192,
            f16_mflops: Some(30_000_000),
            gb_per_s: Some(419),
        }
    );
    assert_eq!(figures.usable_bytes(), 8 << 30);
    report.memory_read_mib_per_s = spread(900);
    let slow = AskFigures::of(&report).unwrap();
    assert_eq!(slow.gb_per_s, None, "below one unit is unknown, not zero");
    report.usable_memory_bytes = None;
    assert_eq!(AskFigures::of(&report), None);
}

#[test]
fn figures_are_within_a_certificate_only_if_none_is_better() {
    let certified = ask().figures;
    assert!(certified.within(&certified));
    let unmeasured = AskFigures {
        f16_mflops: None,
        ..certified
    };
    assert!(unmeasured.within(&certified));
    assert!(!certified.within(&unmeasured));
    for better in [
        AskFigures {
            gemm_mflops: certified.gemm_mflops + 1,
            ..certified
        },
        AskFigures {
            usable_mib: certified.usable_mib + 1,
            ..certified
        },
        AskFigures {
            gb_per_s: Some(449),
            ..certified
        },
    ] {
        assert!(!better.within(&certified));
    }
}

proptest! {
    #[test]
    fn no_bytes_of_a_peer_panic_the_readers(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Bulletin::decode(&bytes);
        if let Ok(order) = wire::decode::<Order>(&bytes, Order::MAX_BYTES) {
            let _ = order.validate(NOW);
        }
        if let Ok(beacon) = wire::decode::<Beacon>(&bytes, Beacon::MAX_BYTES) {
            let _ = (beacon.validate(NOW), beacon.keeps_until());
        }
    }

    #[test]
    fn a_changed_byte_of_an_order_never_verifies(place in 0usize..247, change in 1u8..) {
        let mut bytes = signed_bytes(&order(OrderBody::Ask(ask())));
        bytes[place] ^= change;
        let verified = wire::decode::<Signed<Order>>(&bytes, MAX_SIGNED_ORDER_BYTES)
            .and_then(|signed| signed.verify(&chain()));
        prop_assert!(verified.is_err());
    }
}
