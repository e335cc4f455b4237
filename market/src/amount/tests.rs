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

proptest! {
    #[test]
    fn printing_and_parsing_are_inverse(nanocredits in 0..=SUPPLY_CAP.nanocredits()) {
        let amount = Amount::from_nanocredits(nanocredits);
        prop_assert_eq!(amount.to_string().parse(), Ok(amount));
        prop_assert_eq!(amount.decimal().parse(), Ok(amount));
    }
}
