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

/// What can be locked of 8 credits where 3 are expected to be enough, with 0.5 for the fee and 1 to stay.
fn lock(available: &str) -> Result<Amount, RunError> {
    let job = (credits("8"), credits("3"));
    lockable(credits(available), job, (credits("0.5"), credits("1")))
}

#[test]
fn a_later_attempt_locks_what_there_is_if_that_is_twice_what_is_expected() {
    assert_eq!(lock("10").unwrap(), credits("8"));
    assert_eq!(
        lock("8.5").unwrap(),
        credits("8"),
        "nothing need stay behind"
    );
    assert_eq!(lock("9").unwrap(), credits("7.5"), "or else enough");
    assert_eq!(lock("7.5").unwrap(), credits("6"));
}

#[test]
fn a_later_attempt_without_enough_says_what_must_come_back_first() {
    let error = lock("7").unwrap_err();
    assert_eq!(error.missing(), Some(credits("0.5")));
    assert!(
        error.to_string().contains("comes back by itself"),
        "{error}"
    );
    assert_eq!(lock("0").unwrap_err().missing(), Some(credits("7.5")));
}
