//! Checks the money that a job needs before anything is reserved.

use super::*;

fn credits(text: &str) -> Amount {
    text.parse().expect("an amount")
}

fn check(available: &str, deposit: &str) -> Result<(), RunError> {
    let rules = (credits("0.5"), credits("1"));
    check_balance(credits(available), credits(deposit), rules)
}

#[test]
fn the_fee_for_opening_is_needed_on_top_of_the_deposit() {
    assert!(matches!(check("10", "10"), Err(RunError::Money { .. })));
    assert!(check("10.5", "10").is_ok());
}

#[test]
fn a_rest_below_the_least_balance_is_refused_before_the_ledger_does() {
    assert!(matches!(check("11", "10"), Err(RunError::Dust { .. })));
    assert!(check("11.5", "10").is_ok());
}
