//! Delegations: who signed, for whom, for what and until when, each refused by its own name.

use super::*;
use crate::keys::SecretKey;

const CHAIN: ChainId = ChainId::from_bytes([7; 32]);
const END: Timestamp = Timestamp::from_millis(1_000);

fn key(seed: u8) -> SecretKey {
    SecretKey::from_seed([seed; 32])
}

fn delegation() -> Delegation {
    Delegation {
        account: key(1).account(),
        node: key(2).node(),
        permission: Permission::Buy,
        spend_cap: Amount::from_nanocredits(5),
        expires_at: END,
    }
}

fn act() -> Act {
    Act {
        account: key(1).account(),
        node: key(2).node(),
        wanted: Permission::Buy,
    }
}

fn before_the_end() -> Timestamp {
    Timestamp::from_millis(END.as_millis() - 1)
}

#[test]
fn an_account_lets_its_node_act_until_the_end() {
    let signed = Signed::sign(&delegation(), &key(1), &CHAIN);
    let authorised = |now| authorise(&signed, act(), &CHAIN, now);
    assert_eq!(authorised(before_the_end()), Ok(delegation()));
    assert_eq!(authorised(END), Err(DelegationError::Expired));
}

#[test]
fn nobody_delegates_for_another_account() {
    let forged = Signed::sign(&delegation(), &key(2), &CHAIN);
    let account = key(1).account();
    assert_eq!(
        authorise(&forged, act(), &CHAIN, before_the_end()),
        Err(DelegationError::NotByAccount { account })
    );
    let elsewhere = Signed::sign(&delegation(), &key(1), &ChainId::from_bytes([8; 32]));
    assert!(matches!(
        authorise(&elsewhere, act(), &CHAIN, before_the_end()),
        Err(DelegationError::Wire(WireError::BadSignature { .. }))
    ));
}

#[test]
fn a_delegation_is_for_one_node_and_one_account() {
    let signed = Signed::sign(&delegation(), &key(1), &CHAIN);
    let other_node = Act {
        node: key(3).node(),
        ..act()
    };
    let other_account = Act {
        account: key(3).account(),
        ..act()
    };
    for act in [other_node, other_account] {
        assert_eq!(
            authorise(&signed, act, &CHAIN, before_the_end()),
            Err(DelegationError::OtherParties {
                account: key(1).account(),
                node: key(2).node(),
            })
        );
    }
}

#[test]
fn a_permission_includes_itself_and_both_include_each() {
    use Permission::{Buy, Sell, SellAndBuy};
    let included = [
        (Buy, [true, false, false]),
        (Sell, [false, true, false]),
        (SellAndBuy, [true, true, true]),
    ];
    for (held, expected) in included {
        assert_eq!(
            [Buy, Sell, SellAndBuy].map(|wanted| held.includes(wanted)),
            expected
        );
    }
    let signed = Signed::sign(&delegation(), &key(1), &CHAIN);
    let sell = Act {
        wanted: Sell,
        ..act()
    };
    assert_eq!(
        authorise(&signed, sell, &CHAIN, before_the_end()),
        Err(DelegationError::NotPermitted {
            held: Buy,
            wanted: Sell
        })
    );
}
