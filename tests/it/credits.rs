//! Owns reading amounts as the program prints them, exactly.
//!
//! Never rounds.

use serde_json::Value;

/// Nanocredits in a credit.
const NANO: i128 = 1_000_000_000;

/// Reads an amount such as `0.25`, `-3` or `+1`; the answer is in nanocredits.
pub(crate) fn nano(text: &str) -> i128 {
    let read = || {
        let unsigned = text.trim_start_matches(['-', '+']);
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || fraction.len() > 9 || !digits(whole) || !digits(fraction) {
            return None;
        }
        let whole: i128 = whole.parse().ok()?;
        let fraction: i128 = format!("{fraction:0<9}").parse().ok()?;
        let amount = whole.checked_mul(NANO)?.checked_add(fraction)?;
        Some(if text.starts_with('-') {
            -amount
        } else {
            amount
        })
    };
    read().unwrap_or_else(|| panic!("{text:?} is not an amount"))
}

/// Reads an amount out of JSON, where amounts are exact decimals in quotes.
pub(crate) fn of(value: &Value) -> i128 {
    nano(
        value
            .as_str()
            .unwrap_or_else(|| panic!("{value} is not an amount in quotes")),
    )
}

#[test]
fn amounts_are_read_exactly() {
    assert_eq!(nano("0.25"), 250_000_000);
    assert_eq!(nano("-10"), -10 * NANO);
    assert_eq!(nano("+0.000000001"), 1);
}
