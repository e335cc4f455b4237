//! Candles: worked examples, and independence of the order of recording.

use proptest::prelude::*;

use super::*;
use crate::fixture::{class, price};

const MINUTE: u64 = 60_000;

fn trade(number: u8, at_ms: u64, price_nanocredits: u64) -> Trade {
    Trade {
        channel: ChannelId::from_bytes([number; 32]),
        class: class("16T-12G"),
        price: price(price_nanocredits),
        paid: Amount::from_nanocredits(price_nanocredits / 60),
        settled_at: Timestamp::from_millis(at_ms),
    }
}

fn all() -> Range<Timestamp> {
    Timestamp::from_millis(0)..Timestamp::from_millis(u64::MAX)
}

fn tape_of(trades: &[Trade]) -> Tape {
    let mut tape = Tape::default();
    trades.iter().for_each(|trade| tape.record(*trade));
    tape
}

#[test]
fn a_candle_opens_with_the_first_trade_and_closes_with_the_last() {
    let tape = tape_of(&[
        trade(3, MINUTE + 59_999, 240),
        trade(1, MINUTE, 180),
        trade(2, MINUTE + 30_000, 120),
        trade(4, 3 * MINUTE, 600),
    ]);
    let candles = tape.candles(class("16T-12G"), Interval::Minute, all());
    let minute = Candle {
        start: Timestamp::from_millis(MINUTE),
        open: price(180),
        high: price(240),
        low: price(120),
        close: price(240),
        volume: Volume {
            paid: Amount::from_nanocredits(3 + 2 + 4),
            gpu_ms: 3 * MINUTE,
            trades: 3,
        },
    };
    assert_eq!(candles.len(), 2, "a minute without trades has no candle");
    assert_eq!(candles[0], minute);
    assert_eq!(candles[1].start, Timestamp::from_millis(3 * MINUTE));
    let hours = tape.candles(class("16T-12G"), Interval::Hour, all());
    assert_eq!((hours.len(), hours[0].volume.trades), (1, 4));
    assert_eq!(hours[0].close, price(600));
}

#[test]
fn the_last_price_and_the_days_volume_look_back_from_now() {
    let day = 86_400_000;
    let tape = tape_of(&[
        trade(1, 1_000, 600),
        trade(2, 1_001, 120),
        trade(3, day + 1_000, 180),
    ]);
    let volume_at = |ms| tape.volume_24h(class("16T-12G"), Timestamp::from_millis(ms));
    assert_eq!(volume_at(1_000).trades, 1);
    assert_eq!(volume_at(day + 1_000).trades, 2, "the first is a day old");
    assert_eq!(volume_at(day + 1_000).paid, Amount::from_nanocredits(5));
    assert_eq!(tape.last(class("16T-12G")).unwrap().price, price(180));
    assert_eq!(tape.last(class("23T-12G")), None);
}

#[test]
fn a_channel_that_paid_nothing_is_no_trade() {
    let nothing = Trade {
        paid: Amount::ZERO,
        ..trade(1, 5, 600)
    };
    assert_eq!(tape_of(&[nothing]).classes().count(), 0);
}

#[test]
fn a_full_tape_keeps_the_newest() {
    let mut tape = Tape::new(2);
    for (number, at_ms) in [(1, 30), (2, 10), (3, 20), (4, 5)] {
        tape.record(trade(number, at_ms, 600));
    }
    let kept: Vec<u64> = tape
        .trades(class("16T-12G"), all())
        .map(|trade| trade.settled_at.as_millis())
        .collect();
    assert_eq!(kept, [20, 30]);
}

#[test]
fn a_backward_range_is_empty() {
    let tape = tape_of(&[trade(1, 5, 600)]);
    let backward = Timestamp::from_millis(9)..Timestamp::from_millis(1);
    assert_eq!(tape.trades(class("16T-12G"), backward).count(), 0);
}

proptest! {
    #[test]
    fn candles_do_not_depend_on_the_order_or_doubling_of_trades(
        trades in prop::collection::vec(
            (any::<u8>(), 0u64..20 * MINUTE, 60u64..1_000_000), 1..40),
    ) {
        let forward: Vec<Trade> = trades.iter().map(|(n, at, price)| trade(*n, *at, *price)).collect();
        // The ledger settles a channel once: one trade for each time and channel.
        let mut unique = forward.clone();
        unique.sort_by_key(|trade| (trade.settled_at, trade.channel));
        unique.dedup_by_key(|trade| (trade.settled_at, trade.channel));
        let backward: Vec<Trade> = unique.iter().rev().chain(&unique).copied().collect();
        let (left, right) = (tape_of(&unique), tape_of(&backward));
        prop_assert_eq!(&left, &right);
        let of = |interval| left.candles(class("16T-12G"), interval, all());
        for candles in [of(Interval::Minute), of(Interval::Hour), of(Interval::Day)] {
            let counted: u32 = candles.iter().map(|candle| candle.volume.trades).sum();
            prop_assert_eq!(counted as usize, unique.len());
            prop_assert!(candles.is_sorted_by_key(|candle| candle.start));
            let spans = |candle: &Candle| {
                candle.low <= candle.open.min(candle.close)
                    && candle.high >= candle.open.max(candle.close)
            };
            prop_assert!(candles.iter().all(spans));
        }
    }
}
