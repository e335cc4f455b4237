//! What is said of proposals.

use market::{AccountId, Amount};

use super::*;

fn outlook(signed: usize, holder_open: Option<AccountId>) -> Outlook {
    let keys = [1, 2, 3].map(|byte| AccountId::from_bytes([byte; 32]));
    Outlook {
        operation: Operation::Redeem {
            from: AccountId::from_bytes([9; 32]),
            amount: Amount::from_nanocredits(1_500_000_000),
        },
        valid_until_height: 90,
        treasury_signed: keys[..signed].to_vec(),
        treasury_open: keys[signed..].to_vec(),
        threshold: 3,
        holder_open,
    }
}

#[test]
fn who_must_still_sign_is_told_with_what_to_do() {
    let file = Path::new("redeem.json");
    let holder = AccountId::from_bytes([9; 32]);
    let early = text(file, &outlook(1, Some(holder)));
    assert!(early.contains("redeem 1.5"), "{early}");
    assert!(early.contains("1 of 3 treasury signatures"), "{early}");
    assert!(
        early.contains("2 more treasury keys must sign, and night1"),
        "{early}"
    );
    assert!(early.contains("operator cosign redeem.json"), "{early}");
    let late = text(file, &outlook(2, None));
    assert!(late.contains("1 more treasury key must sign"), "{late}");
    let done = text(file, &outlook(3, None));
    assert!(done.contains("all have signed who must"), "{done}");
    assert!(done.contains("operator submit redeem.json"), "{done}");
}
