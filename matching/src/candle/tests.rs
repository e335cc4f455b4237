//! Candles: worked examples, and what an interval is called.

use super::*;
use crate::fixture::{class, price, trade};
use crate::tape::Tape;
use market::Amount;

const MINUTE: u64 = 60_000;

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
    let all = Timestamp::from_millis(0)..Timestamp::from_millis(u64::MAX);
    let candles = tape.candles(class("16T-12G"), Interval::Minute, all.clone());
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
    let hours = tape.candles(class("16T-12G"), Interval::Hour, all);
    assert_eq!((hours.len(), hours[0].volume.trades), (1, 4));
    assert_eq!(hours[0].close, price(600));
}

#[test]
fn the_newest_candles_are_the_last_of_all_candles_and_whole() {
    let times = [5, 2 * MINUTE, 2 * MINUTE + 1, 9 * MINUTE, 9 * MINUTE + 7];
    let trades: Vec<Trade> = (1..).zip(times).map(|(n, at)| trade(n, at, 600)).collect();
    let tape = tape_of(&trades);
    let class = class("16T-12G");
    let newest = |count| tape.newest_candles(class, Interval::Minute, count);
    let all = newest(usize::MAX);
    assert_eq!(all.len(), 3);
    for count in 0..4 {
        assert_eq!(newest(count), all[3_usize.saturating_sub(count)..]);
    }
    assert_eq!(newest(1)[0].volume.trades, 2);
    assert!(
        Tape::default()
            .newest_candles(class, Interval::Day, 9)
            .is_empty()
    );
}

#[test]
fn an_interval_is_called_what_it_is_written_as() {
    for interval in [Interval::Minute, Interval::Hour, Interval::Day] {
        assert_eq!(interval.to_string().parse(), Ok(interval));
    }
    for wrong in ["", "5m", "1H", "1 h", "60s", &"9".repeat(99)] {
        let error = wrong.parse::<Interval>().unwrap_err().to_string();
        assert!(error.contains("write 1m, 1h or 1d"), "{error}");
        assert!(error.len() < 100, "{error}");
    }
}
