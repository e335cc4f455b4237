//! Market data as the local API shapes them, and questions that are refused with what may be asked.

use axum::extract::Query;
use axum::http::Uri;
use market::{AccountId, Amount, ChannelId, PricePerHour};
use matching::limit_book::PriceLevel;
use matching::{Interval, PriceSource, Trade, TradePlace};

use super::*;

const HOUR_MS: u64 = 3_600_000;
const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn price(nanocredits: u64) -> PricePerHour {
    PricePerHour(Amount::from_nanocredits(nanocredits))
}

fn class(text: &str) -> GpuClass {
    text.parse().unwrap()
}

/// A trade of a GPU-hour, so many hours ago.
fn trade(number: u8, hours_ago: u64, nanocredits: u64) -> Trade {
    Trade {
        settled_at: Timestamp::from_millis(NOW.as_millis() - hours_ago * HOUR_MS),
        place: TradePlace {
            height: 1_000 - hours_ago,
            index: number.into(),
        },
        channel: ChannelId::from_bytes([number; 32]),
        class: class("16T-12G"),
        price: price(nanocredits),
        gpus: 2,
        paid: Amount::from_nanocredits(nanocredits),
        payer: AccountId::from_bytes([number; 32]),
        payee: AccountId::from_bytes([200; 32]),
    }
}

fn tape_of(trades: impl IntoIterator<Item = Trade>) -> Tape {
    let mut tape = Tape::default();
    trades.into_iter().for_each(|trade| tape.record(trade));
    tape
}

fn both_sides() -> ClassSummary {
    ClassSummary {
        best_ask: Some(price(310)),
        best_bid: Some(price(300)),
        asks: 4,
        bids: 2,
        gpus: 9,
    }
}

#[test]
fn a_class_at_a_glance_has_what_stands_and_what_was_traded() {
    let old = trade(1, 30, 200);
    let recent = (2..=4).map(|number| trade(number, 0, 250));
    let tape = tape_of([old].into_iter().chain(recent));
    let row = rows::class_row(&tape, (class("16T-12G"), both_sides()), NOW);
    assert_eq!((row.mid, row.spread), (Some(price(305)), Some(price(10))));
    assert_eq!(
        (row.last, row.change_24h_bps),
        (Some(price(250)), Some(2_500))
    );
    assert_eq!(row.volume_24h.trades, 3);
    assert_eq!(row.volume_24h.gpu_ms, 3 * HOUR_MS);
    assert_eq!(row.volume_24h.paid, Amount::from_nanocredits(750));
    let index = row.index;
    assert_eq!(
        (index.price, index.payers, index.payers_needed),
        (None, 3, 5)
    );
    assert_eq!((row.asks, row.bids, row.gpus), (4, 2, 9));
}

#[test]
fn five_payers_in_the_hour_make_an_index() {
    let tape = tape_of((1..=5).map(|number| trade(number, 0, 100 * u64::from(number))));
    let row = rows::class_row(&tape, (class("16T-12G"), ClassSummary::default()), NOW);
    assert_eq!(row.index.price, Some(price(300)));
    let hour_later = NOW.saturating_add(Interval::Hour.duration());
    let row = rows::class_row(&tape, (class("16T-12G"), both_sides()), hour_later);
    assert_eq!((row.index.price, row.index.payers), (None, 0));
}

#[test]
fn classes_with_an_order_or_a_trade_are_listed_once() {
    let other = class("8T-12G");
    let standing = Standing::from([(class("16T-12G"), both_sides()), (other, both_sides())]);
    let tape = tape_of([
        trade(1, 0, 200),
        Trade {
            class: class("23T-12G"),
            ..trade(2, 0, 200)
        },
    ]);
    let known: Vec<GpuClass> = known_classes(&tape, standing).into_keys().collect();
    assert_eq!(known, ["8T-12G", "16T-12G", "23T-12G"].map(class));
}

#[test]
fn rates_are_made_of_the_best_price_of_each_class() {
    let of = |name: &str, trade: Trade| Trade {
        class: class(name),
        ..trade
    };
    let last = of("23T-12G", trade(9, 40, 600));
    let indexed = (1..=5).map(|number| of("8T-12G", trade(number, 0, 150)));
    let tape = tape_of(indexed.chain([last]));
    let asked = ClassSummary {
        best_bid: None,
        ..both_sides()
    };
    let standing = Standing::from([
        (class("8T-12G"), both_sides()),
        (class("16T-12G"), both_sides()),
        (class("32T-24G"), asked),
    ]);
    let rates = rows::rates(&tape, known_classes(&tape, standing), NOW);
    assert_eq!(
        rates.classes,
        ["8T-12G", "16T-12G", "23T-12G"].map(class),
        "a class with asks alone has no price"
    );
    let sources: Vec<PriceSource> = rates.prices.iter().map(|price| price.source).collect();
    let expected = [PriceSource::Index, PriceSource::Mid, PriceSource::Last];
    assert_eq!(sources, expected);
    assert_eq!(rates.rates_ppm[2], [4_000_000, 1_967_213, 1_000_000]);
}

#[test]
fn levels_add_up_from_the_best() {
    let level = |nanocredits, gpus: u32| PriceLevel {
        price: price(nanocredits),
        quantity: gpus.into(),
        orders: 1,
    };
    let rows = rows::level_rows([level(1, 4), level(2, 3), level(3, u32::MAX)].into_iter());
    let cumulative: Vec<u32> = rows.iter().map(|row| row.cumulative_gpus).collect();
    assert_eq!(cumulative, [4, 7, u32::MAX]);
}

#[test]
fn a_trade_is_shown_with_what_it_bought() {
    let row = rows::trade_row(&trade(7, 2, 200));
    assert_eq!((row.gpu_ms, row.gpus, row.height), (HOUR_MS, 2, 998));
    assert_eq!(row.payer, AccountId::from_bytes([7; 32]));
}

fn asked<T: serde::de::DeserializeOwned>(text: &str) -> Read<T> {
    let uri: Uri = format!("http://node/v1/market?{text}").parse().unwrap();
    Query::try_from_uri(&uri)
}

#[test]
fn what_is_not_said_has_a_default() {
    let query = query::of(asked::<CandlesWanted>("class=16T-12G")).unwrap();
    let wanted = query.wanted().unwrap();
    let defaults = (class("16T-12G"), Interval::Hour, RowCount::CANDLES);
    assert_eq!(wanted, defaults);
    let query = query::of(asked::<TradesWanted>("count=7")).unwrap();
    let (class, count) = query.wanted().unwrap();
    assert_eq!((class, count.get()), (None, 7));
}

#[test]
fn a_wrong_question_is_told_what_may_be_asked() {
    for (text, said) in [
        ("", "ask with one, for example class=16T-12G"),
        ("class=big", "write for example 16T-12G"),
        ("class=16T-12G&interval=5m", "write 1m, 1h or 1d"),
        ("class=16T-12G&count=0", "1 to 1000"),
        ("class=16T-12G&count=1001", "1 to 1000"),
        ("class=16T-12G&count=-3", "1 to 1000"),
        ("class=16T-12G&count=", "1 to 1000"),
        ("class=16T-12G&kind=gpu", "unknown field `kind`"),
    ] {
        let query = query::of(asked::<CandlesWanted>(text));
        let error = query.and_then(CandlesWanted::wanted).unwrap_err();
        assert!(error.to_string().contains(said), "{text}: {error}");
    }
    let query = query::of(asked::<ClassWanted>("class=16T-11G"));
    let error = query.and_then(ClassWanted::class).unwrap_err().to_string();
    assert!(error.contains("the tiers are"), "{error}");
}
