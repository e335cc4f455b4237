//! Amounts: exact text in both directions, and nothing that wraps.

use proptest::prelude::*;

use super::*;

#[test]
fn text_that_is_not_an_exact_amount_is_refused_with_the_reason() {
    let parse = |text: &str| text.parse::<Amount>();
    for text in [
        "", ".", "1.", ".5", "-1", "1e3", "1,5", "0x10", "1.2.3", "cr", "NaN",
    ] {
        assert!(
            matches!(parse(text), Err(ParseAmountError::NotDecimal { .. })),
            "{text}"
        );
    }
    assert!(matches!(
        parse("0.0000000001"),
        Err(ParseAmountError::TooFine { .. })
    ));
    assert!(matches!(
        parse("10000000001"),
        Err(ParseAmountError::TooLarge { .. })
    ));
    assert!(matches!(
        parse("99999999999999999999999"),
        Err(ParseAmountError::TooLarge { .. })
    ));
}

#[test]
fn amounts_print_exactly_without_trailing_zeros() {
    let shown = |nanocredits| Amount::from_nanocredits(nanocredits).to_string();
    assert_eq!(shown(0), "0 cr");
    assert_eq!(shown(1), "0.000000001 cr");
    assert_eq!(shown(250_000_000), "0.25 cr");
    assert_eq!(shown(12_000_000_000), "12 cr");
    assert_eq!("0.25 cr/h".parse(), Ok(PricePerHour(Amount(250_000_000))));
}

#[test]
fn the_most_that_can_exist_is_an_amount_and_one_more_is_not() {
    assert_eq!("10000000000".parse(), Ok(SUPPLY_CAP));
    assert!(matches!(
        "10000000000.000000001".parse::<Amount>(),
        Err(ParseAmountError::TooLarge { .. })
    ));
    assert_eq!("0.000000001".parse(), Ok(Amount(1)));
}

#[test]
fn amounts_and_prices_show_their_unit_to_people_and_programmers() {
    let amount = Amount(250_000_000);
    assert_eq!(format!("{amount:?}"), "0.25 cr");
    assert_eq!(PricePerHour(amount).to_string(), "0.25 cr/h");
    assert_eq!(format!("{amount:>9}|"), "  0.25 cr|");
}

#[test]
fn sums_differences_and_shares_never_wrap() {
    let most = Amount(u64::MAX);
    assert_eq!(most.checked_add(Amount(1)), None);
    assert_eq!(Amount::ZERO.checked_sub(Amount(1)), None);
    assert_eq!(Amount(3).saturating_sub(Amount(5)), Amount::ZERO);
    assert_eq!(Amount(5).saturating_sub(Amount(3)), Amount(2));
    assert_eq!(most.basis_points(10_000), Some(most));
    assert_eq!(most.basis_points(10_001), None);
    assert_eq!(Amount(9_999).basis_points(1), Some(Amount::ZERO));
    assert_eq!(Amount(10_000).basis_points(1), Some(Amount(1)));
    assert_eq!(Amount::from_credits(u64::MAX), None);
}

proptest! {
    #[test]
    fn printing_and_parsing_are_inverse(nanocredits in 0..=SUPPLY_CAP.nanocredits()) {
        let amount = Amount::from_nanocredits(nanocredits);
        prop_assert_eq!(amount.to_string().parse(), Ok(amount));
        prop_assert_eq!(amount.decimal().parse(), Ok(amount));
    }
}
