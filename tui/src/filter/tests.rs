//! Tests of the filter language: what is understood, what is refused and in which words, and that what is kept fits.

use std::cmp::Ordering;

use insta::assert_snapshot;
use market_node::api::{BookRow, TradeRow};

use super::{CLASS_FIELDS, Field, Filter, OFFER_FIELDS, Order, TRADE_FIELDS};
use crate::fixture;

mod properties;

fn row() -> BookRow {
    fixture::book().asks.remove(0)
}

fn parse(text: &str) -> Filter<BookRow> {
    Filter::parse(text, &OFFER_FIELDS).unwrap()
}

fn refusal(text: &str) -> String {
    Filter::parse(text, &OFFER_FIELDS).unwrap_err().to_string()
}

/// Tells whether the row of the fixture fits: 8T-12G at 0.2, 11468 MiB, one GPU, a day, 8.13 TFLOP/s, 360 GB/s.
fn fits(text: &str) -> bool {
    parse(text).select(vec![row()]).rows.len() == 1
}

#[test]
fn comparisons_are_exact_to_the_last_digit() {
    for holds in [
        "price<0.200000001",
        "price<=0.2",
        "price=0.20cr/h",
        "price==0.2",
        "price>0.199999999",
        "price>=0.2cr",
        "price!=0.200000001",
        "vram=11468MiB",
        "vram<11.2",
        "vram>11.199",
        "vram>=12GB",
        "VRAM>=12gb",
        "memory<12.1GB",
        "tier=12",
        "tier>=12G",
        "duration=24h",
        "duration>=1d",
        "longest<86401s",
        "tflops=8.13",
        "gemm>8129G",
        "bandwidth>=0.36TB/s",
        "network=40Mbit/s",
        "sandbox>0",
        "proven=no",
        "proven!=yes",
        "node=5e5e",
        "seller=5E5E5E5E",
        "order!=ff",
        "attributes=train",
        "can=f16,infer",
        "attributes!=f16",
    ] {
        assert!(fits(holds), "{holds}");
    }
    for fails in [
        "price<0.2",
        "price>0.2",
        "price=0.200000001",
        "vram>=12",
        "vram>11.2",
        "gpus>1",
        "duration>24h",
        "proven=yes",
        "node=ff",
        "attributes=f16",
        "attributes!=train,f16",
        "price<=0.2 gpus=2",
    ] {
        assert!(!fits(fails), "{fails}");
    }
}

#[test]
fn ranges_and_lists_take_their_ends_in() {
    for holds in [
        "price=0.2..0.4",
        "price=..0.2",
        "price=0.2..",
        "vram=12GB..80GB",
        "gpus=1..8",
        "gpus=4,1..2",
        "tflops=8T..",
        "class=16T-12G,8T-12G",
        "class=4T-8G..8T-24G",
        "price!=0.3..,0.1",
    ] {
        assert!(fits(holds), "{holds}");
    }
    for fails in [
        "gpus=2..8",
        "vram=24GB..80GB",
        "price!=..0.2",
        "class=16T-12G,23T-24G",
    ] {
        assert!(!fits(fails), "{fails}");
    }
}

#[test]
fn a_class_is_above_another_where_it_may_stand_in_for_it() {
    assert!(fits("class>=8T-12G") && fits("class>=4T-8G") && fits("class>4T-12G"));
    assert!(!fits("class>=4T-16G") && !fits("class<=4T-16G"));
    assert!(!fits("class>=cpu-0.06T-4G"), "a processor is no slow card");
}

#[test]
fn what_is_not_known_fits_no_term() {
    for term in ["f16>0", "f16!=5", "f16=..9", "upload<1"] {
        assert!(!fits(term), "{term}");
    }
}

#[test]
fn what_is_not_understood_is_told_with_what_to_write() {
    let wrong = [
        "vram",
        ">=12",
        "prize<0.4",
        "reliability>0.98",
        "price<",
        "price<cheap",
        "price<0.0000000001",
        "price<1.2.3",
        "price<12345678901234567",
        "vram>=12parsec",
        "duration>=2",
        "class=16T",
        "class=16T-13G",
        "proven=maybe",
        "proven>no",
        "attributes=fast",
        "node=5e..",
        "node=5e_e",
        "price<0.1..0.2",
        "price>=1,2",
        "price=..",
        "gpus=8..1",
        "gpus=1,,2",
        "price=>0.4",
        "a\u{1b}[2J=1",
    ];
    let told: Vec<String> = wrong.map(refusal).to_vec();
    assert_snapshot!(told.join("\n"));
}

#[test]
fn printed_filters_are_canonical() {
    let printed =
        parse("  Memory>=012.50gib   price==0.40,..0.1  longest=1H.. seller=AB ").to_string();
    assert_eq!(
        printed,
        "vram>=12.5GiB price=0.4,..0.1 duration=1h.. node=ab"
    );
}

#[test]
fn an_order_has_fields_in_both_directions() {
    let order = |text| Order::<BookRow>::parse(text, &OFFER_FIELDS);
    assert_eq!(
        order("price,-vram,gpus-").unwrap().to_string(),
        "price,-vram,-gpus"
    );
    for wrong in [
        "",
        "price,",
        "--price",
        "-price-",
        "reliability",
        "price;gpus",
    ] {
        assert!(order(wrong).is_err(), "{wrong}");
    }
    let (cheap, dear) = (row(), fixture::book().asks.remove(1));
    let ascending = order("gpus,price").unwrap();
    assert_eq!(ascending.compare(&cheap, &dear), Ordering::Less);
    let descending = order("gpus,-price").unwrap();
    assert_eq!(descending.compare(&cheap, &dear), Ordering::Greater);
}

#[test]
fn what_is_not_known_is_sorted_last_in_both_directions() {
    for order in ["bandwidth", "-bandwidth"] {
        let mut rows = [None, Some(2), Some(1)].map(|gb_per_s| BookRow { gb_per_s, ..row() });
        Order::parse(order, &OFFER_FIELDS).unwrap().sort(&mut rows);
        assert_eq!(rows[2].gb_per_s, None, "{order}");
    }
}

#[test]
fn every_name_finds_its_own_field_and_every_example_is_understood() {
    fn check<Row>(fields: &'static [Field<Row>]) {
        for field in fields {
            Filter::parse(&field.example(), fields).unwrap();
            for name in field.aliases.iter().chain([&field.name]) {
                let order = Order::parse(name, fields).unwrap();
                assert_eq!(order.to_string(), field.name);
            }
        }
    }
    check(&OFFER_FIELDS);
    check(&CLASS_FIELDS);
    check(&TRADE_FIELDS);
}

#[test]
fn classes_have_fields_of_their_own() {
    let kept = |text| -> Vec<String> {
        let rows = fixture::market_data::classes().classes;
        let filter = Filter::parse(text, &CLASS_FIELDS).unwrap();
        let rows = filter.select(rows).rows;
        rows.iter().map(|row| row.class.to_string()).collect()
    };
    assert_eq!(kept("ask<1 class!=8T-12G"), ["cpu-0.5T-4G"]);
    let refused = Filter::parse("payer=5e", &CLASS_FIELDS).unwrap_err();
    assert!(
        refused.to_string().contains("did you mean payers?"),
        "{refused}"
    );
}

#[test]
fn trades_have_fields_of_their_own() {
    let trade = || -> TradeRow { fixture::past::trades().trades.remove(0) };
    let fits = |text: String| {
        let filter = Filter::parse(&text, &TRADE_FIELDS).unwrap();
        filter.select(vec![trade()]).rows.len() == 1
    };
    let row = trade();
    assert!(fits(
        format!("price={} paid={}", row.price.0, row.paid).replace(" cr", "cr")
    ));
    assert!(fits(format!("payer={} block>={}", row.payer, row.height)));
    assert!(!fits(format!("time>{}s", row.gpu_ms / 1_000 + 1)));
}

#[test]
fn a_row_is_counted_at_the_term_that_leaves_out_most() {
    let rows: Vec<BookRow> = (1..=4).map(|gpus| BookRow { gpus, ..row() }).collect();
    let selection = parse("gpus>1 price>1 gpus<4").select(rows);
    assert_eq!(
        selection.explain("offer", 0),
        "4 offers: 4 not price>1, 0 shown"
    );
}
