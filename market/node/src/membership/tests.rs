//! Join strings and genesis files: wrong ones are refused in words.

use market::Amount;
use market::Timestamp;
use market::genesis::Fees;
use market::keys::SecretKey;

use super::*;

fn genesis(name: &str) -> Genesis {
    let key = SecretKey::from_seed([1; 32]);
    Genesis {
        version: 1,
        name: name.to_owned(),
        time: Timestamp::from_millis(5),
        operators: vec![key.node()],
        treasury: vec![key.account()],
        treasury_threshold: 1,
        issue_cap_per_epoch: Amount::from_nanocredits(5),
        minimum_balance: Amount::ZERO,
        fees: Fees {
            transfer: Amount::ZERO,
            open: Amount::ZERO,
            channel_bps: 0,
        },
        challenge_ms: 5_000,
        open_posting: true,
    }
}

#[test]
fn a_join_string_survives_printing() {
    let peer = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
    let text = format!("{}@/ip4/127.0.0.1/tcp/4001/p2p/{peer}", "ab".repeat(32));
    let join: JoinString = text.parse().unwrap();
    assert_eq!(join.to_string(), text);
}

#[test]
fn a_wrong_join_string_says_what_is_wrong_and_what_one_looks_like() {
    let hash = "ab".repeat(32);
    for (text, problem) in [
        ("nonsense".to_owned(), "no @"),
        ("xyz@/ip4/127.0.0.1/tcp/1".to_owned(), "64 hexadecimal"),
        (format!("{hash}@127.0.0.1:4001"), "the address"),
        (format!("{hash}@/ip4/127.0.0.1/tcp/4001"), "/p2p/"),
    ] {
        let error = text.parse::<JoinString>().unwrap_err().to_string();
        assert!(
            error.contains(problem) && error.contains("operator run"),
            "{error}"
        );
    }
}

#[test]
fn a_home_joins_one_market_and_keeps_it() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("home")).unwrap();
    assert!(matches!(
        Membership::load(&home),
        Err(MembershipError::NotJoined)
    ));
    let first = Membership::create(&home, genesis("one"), Vec::new()).unwrap();
    assert_eq!(Membership::load(&home).unwrap(), first);
    let other = Membership::create(&home, genesis("two"), Vec::new());
    assert!(matches!(other, Err(MembershipError::AlreadyMember { .. })));
    let sent = Membership::check_received(&genesis("two"), first.chain);
    assert!(matches!(sent, Err(MembershipError::OtherMarket { .. })));
}
