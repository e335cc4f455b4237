//! The founding facts: each range at its edges, and one id for each market.

use super::*;
use crate::keys::SecretKey;

fn genesis() -> Genesis {
    let key = |seed| SecretKey::from_seed([seed; 32]);
    Genesis {
        version: 1,
        name: "edges".to_owned(),
        time: Timestamp::from_millis(1),
        operators: vec![key(1).node()],
        treasury: vec![key(2).account(), key(3).account()],
        treasury_threshold: 2,
        issue_cap_per_epoch: Amount::from_nanocredits(5),
        minimum_balance: Amount::from_nanocredits(1),
        fees: Fees {
            transfer: Amount::from_nanocredits(1),
            open: Amount::from_nanocredits(1),
            channel_bps: 10_000,
        },
        challenge_ms: 1,
        open_posting: true,
    }
}

/// What the genesis is judged to be after a change.
fn judged(change: impl FnOnce(&mut Genesis)) -> Result<(), GenesisError> {
    let mut genesis = genesis();
    change(&mut genesis);
    genesis.validate()
}

#[test]
fn a_genesis_at_every_edge_is_valid() {
    assert_eq!(judged(|_| ()), Ok(()));
    assert_eq!(judged(|g| g.name = "n".repeat(64)), Ok(()));
    assert_eq!(judged(|g| g.name = "n".to_owned()), Ok(()));
    assert_eq!(judged(|g| g.treasury_threshold = 1), Ok(()));
}

#[test]
fn a_genesis_beyond_an_edge_is_refused_with_the_rule() {
    let treasury = |threshold, keys| Err(GenesisError::Treasury { threshold, keys });
    assert_eq!(judged(|g| g.version = 2), Err(GenesisError::Version(2)));
    assert_eq!(judged(|g| g.version = 0), Err(GenesisError::Version(0)));
    assert_eq!(judged(|g| g.name.clear()), Err(GenesisError::Name(0)));
    let long = judged(|g| g.name = "n".repeat(65));
    assert_eq!(long, Err(GenesisError::Name(65)));
    let none = judged(|g| g.operators.clear());
    assert_eq!(none, Err(GenesisError::Operators(0)));
    let two = judged(|g| g.operators.push(g.operators[0]));
    assert_eq!(two, Err(GenesisError::Operators(2)));
    assert_eq!(judged(|g| g.treasury_threshold = 0), treasury(0, 2));
    assert_eq!(judged(|g| g.treasury_threshold = 3), treasury(3, 2));
    assert_eq!(judged(|g| g.treasury.clear()), treasury(2, 0));
    let more = judged(|g| g.fees.channel_bps = 10_001);
    assert_eq!(more, Err(GenesisError::ChannelFee(10_001)));
}

#[test]
fn every_fact_makes_another_market() {
    let changes: [fn(&mut Genesis); 11] = [
        |g| g.version = 2,
        |g| g.name.push('2'),
        |g| g.time = Timestamp::from_millis(2),
        |g| g.operators[0] = NodeId::from_bytes([9; 32]),
        |g| g.treasury.swap(0, 1),
        |g| g.treasury_threshold = 1,
        |g| g.issue_cap_per_epoch = Amount::ZERO,
        |g| g.minimum_balance = Amount::ZERO,
        |g| g.fees.open = Amount::ZERO,
        |g| g.challenge_ms = 2,
        |g| g.open_posting = false,
    ];
    let mut chains = vec![genesis().chain_id()];
    for change in changes {
        let mut other = genesis();
        change(&mut other);
        chains.push(other.chain_id());
    }
    chains.sort_unstable();
    chains.dedup();
    assert_eq!(chains.len(), 12);
}
