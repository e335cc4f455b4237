//! The meter: exact, monotone, and never a sum of rounded ticks.

use proptest::prelude::*;

use super::*;

fn rates(price: u64, hold_bps: u16) -> Rates {
    Rates {
        price_per_hour: PricePerHour(Amount::from_nanocredits(price)),
        gpus: 1,
        hold_bps,
        tick_ms: 10_000,
        prepaid_ticks: 1,
        delivery_ticks: 30,
    }
}

#[test]
fn an_hour_costs_its_price_and_a_held_hour_a_quarter() {
    let rates = rates(250_000_001, 2_500);
    let hour = |running_ms, hold_ms| {
        let meter = Meter {
            running_ms,
            hold_ms,
        };
        rates.due(meter).unwrap().nanocredits()
    };
    assert_eq!(hour(3_600_000, 0), 250_000_001);
    assert_eq!(hour(0, 3_600_000), 62_500_001, "rounded up once");
    assert_eq!(hour(3_600_000, 3_600_000), 312_500_002);
}

#[test]
fn what_cannot_be_counted_is_refused_not_wrapped() {
    let meter = Meter {
        running_ms: u64::MAX,
        hold_ms: u64::MAX,
    };
    assert_eq!(rates(u64::MAX, 10_000).due(meter), None);
}

proptest! {
    #[test]
    fn dues_rise_with_time_and_splitting_costs_at_most_one_unit_a_part(
        price in 0u64..10_000_000_000, first in 0u64..10_000_000, second in 0u64..10_000_000,
    ) {
        let rates = rates(price, 2_500);
        let due = |running_ms| rates.due(Meter { running_ms, hold_ms: 0 }).unwrap().nanocredits();
        let whole = due(first + second);
        prop_assert!(due(first) <= whole);
        prop_assert!(whole <= due(first) + due(second));
        prop_assert!(due(first) + due(second) <= whole + 1);
    }
}
