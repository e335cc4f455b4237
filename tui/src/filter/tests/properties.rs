//! Properties of filters and orders over made-up rows and made-up texts, against a naive oracle.

use std::cmp::Ordering;

use market::order::Attributes;
use market::{Amount, NodeId, OrderId, PricePerHour};
use market_node::api::BookRow;
use proptest::prelude::*;

use super::super::{Filter, OFFER_FIELDS, Order};
use super::row;

prop_compose! {
    fn rows()(
        price in 0u64..6,
        gpus in 1u16..5,
        usable_mib in prop_oneof![Just(1_024u64), Just(1_536), Just(2_048), Just(u64::MAX)],
        gb_per_s in proptest::option::of(0u16..4),
        class in prop_oneof![Just("8T-12G"), Just("8T-8G"), Just("4T-16G"), Just("cpu-0.5T-4G")],
        (proven, bits, id) in (any::<bool>(), 0u64..16, any::<u8>()),
    ) -> BookRow {
        BookRow {
            price: PricePerHour(Amount::from_nanocredits(price * 100_000_000)),
            gpus,
            usable_mib,
            gb_per_s,
            class: class.parse().unwrap(),
            proven,
            attributes: Attributes::from_bits(bits),
            node: NodeId::from_bytes([id % 3; 32]),
            order: OrderId::from_bytes([id; 32]),
            ..row()
        }
    }
}

/// A field of whole numbers as the oracle sees it: its name, and its value in tenths of what a number alone means.
type Tenths = (&'static str, fn(&BookRow) -> Option<u128>);

const NUMBERS: [Tenths; 4] = [
    ("price", |row| {
        Some(u128::from(row.price.0.nanocredits()) / 100_000_000)
    }),
    ("gpus", |row| Some(u128::from(row.gpus) * 10)),
    ("vram", |row| Some(u128::from(row.usable_mib) * 10 / 1_024)),
    ("bandwidth", |row| {
        row.gb_per_s.map(|rate| u128::from(rate) * 10)
    }),
];

/// A term over whole numbers and what an oracle says of it: value, comparison, bound in tenths.
fn numeric() -> impl Strategy<Value = (String, Tenths, &'static str, u128)> {
    let field = prop::sample::select(NUMBERS.to_vec());
    let comparison = prop::sample::select(vec![">", ">=", "<", "<=", "=", "!="]);
    (field, comparison, 0u128..50).prop_map(|(field, comparison, tenths)| {
        let text = format!("{}{comparison}{}.{}", field.0, tenths / 10, tenths % 10);
        (text, field, comparison, tenths)
    })
}

fn oracle(value: Option<u128>, comparison: &str, bound: u128) -> bool {
    let Some(value) = value else { return false };
    match comparison {
        ">" => value > bound,
        ">=" => value >= bound,
        "<" => value < bound,
        "<=" => value <= bound,
        "=" => value == bound,
        _ => value != bound,
    }
}

/// Pieces out of which texts are put together that are nearly filters.
fn nearly() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "price",
        "vram",
        "class",
        "node",
        "proven",
        "attributes",
        "duration",
        "x",
        "=",
        "==",
        "!=",
        "<",
        ">=",
        ">",
        "..",
        ",",
        "-",
        "0",
        "00.50",
        "12",
        "9999999999999999",
        ".",
        "GiB",
        "MiB",
        "T",
        "cr/h",
        "h",
        "16T-12G",
        "cpu-0.5T-4G",
        "yes",
        "f16",
        "5e",
        " ",
        "\u{202e}",
        "é",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), near in nearly()) {
        for text in [text, near] {
            if let Err(error) = Filter::parse(&text, &OFFER_FIELDS) {
                let told = error.to_string();
                prop_assert!(!told.contains('\u{202e}'), "{told}");
            }
            let _ = Order::parse(&text, &OFFER_FIELDS);
        }
    }

    #[test]
    fn what_is_printed_is_read_as_the_same(text in nearly(), term in numeric()) {
        for text in [text, term.0] {
            if let Ok(filter) = Filter::parse(&text, &OFFER_FIELDS) {
                let printed = filter.to_string();
                prop_assert_eq!(Filter::parse(&printed, &OFFER_FIELDS), Ok(filter), "{}", printed);
            }
            if let Ok(order) = Order::parse(&text, &OFFER_FIELDS) {
                prop_assert_eq!(Order::parse(&order.to_string(), &OFFER_FIELDS), Ok(order));
            }
        }
    }

    #[test]
    fn what_is_kept_is_what_an_oracle_keeps(
        terms in prop::collection::vec(numeric(), 0..4),
        rows in prop::collection::vec(rows(), 0..20),
    ) {
        let text: Vec<&str> = terms.iter().map(|term| term.0.as_str()).collect();
        let filter = Filter::parse(&text.join(" "), &OFFER_FIELDS).unwrap();
        let fits = |row: &&BookRow| {
            terms.iter().all(|(_, field, comparison, bound)| oracle((field.1)(row), comparison, *bound))
        };
        let expected: Vec<BookRow> = rows.iter().filter(fits).cloned().collect();
        let selection = filter.select(rows.clone());
        prop_assert_eq!(selection.considered(), rows.len());
        prop_assert_eq!(selection.rows, expected);
    }

    #[test]
    fn sorting_is_stable_and_total(
        keys in prop::sample::subsequence(vec!["price", "-gpus", "bandwidth-", "class", "-proven", "attributes"], 0..6),
        mut rows in prop::collection::vec(rows(), 0..20),
    ) {
        let keys = match keys.is_empty() {
            true => "node".to_owned(),
            false => keys.join(","),
        };
        let order = Order::parse(&keys, &OFFER_FIELDS).unwrap();
        for (index, row) in rows.iter_mut().enumerate() {
            row.expires_in_s = index as u64;
        }
        for (left, right) in rows.iter().zip(rows.iter().skip(1)) {
            prop_assert_eq!(order.compare(left, right), order.compare(right, left).reverse());
        }
        order.sort(&mut rows);
        for (left, right) in rows.iter().zip(rows.iter().skip(1)) {
            let compared = order.compare(left, right);
            prop_assert_ne!(compared, Ordering::Greater);
            prop_assert!(compared.is_lt() || left.expires_in_s < right.expires_in_s);
        }
    }
}
