//! Cross rates: worked examples, and which price they are made of.

use super::*;
use crate::fixture::price;

#[test]
fn a_rate_says_how_many_hours_one_hour_buys() {
    let rates = cross_rates_ppm(&[price(100), price(300)]);
    assert_eq!(rates, [[1_000_000, 333_333], [3_000_000, 1_000_000]]);
}

#[test]
fn the_ends_of_the_range_do_not_overflow() {
    let rates = cross_rates_ppm(&[price(u64::MAX), price(1), price(0)]);
    assert_eq!(rates[0], [1_000_000, u64::MAX, 0]);
    assert_eq!(rates[1], [0, 1_000_000, 0]);
    assert!(cross_rates_ppm(&[]).is_empty());
}

#[test]
fn the_most_trustworthy_source_that_has_a_price_is_taken() {
    let best = |last, mid, index| {
        ClassPrice::best([
            (PriceSource::Last, last),
            (PriceSource::Mid, mid),
            (PriceSource::Index, index),
        ])
    };
    let of = |nanocredits, source| {
        let price = price(nanocredits);
        Some(ClassPrice { price, source })
    };
    let [one, two, three] = [1, 2, 3].map(|n| Some(price(n)));
    assert_eq!(best(one, two, three), of(3, PriceSource::Index));
    assert_eq!(best(one, two, None), of(2, PriceSource::Mid));
    assert_eq!(best(one, Some(price(0)), None), of(1, PriceSource::Last));
    assert_eq!(best(None, None, None), None);
}
