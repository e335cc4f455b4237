//! Owns the race of bids: two buyers whose bids stand and three providers who lower their prices, a thousand times,
//! over one ledger.
//!
//! The machine of a bid, the checks of an offer, the book, the quote and the ledger are the real ones. What is played
//! is the network between them, with delays, lost answers, and providers who refuse in words and submit all the same;
//! and the search, which tries offer after offer with one nonce and asks the ledger where it has no proof.
//!
//! Never takes a seed that a failure does not print.

mod stage;

use std::collections::BTreeMap;

use market::ledger::ChannelState;
use market::{AccountId, Amount};

use stage::{BUYERS, PROVIDERS, Race, Random};

/// How often they race.
const ROUNDS: u64 = 1_000;

/// What the seeds of the rounds begin at.
const SEED: u64 = 0x5eed_0000;

#[test]
fn a_thousand_races_of_standing_bids_leave_no_double_lease_and_no_lost_money() {
    let mut race = Race::new();
    let (mut filled, mut contested) = (0, 0);
    for seed in SEED..SEED + ROUNDS {
        let before = balances(&race);
        let known = race.ledger.state.channels().count();
        let round = race.round(Random::new(seed));
        filled += round.filled;
        contested += u64::from(round.refused > 0);
        check_channels(&race, seed, known);
        race.settle(seed);
        check_balances(&race, seed, &before);
    }
    eprintln!("{ROUNDS} races: {filled} bids filled, {contested} races with a refusal");
    assert!(
        filled > ROUNDS * 19 / 10,
        "nearly all bids are filled: {filled}"
    );
    assert!(contested > ROUNDS / 4, "it is a race: {contested}");
}

/// At most one channel a run, and no provider has sold itself twice.
fn check_channels(race: &Race, seed: u64, known: usize) {
    let channels: Vec<_> = race.ledger.state.channels().collect();
    let fresh = channels
        .iter()
        .filter(|channel| channel.state == ChannelState::Open);
    let (mut of_payer, mut of_payee) = (BTreeMap::new(), BTreeMap::new());
    for channel in fresh {
        *of_payer.entry(channel.payer.account).or_insert(0) += 1;
        *of_payee.entry(channel.payee.account).or_insert(0) += 1;
    }
    assert!(
        of_payer.values().all(|count| *count == 1),
        "seed {seed}: a run opened twice"
    );
    assert!(
        of_payee.values().all(|count| *count == 1),
        "seed {seed}: a double lease"
    );
    assert!(
        channels.len() - known <= BUYERS,
        "seed {seed}: more channels than runs"
    );
}

fn balances(race: &Race) -> BTreeMap<AccountId, Amount> {
    let all = race.ledger.accounts();
    all.map(|account| (account, race.ledger.state.available(&account)))
        .collect()
}

/// After the round is settled every account holds exactly what it held, less what its channels paid out and the fees
/// of opening, or more what it was paid; nothing is locked any more.
fn check_balances(race: &Race, seed: u64, before: &BTreeMap<AccountId, Amount>) {
    let nano = |amount: Amount| i128::from(amount.nanocredits());
    let mut expected: BTreeMap<AccountId, i128> = before
        .iter()
        .map(|(account, amount)| (*account, nano(*amount)))
        .collect();
    for channel in race.ledger.opened_in_round() {
        assert_eq!(
            channel.state,
            ChannelState::Closed,
            "seed {seed}: left open"
        );
        let fee = channel.claimed.basis_points(channel.fee_bps).unwrap();
        *expected.get_mut(&channel.payer.account).unwrap() -=
            nano(channel.claimed) + nano(race.ledger.open_fee());
        *expected.get_mut(&channel.payee.account).unwrap() += nano(channel.claimed) - nano(fee);
    }
    for (account, expected) in expected {
        let found = nano(race.ledger.state.available(&account));
        assert_eq!(found, expected, "seed {seed}: the money of {account}");
        assert_eq!(
            race.ledger.state.locked(&account),
            Amount::ZERO,
            "seed {seed}"
        );
    }
    assert_eq!(before.len(), BUYERS + PROVIDERS);
    assert!(race.ledger.state.audit().supply_conserved, "seed {seed}");
}
