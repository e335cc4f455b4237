//! Prices by hand, and what holds of every price: floors, monotony, and that undercutting ends.

use proptest::prelude::{any, prop_assert, prop_assert_eq, prop_compose, prop_oneof, proptest};
use proptest::strategy::Strategy as Generator;

use super::*;

const MILLI: u64 = 1_000_000;

fn pricing(strategy: Strategy) -> Pricing {
    Pricing {
        strategy,
        price: nanocredits(250 * MILLI),
        floor: nanocredits(50 * MILLI),
        undercut_step: nanocredits(MILLI),
        power: Power::default(),
        margin: nanocredits(10 * MILLI),
        interval: Duration::from_secs(10),
    }
}

fn others(ask: Option<u64>, bid: Option<u64>) -> Touch {
    Touch {
        best_ask: ask.map(nanocredits),
        best_bid: bid.map(nanocredits),
    }
}

fn told(pricing: &Pricing, others: Touch) -> String {
    let priced = pricing.price(others);
    format!("{}: {}", priced.price, priced.why)
}

#[test]
fn each_strategy_says_what_it_asks_and_why() {
    let market = others(Some(220 * MILLI), Some(180 * MILLI));
    let cases = [
        (Strategy::Fixed, "0.25 cr/h: your fixed price"),
        (
            Strategy::Join,
            "0.22 cr/h: level with the lowest ask of others",
        ),
        (
            Strategy::Undercut,
            "0.219 cr/h: 0.001 cr/h below the lowest ask of others, 0.22 cr/h",
        ),
        (
            Strategy::FollowMid,
            "0.2 cr/h: half-way between the highest bid, 0.18 cr/h, and the lowest ask of others, 0.22 cr/h",
        ),
        (
            Strategy::Cost,
            "0.25 cr/h: your price, because watts and tariff are not both set",
        ),
    ];
    for (strategy, expected) in cases {
        assert_eq!(told(&pricing(strategy), market), expected);
    }
}

#[test]
fn power_costs_watts_times_tariff_and_nobody_sells_below_that() {
    let mut pricing = pricing(Strategy::Cost);
    pricing.power = Power {
        watts: 200,
        tariff: Amount::from_nanocredits(300 * MILLI),
    };
    assert_eq!(
        told(&pricing, Touch::default()),
        "0.07 cr/h: power costs 0.06 cr/h (200 W at 0.3 cr/kWh), and your margin is 0.01 cr/h"
    );
    pricing.strategy = Strategy::Undercut;
    let told = told(&pricing, others(Some(55 * MILLI), None));
    assert_eq!(
        told,
        "0.06 cr/h: what power costs (200 W at 0.3 cr/kWh); 0.001 cr/h below the lowest ask of others, 0.055 cr/h \
         would be 0.054 cr/h"
    );
    let tiny = Power {
        watts: 1,
        tariff: Amount::from_nanocredits(1),
    };
    assert_eq!(tiny.cost_per_hour(), Some(nanocredits(1)), "rounded up");
}

#[test]
fn an_empty_side_of_the_market_is_not_followed() {
    let bids_alone = others(None, Some(180 * MILLI));
    for strategy in [Strategy::Join, Strategy::Undercut, Strategy::FollowMid] {
        let priced = pricing(strategy).price(bids_alone);
        assert_eq!(priced.price, nanocredits(250 * MILLI), "{strategy}");
        assert!(priced.why.contains("nobody else"), "{}", priced.why);
    }
    let asks_alone = others(Some(220 * MILLI), None);
    let priced = pricing(Strategy::FollowMid).price(asks_alone);
    assert_eq!(priced.price, nanocredits(220 * MILLI));
}

#[test]
fn a_fixed_price_is_the_least_that_a_bid_must_pay_and_the_floor_is_for_the_others() {
    assert_eq!(
        pricing(Strategy::Fixed).least_bid(),
        nanocredits(250 * MILLI)
    );
    for strategy in &Strategy::ALL[1..] {
        assert_eq!(pricing(*strategy).least_bid(), nanocredits(50 * MILLI));
    }
}

#[test]
fn extremes_saturate() {
    let mut pricing = pricing(Strategy::Cost);
    pricing.power = Power {
        watts: u32::MAX,
        tariff: Amount::from_nanocredits(u64::MAX),
    };
    pricing.margin = nanocredits(u64::MAX);
    assert_eq!(pricing.price(Touch::default()).price, nanocredits(u64::MAX));
    pricing.power = Power::default();
    pricing.strategy = Strategy::Join;
    let far_off = others(Some(u64::MAX), None);
    assert_eq!(pricing.price(far_off).price, MAX_PRICE);
    pricing.floor = nanocredits(0);
    pricing.strategy = Strategy::Undercut;
    let priced = pricing.price(others(Some(1), None));
    assert_eq!(priced.price, nanocredits(1), "never for nothing");
}

fn any_price() -> impl Generator<Value = PricePerHour> {
    prop_oneof![0_u64..1_000_000_000, any::<u64>()].prop_map(nanocredits)
}

prop_compose! {
    fn any_pricing()(
        strategy in proptest::sample::select(Strategy::ALL.to_vec()),
        prices in (any_price(), any_price(), any_price(), any_price()),
        watts in 0_u32..5_000,
        tariff in 0_u64..2_000_000_000,
    ) -> Pricing {
        Pricing {
            strategy,
            price: prices.0,
            floor: prices.1,
            undercut_step: prices.2,
            power: Power { watts, tariff: Amount::from_nanocredits(tariff) },
            margin: prices.3,
            interval: Duration::from_secs(10),
        }
    }
}

prop_compose! {
    fn any_touch()(ask in proptest::option::of(any_price()), bid in proptest::option::of(any_price())) -> Touch {
        Touch { best_ask: ask, best_bid: bid }
    }
}

/// Lets two providers reprice in turn until neither moves; returns how often they did and where they end.
fn war(pair: [Pricing; 2], start: u64) -> (u64, [PricePerHour; 2]) {
    let mut prices = [nanocredits(start); 2];
    let mut moves = 0;
    loop {
        let before = prices;
        for (own, other) in [(0, 1), (1, 0)] {
            let seen = Touch {
                best_ask: Some(prices[other]),
                best_bid: None,
            };
            let price = pair[own].price(seen).price;
            moves += u64::from(price != prices[own]);
            prices[own] = price;
        }
        if prices == before {
            return (moves, prices);
        }
    }
}

proptest! {
    #[test]
    fn no_price_is_below_the_floor_or_the_cost_of_power(pricing in any_pricing(), others in any_touch()) {
        let price = pricing.price(others).price;
        prop_assert!(price >= pricing.floor);
        prop_assert!(price >= pricing.power.cost_per_hour().unwrap_or(pricing.floor));
        prop_assert!(price.0 > Amount::ZERO);
        prop_assert!(pricing.least_bid() >= pricing.least());
    }

    #[test]
    fn a_dearer_market_or_floor_never_makes_it_cheaper(
        pricing in any_pricing(),
        others in any_touch(),
        more in 0_u64..1_000_000_000,
    ) {
        let raised = |price: PricePerHour| nanocredits(price.0.nanocredits().saturating_add(more));
        let price = pricing.price(others).price;
        let dearer = Touch { best_ask: others.best_ask.map(raised), ..others };
        prop_assert!(pricing.price(dearer).price >= price, "the lowest ask");
        let wanted = Touch { best_bid: others.best_bid.map(raised), ..others };
        prop_assert!(pricing.price(wanted).price >= price, "the highest bid");
        let floor = Pricing { floor: raised(pricing.floor), ..pricing };
        prop_assert!(floor.price(others).price >= price, "the floor");
        let margin = Pricing { margin: raised(pricing.margin), ..pricing };
        prop_assert!(margin.price(others).price >= price, "the margin");
        let step = Pricing { undercut_step: raised(pricing.undercut_step), ..pricing };
        prop_assert!(step.price(others).price <= price, "a larger step is never dearer");
    }

    #[test]
    fn who_is_alone_does_not_move(pricing in any_pricing(), bid in proptest::option::of(any_price())) {
        // The own orders never count: after posting, the market of others is what it was.
        let others = Touch { best_ask: None, best_bid: bid };
        prop_assert_eq!(pricing.price(others), pricing.price(others));
        if pricing.strategy != Strategy::Cost {
            prop_assert_eq!(pricing.price(others).price, pricing.price.min(MAX_PRICE).max(pricing.least()));
        }
    }

    #[test]
    fn two_that_undercut_each_other_stop_at_the_higher_floor(
        floors in (1_u64..1_000, 1_u64..1_000),
        steps in (1_u64..50, 1_u64..50),
        start in 1_000_u64..5_000,
    ) {
        let one = |floor, step| Pricing {
            floor: nanocredits(floor),
            undercut_step: nanocredits(step),
            ..pricing(Strategy::Undercut)
        };
        let (moves, prices) = war([one(floors.0, steps.0), one(floors.1, steps.1)], start);
        let [first, second] = prices.map(|price| price.0.nanocredits());
        prop_assert!(first >= floors.0 && second >= floors.1);
        let stopped = (first == floors.0) || (second == floors.1);
        prop_assert!(stopped, "one of them stands at its floor");
        prop_assert!(moves <= start / steps.0.min(steps.1) * 2 + 4, "{moves} moves");
    }
}
