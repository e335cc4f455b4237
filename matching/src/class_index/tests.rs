//! The class index: its rules by example, and what trading with oneself can do to it.

use market::{Amount, ChannelId};
use proptest::prelude::*;

use super::*;
use crate::fixture::{account, price, trade};

/// A trade of `gpu_ms` at a price of `3_600_000 * price_a_ms` between two accounts.
fn dealt((payer, payee): (u8, u8), gpu_ms: u64, price_a_ms: u64) -> Trade {
    Trade {
        payer: account(payer),
        payee: account(payee),
        price: price(3_600_000 * price_a_ms),
        paid: Amount::from_nanocredits(gpu_ms * price_a_ms),
        ..trade(payer, 0, 60)
    }
}

fn index_of(trades: &[Trade]) -> Result<ClassIndex, NoPrice> {
    class_index(trades.iter())
}

/// The index in units of [`dealt`].
fn price_of(trades: &[Trade]) -> u64 {
    index_of(trades).unwrap().price.0.nanocredits() / 3_600_000
}

#[test]
fn fewer_than_five_payers_make_no_price_and_are_counted() {
    let mut trades: Vec<Trade> = (1..=4).map(|n| dealt((n, 100), 60_000, 7)).collect();
    // The same payers again, and one whose trade weighs nothing.
    trades.extend((1..=4).map(|n| dealt((n, 101), 60_000, 7)));
    let weightless = Trade {
        paid: Amount::from_nanocredits(1),
        ..dealt((5, 100), 60_000, 7)
    };
    assert_eq!(weightless.gpu_ms(), 0);
    trades.push(weightless);
    let none = NoPrice::TooFewPayers { payers: 4 };
    assert_eq!(index_of(&trades), Err(none));
    assert_eq!(none.to_string(), "4 of 5 payers in the last hour");
    assert_eq!(index_of(&[]), Err(NoPrice::TooFewPayers { payers: 0 }));
    trades.push(dealt((5, 100), 1, 7));
    assert_eq!(index_of(&trades).map(|index| index.payers), Ok(5));
}

#[test]
fn the_index_is_the_median_by_weight_and_not_by_number() {
    // Twenty pairs, none above a tenth: 11 light ones at 2, 9 heavier ones at 5.
    let light = (1..=11).map(|n| dealt((n, 100), 1_000, 2));
    let heavy = (12..=20).map(|n| dealt((n, 100), 2_000, 5));
    let trades: Vec<Trade> = light.chain(heavy).collect();
    assert_eq!(price_of(&trades), 5);
    let half: Vec<Trade> = (1..=10)
        .map(|n| dealt((n, 100), 1_000, if n <= 5 { 2 } else { 5 }))
        .collect();
    assert_eq!(price_of(&half), 2, "of two medians the lower");
}

#[test]
fn to_and_fro_between_two_accounts_is_one_pair() {
    let honest = (1..=20).map(|n| dealt((n, 100), 1_000, 10 + u64::from(n)));
    let mut trades: Vec<Trade> = honest.collect();
    assert_eq!(price_of(&trades), 20);
    trades.push(dealt((50, 51), 1 << 38, 1));
    let one_way = price_of(&trades);
    trades.push(dealt((51, 50), 1 << 38, 1));
    assert_eq!(price_of(&trades), one_way);
}

#[test]
fn with_fewer_than_ten_pairs_every_pair_weighs_the_same() {
    let weights = [1_000, 1, 70, 1 << 40, 500];
    let pairs = (1..).zip(weights);
    let trades: Vec<Trade> = pairs
        .map(|(n, gpu_ms)| dealt((n, 100), gpu_ms, u64::from(n)))
        .collect();
    assert_eq!(price_of(&trades), 3);
}

#[test]
fn an_unbounded_volume_at_an_absurd_price_moves_the_index_a_step() {
    let honest: Vec<Trade> = (1..=20)
        .map(|n| dealt((n, 100), 3_600_000, 100 + u64::from(n)))
        .collect();
    assert_eq!(price_of(&honest), 110);
    for (absurd, within) in [(1, 109..=110), (1_000_000, 110..=112)] {
        let wash = Trade {
            paid: Amount::from_nanocredits(u64::MAX),
            ..dealt((50, 51), 1, absurd)
        };
        let trades: Vec<Trade> = honest.iter().copied().chain([wash]).collect();
        let moved = price_of(&trades);
        assert!(within.contains(&moved), "{absurd}: {moved}");
    }
}

#[test]
fn trades_of_one_channel_each_are_cut_in_proportion() {
    // The pair of account 50 has half its volume at each of two prices; cut to a tenth it still has half at each.
    let mut trades: Vec<Trade> = (1..=9).map(|n| dealt((n, 100), 1_000, 50)).collect();
    let wash = [1, 99].map(|price| Trade {
        channel: ChannelId::from_bytes([7; 32]),
        ..dealt((50, 51), 1 << 30, price)
    });
    trades.extend(wash);
    let mut ladder = Ladder::new();
    let pair: Ladder = [(price(1), 1 << 30), (price(99), 1 << 30)].into();
    add_capped(&mut ladder, &pair, 1_001);
    assert_eq!(ladder.values().copied().collect::<Vec<u128>>(), [500, 501]);
    assert_eq!(price_of(&trades), 50);
}

/// The largest cap, by trying.
fn tried_cap(weights: &[u128]) -> u128 {
    let parts = PAIR_PARTS.min(weights.len()) as u128;
    let holds = |cap: u128| cap * parts <= weights.iter().map(|w| cap.min(*w)).sum();
    let (mut low, mut high) = (0, weights.iter().max().copied().unwrap_or(0));
    if holds(high) {
        return high;
    }
    while high - low > 1 {
        let middle = low.midpoint(high);
        if holds(middle) {
            low = middle
        } else {
            high = middle
        }
    }
    low
}

/// The lowest and the highest price at which the others' weight alone reaches the quantile that a pair with `added`
/// beside them can push the median to.
fn reach(others: &Ladder, added: u128) -> (PricePerHour, PricePerHour) {
    let all = sum(others) + added;
    let at = |twice_needed: u128| {
        let mut reached = 0;
        let mut steps = others.iter().filter(|(_, weight)| **weight > 0);
        let step = steps.find(|(_, weight)| {
            reached += **weight;
            2 * reached >= twice_needed
        });
        step.map(|(price, _)| *price)
    };
    let most = *others.keys().last().unwrap();
    (at(all - 2 * added).unwrap_or(most), at(all).unwrap_or(most))
}

fn honest() -> impl Strategy<Value = Vec<Trade>> {
    let one = ((1..40_u8, 100..110_u8), 1..5_000_000_u64, 1..200_u64);
    let dealt = one.prop_map(|(pair, gpu_ms, price)| dealt(pair, gpu_ms, price));
    prop::collection::vec(dealt, 12..60)
}

proptest! {
    #[test]
    fn the_cap_is_the_largest_that_holds(weights in prop::collection::vec(1..1_000_u128, 1..40)) {
        let found = share_cap(weights.clone(), PAIR_PARTS);
        let tried = tried_cap(&weights);
        let parts = PAIR_PARTS.min(weights.len()) as u128;
        let counted: u128 = weights.iter().map(|w| found.min(*w)).sum();
        let heaviest = weights.iter().map(|w| found.min(*w)).max().unwrap();
        prop_assert!(heaviest * parts <= counted, "{heaviest} of {counted}");
        // Above the heaviest weight every cap counts the same.
        prop_assert_eq!(found.min(*weights.iter().max().unwrap()), tried);
    }

    #[test]
    fn one_pair_moves_the_median_no_further_than_its_tenth_reaches(
        honest in honest(),
        washes in prop::collection::vec((1..=(1_u64 << 42), 1..1_000_u64, any::<bool>()), 1..5),
    ) {
        let wash = washes.iter().map(|(gpu_ms, price, is_back)| {
            dealt(if *is_back { (201, 200) } else { (200, 201) }, *gpu_ms, *price)
        });
        let trades: Vec<Trade> = honest.iter().copied().chain(wash).collect();
        let Ok(index) = index_of(&trades) else { return Ok(()) };
        let mut pairs: BTreeMap<Pair, Ladder> = BTreeMap::new();
        for trade in &trades {
            add(pairs.entry(pair(trade)).or_default(), trade.price, weight(trade));
        }
        let weights: Vec<u128> = pairs.values().map(sum).collect();
        let cap = tried_cap(&weights);
        let added = pairs.remove(&pair(&dealt((200, 201), 1, 1))).map(|own| sum(&own).min(cap)).unwrap();
        let mut others = Ladder::new();
        pairs.values().for_each(|ladder| add_capped(&mut others, ladder, cap));
        let parts = PAIR_PARTS.min(weights.len()) as u128;
        prop_assert!(added * parts <= sum(&others) + added);
        let (low, high) = reach(&others, added);
        prop_assert!(low <= index.price && index.price <= high, "{low} {} {high}", index.price);
    }

    #[test]
    fn the_index_is_a_price_that_was_paid_and_no_order_changes_it(honest in honest()) {
        let index = index_of(&honest);
        let backward: Vec<Trade> = honest.iter().rev().copied().collect();
        prop_assert_eq!(index, index_of(&backward));
        if let Ok(index) = index {
            prop_assert!(honest.iter().any(|trade| trade.price == index.price));
        }
    }
}
