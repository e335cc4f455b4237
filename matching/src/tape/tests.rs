//! The tape: what it keeps, and that no order of recording changes a byte of what follows from it.

use proptest::prelude::*;

use super::*;
use crate::fixture::{class, price, trade};

const MINUTE: u64 = 60_000;
const DAY: u64 = 86_400_000;
const CLASSES: [&str; 3] = ["8T-12G", "16T-12G", "cpu-0.06T-8G"];

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn tape_of(capacity: TapeCapacity, trades: &[Trade]) -> Tape {
    let mut tape = Tape::new(capacity);
    trades.iter().for_each(|trade| tape.record(*trade));
    tape
}

fn whole(trades: &[Trade]) -> Tape {
    tape_of(TapeCapacity::default(), trades)
}

#[test]
fn the_last_price_and_the_days_volume_look_back_from_now() {
    let tape = whole(&[
        trade(1, 1_000, 600),
        trade(2, 1_001, 120),
        trade(3, DAY + 1_000, 180),
    ]);
    let volume_at = |ms| tape.volume_24h(class("16T-12G"), at(ms));
    assert_eq!(volume_at(1_000).trades, 1);
    assert_eq!(volume_at(DAY + 1_000).trades, 2, "the first is a day old");
    assert_eq!(volume_at(DAY + 1_000).paid, Amount::from_nanocredits(5));
    assert_eq!(tape.last(class("16T-12G")).unwrap().price, price(180));
    assert_eq!(tape.last(class("23T-12G")), None);
}

#[test]
fn the_days_change_is_against_the_last_price_of_a_day_ago() {
    let of = |before, last| {
        let tape = whole(&[
            trade(1, 900, 1),
            trade(2, 1_000, before),
            trade(3, DAY + 500, last),
        ]);
        tape.change_24h_bps(class("16T-12G"), at(DAY + 1_000))
    };
    assert_eq!(of(600, 660), Some(1_000));
    assert_eq!(of(660, 600), Some(-909), "towards zero");
    assert_eq!(of(600, 600), Some(0));
    assert_eq!(of(60, u64::MAX), Some(i64::MAX), "it saturates");
    let tape = whole(&[trade(1, 5, 600)]);
    let change = |ms| tape.change_24h_bps(class("16T-12G"), at(ms));
    assert_eq!(change(4), None, "nothing had traded");
    assert_eq!(change(DAY), None, "the only trade is younger than a day");
    assert_eq!(change(2 * DAY), Some(0), "the price has stood since");
}

#[test]
fn a_channel_that_paid_nothing_is_no_trade() {
    let nothing = Trade {
        paid: Amount::ZERO,
        ..trade(1, 5, 600)
    };
    let tape = whole(&[nothing]);
    assert!(tape.is_empty());
    assert!(!whole(&[trade(1, 5, 600)]).is_empty());
    assert_eq!(tape.classes().count(), 0);
}

#[test]
fn a_full_tape_keeps_the_newest() {
    let capacity = TapeCapacity {
        per_class: 2,
        total: 3,
    };
    let of = |number, at_ms, class| Trade {
        class,
        ..trade(number, at_ms, 600)
    };
    let [one, other, third] = CLASSES.map(class);
    let tape = tape_of(
        capacity,
        &[
            of(1, 30, one),
            of(2, 10, one),
            of(3, 20, one),
            of(4, 25, other),
            of(5, 5, third),
        ],
    );
    let kept: Vec<u64> = tape
        .newest(None, 9)
        .iter()
        .map(|t| t.place.height)
        .collect();
    assert_eq!(kept, [30, 25, 20]);
    assert_eq!(tape.classes().collect::<Vec<_>>(), [one, other]);
    assert_eq!(tape.len(), 3);
    let none = TapeCapacity {
        per_class: 0,
        total: 0,
    };
    assert_eq!(tape_of(none, &[trade(1, 1, 60)]), Tape::new(none));
}

#[test]
fn the_newest_trades_of_all_classes_are_merged() {
    let of = |number: u8, class: &str| Trade {
        class: class.parse().unwrap(),
        ..trade(number, number.into(), 600)
    };
    let tape = whole(&[of(1, CLASSES[0]), of(2, CLASSES[1]), of(3, CLASSES[0])]);
    let newest = |class, count| -> Vec<u64> {
        let newest = tape.newest(class, count);
        newest.iter().map(|trade| trade.place.height).collect()
    };
    assert_eq!(newest(None, 2), [3, 2]);
    assert_eq!(newest(Some(class(CLASSES[0])), 5), [3, 1]);
    assert!(newest(Some(class("1T-8G")), 5).is_empty());
}

#[test]
fn a_backward_range_is_empty() {
    let tape = whole(&[trade(1, 5, 600)]);
    assert_eq!(tape.trades(class("16T-12G"), at(9)..at(1)).count(), 0);
}

#[test]
fn every_field_of_a_trade_is_in_the_digest() {
    let right = trade(1, 5, 600);
    let changes: [fn(&mut Trade); 9] = [
        |trade| trade.settled_at = at(6),
        |trade| trade.place.index = 9,
        |trade| trade.channel = ChannelId::from_bytes([9; 32]),
        |trade| trade.class = class("23T-12G"),
        |trade| trade.price = price(601),
        |trade| trade.gpus = 2,
        |trade| trade.paid = Amount::from_nanocredits(11),
        |trade| trade.payer = AccountId::from_bytes([9; 32]),
        |trade| trade.payee = AccountId::from_bytes([9; 32]),
    ];
    let digest = whole(&[right]).digest();
    for (number, change) in changes.into_iter().enumerate() {
        let mut wrong = right;
        change(&mut wrong);
        assert_ne!(whole(&[wrong]).digest(), digest, "change {number}");
    }
    let hex: String = digest[..4]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(
        hex, "c06cd571",
        "the bytes that digests are made of have changed"
    );
}

fn trades() -> impl Strategy<Value = Vec<Trade>> {
    let one = (0..6_u8, 0..20 * MINUTE, 60..900_u64, 0..CLASSES.len());
    let one = one.prop_map(|(number, at_ms, price, of)| Trade {
        class: class(CLASSES[of]),
        ..trade(number, at_ms, price)
    });
    prop::collection::vec(one, 1..60)
}

/// What is kept of trades, by sorting all of them.
fn kept_of(capacity: TapeCapacity, trades: &[Trade]) -> Vec<Trade> {
    let mut kept = Vec::new();
    let mut all: Vec<Trade> = trades.to_vec();
    all.sort_by(|left, right| right.cmp(left));
    all.dedup();
    for trade in all {
        let same = |other: &&Trade| other.class == trade.class;
        if kept.iter().filter(same).count() < capacity.per_class && kept.len() < capacity.total {
            kept.push(trade);
        }
    }
    kept
}

proptest! {
    #[test]
    fn no_order_and_no_doubling_of_trades_changes_a_byte(
        trades in trades(),
        shuffled in any::<prop::sample::Index>(),
        per_class in 1..30_usize,
        total in 1..50_usize,
    ) {
        let capacity = TapeCapacity { per_class, total };
        let straight = tape_of(capacity, &trades);
        let mut other: Vec<Trade> = trades.iter().rev().chain(&trades).copied().collect();
        let turn = shuffled.index(other.len());
        other.rotate_left(turn);
        let other = tape_of(capacity, &other);
        prop_assert_eq!(&straight, &other);
        prop_assert_eq!(straight.digest(), other.digest());
        let kept: Vec<Trade> = straight.newest(None, usize::MAX).into_iter().copied().collect();
        prop_assert_eq!(&kept, &kept_of(capacity, &trades));
        prop_assert_eq!(straight.len(), kept.len());
        for class in CLASSES.map(class) {
            for interval in [Interval::Minute, Interval::Hour, Interval::Day] {
                let all = at(0)..at(u64::MAX);
                let candles = straight.candles(class, interval, all);
                let counted: u32 = candles.iter().map(|candle| candle.volume.trades).sum();
                let of_class = kept.iter().filter(|trade| trade.class == class).count();
                prop_assert_eq!(counted as usize, of_class);
                prop_assert!(candles.is_sorted_by_key(|candle| candle.start));
                let spans = |candle: &Candle| {
                    candle.low <= candle.open.min(candle.close)
                        && candle.high >= candle.open.max(candle.close)
                };
                prop_assert!(candles.iter().all(spans));
                let newest = straight.newest_candles(class, interval, 2);
                prop_assert_eq!(&newest[..], &candles[candles.len().saturating_sub(2)..]);
            }
        }
    }
}
