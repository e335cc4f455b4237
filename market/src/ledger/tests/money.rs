//! Transfers, supply, minimum balances and the envelope of transactions.

use super::*;
use crate::amount::SUPPLY_CAP;
use crate::wire;

const TEN: u64 = 10_000_000_000;

#[test]
fn a_transfer_moves_the_amount_and_its_flat_fee() {
    let mut world = World::new();
    let receipt = world.transfer(&key(5), 3_000_000_000).unwrap();
    assert_eq!(world.available(&key(5)), 3_000_000_000);
    assert_eq!(world.available(&world.payer), 7_000_000_000 - TRANSFER_FEE);
    assert_eq!(world.state.supply().fee_pool, nano(TRANSFER_FEE));
    assert_eq!(receipt.fee, nano(TRANSFER_FEE));
    let codes: Vec<Code> = receipt.transfers.iter().map(|t| t.code).collect();
    assert_eq!(codes, [Code::Transfer, Code::TransferFee]);
}

#[test]
fn the_fee_counts_when_money_is_short() {
    let mut world = World::new();
    assert_eq!(
        world.transfer(&key(5), TEN),
        Err(Rejected::Insufficient {
            account: world.payer.account(),
            available: nano(TEN),
            needed: nano(TEN + TRANSFER_FEE),
        })
    );
}

#[test]
fn an_account_holds_nothing_or_the_minimum() {
    let mut world = World::new();
    let below = |key: &SecretKey, balance| {
        Err(Rejected::BelowMinimum {
            account: key.account(),
            balance: nano(balance),
            minimum: nano(MINIMUM),
        })
    };
    let payer = world.payer.clone();
    assert_eq!(
        world.transfer(&key(5), MINIMUM - 1),
        below(&key(5), MINIMUM - 1)
    );
    assert_eq!(
        world.transfer(&key(5), TEN - TRANSFER_FEE - 1),
        below(&payer, 1)
    );
    world.transfer(&key(5), TEN - TRANSFER_FEE).unwrap();
    assert_eq!(world.state.leaf(&Key::Account(payer.account())), None);
    assert_eq!(world.state.audit().accounts, 1);
}

#[test]
fn nothing_to_nobody_is_refused() {
    let mut world = World::new();
    let payer = world.payer.clone();
    assert_eq!(world.transfer(&key(5), 0), Err(Rejected::ZeroAmount));
    assert_eq!(world.transfer(&payer, 5), Err(Rejected::SameAccount));
    assert_eq!(world.transfer(&key(5), u64::MAX), Err(Rejected::Arithmetic));
}

#[test]
fn only_a_threshold_of_treasury_keys_changes_supply() {
    let mut world = World::empty();
    let to = key(5).account();
    let operation = Operation::Issue {
        to,
        amount: credits(1),
    };
    let threshold = |have| Err(Rejected::Threshold { have, need: 2 });
    assert_eq!(world.act(operation.clone(), &[&key(201)]), threshold(1));
    assert_eq!(
        world.act(operation.clone(), &[&key(201), &key(200), &key(5)]),
        threshold(1),
        "the operator is no treasury key"
    );
    let twice = world.signed(operation.clone(), &[&key(201), &key(201)]);
    assert_eq!(
        world.submit(&twice),
        Err(Rejected::SignedTwice {
            signer: key(201).account()
        })
    );
    world.act(operation, &[&key(203), &key(202)]).unwrap();
    assert_eq!(world.available(&key(5)), 1_000_000_000);
    assert_eq!(world.state.supply().issued, credits(1));
}

#[test]
fn an_epoch_has_a_cap_and_the_next_one_starts_anew() {
    let mut world = World::empty();
    let to = key(5).account();
    world.issue(to, credits(999)).unwrap();
    assert_eq!(
        world.issue(to, credits(2)),
        Err(Rejected::EpochCap {
            issued: credits(999),
            cap: credits(1_000),
            wanted: credits(2),
        })
    );
    world.issue(to, credits(1)).unwrap();
    let mut tip = world.state.tip().clone();
    tip.uptime_ms = 24 * 3_600_000;
    let leaves: Vec<Leaf> = world.state.leaves().cloned().collect();
    world.state = State::restore(&genesis(), tip, leaves).unwrap();
    world.issue(to, credits(1_000)).unwrap();
    assert_eq!(world.state.supply().issued_in_epoch, credits(1_000));
}

#[test]
fn more_than_the_supply_cap_never_exists() {
    let mut rules = genesis();
    rules.issue_cap_per_epoch = nano(u64::MAX);
    let mut world = World {
        state: State::genesis(&rules).unwrap(),
        ..World::empty()
    };
    world.issue(key(5).account(), SUPPLY_CAP).unwrap();
    assert_eq!(
        world.issue(key(6).account(), nano(MINIMUM)),
        Err(Rejected::SupplyCap {
            supply: SUPPLY_CAP,
            cap: SUPPLY_CAP,
            wanted: nano(MINIMUM),
        })
    );
}

#[test]
fn redeeming_needs_the_holder_and_the_treasury() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let operation = Operation::Redeem {
        from: payer.account(),
        amount: credits(4),
    };
    let treasury = (key(201), key(202));
    assert!(matches!(
        world.act(operation.clone(), &[&treasury.0, &treasury.1]),
        Err(Rejected::MissingSeal {
            role: Role::Holder,
            ..
        })
    ));
    assert!(matches!(
        world.act(operation.clone(), &[&payer, &treasury.1]),
        Err(Rejected::Threshold { .. })
    ));
    world
        .act(operation, &[&payer, &treasury.0, &treasury.1])
        .unwrap();
    let supply = world.state.supply();
    assert_eq!(supply.redeemed, credits(4));
    assert_eq!(supply.outstanding(), Some(credits(6)));
    assert_eq!(world.available(&payer), 6_000_000_000);
}

#[test]
fn checking_a_transaction_leaves_no_trace() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let operation = Operation::Transfer {
        from: payer.account(),
        to: key(5).account(),
        amount: credits(1),
        memo: Memo::default(),
    };
    let signed = world.signed(operation, &[&payer]);
    let root = world.state.root();
    let now = Timestamp::from_millis(world.now_ms);
    let receipt = world.state.check(&signed, now).unwrap();
    assert_eq!(world.state.root(), root);
    assert_eq!(world.submit(&signed), Ok(receipt));
}

#[test]
fn memos_are_short_and_harmless() {
    assert!(Memo::try_from("x".repeat(64)).is_ok());
    assert_eq!(Memo::try_from("x".repeat(65)), Err(MemoError::TooLong(65)));
    assert_eq!(
        Memo::try_from("\u{1b}[2J".to_owned()),
        Err(MemoError::Control)
    );
    let encoded = wire::encode(&"\u{7}".to_owned());
    assert!(wire::decode::<Memo>(&encoded, 100).is_err());
}

#[test]
fn seals_beyond_the_limit_are_refused_before_they_are_verified() {
    let mut world = World::new();
    let operation = Operation::Issue {
        to: key(5).account(),
        amount: credits(1),
    };
    let keys: Vec<SecretKey> = (100..117).map(key).collect();
    let keys: Vec<&SecretKey> = keys.iter().collect();
    let signed = world.signed(operation, &keys);
    assert_eq!(
        world.submit(&signed),
        Err(Rejected::TooManySeals {
            cosigners: 16,
            delegations: 0
        })
    );
}

#[test]
fn a_seal_over_another_transaction_is_refused() {
    let mut world = World::new();
    let payer = world.payer.clone();
    let transfer = |amount| Operation::Transfer {
        from: payer.account(),
        to: key(5).account(),
        amount,
        memo: Memo::default(),
    };
    let one = world.signed(transfer(credits(1)), &[&payer, &key(5)]);
    let two = world.signed(transfer(credits(2)), &[&payer, &key(5)]);
    let (mut bytes, other) = (wire::encode(&one), wire::encode(&two));
    let seal = 96 + 8;
    let start = bytes.len() - seal;
    bytes[start..].copy_from_slice(&other[start..]);
    let spliced = SignedTransaction::decode(&bytes).unwrap();
    assert!(matches!(world.submit(&spliced), Err(Rejected::Wire { .. })));
}

#[test]
fn the_bytes_and_the_id_of_a_transaction_stay_what_they_are() {
    let transaction = Transaction {
        nonce: 7,
        valid_until_height: 1_000,
        operation: Operation::Transfer {
            from: key(1).account(),
            to: key(2).account(),
            amount: nano(5),
            memo: Memo::try_from("hi".to_owned()).unwrap(),
        },
    };
    let payload = hex::encode(wire::encode(&transaction));
    assert_eq!(
        payload,
        format!(
            "0700000000000000e80300000000000000000000{}{}050000000000000002000000000000006869",
            hex::encode(key(1).public()),
            hex::encode(key(2).public())
        )
    );
    let chain = crate::ids::ChainId::from_bytes([1; 32]);
    let signed = SignedTransaction::sign(&transaction, &key(1), &chain);
    let covered = [
        b"nightshift/transaction/1\0".as_slice(),
        chain.as_bytes(),
        &hex::decode(payload).unwrap(),
    ]
    .concat();
    assert_eq!(
        signed.id(&chain).as_bytes(),
        blake3::hash(&covered).as_bytes()
    );
}

#[test]
fn refusals_travel_as_data() {
    let mut world = World::new();
    let refused = world.transfer(&key(5), TEN).unwrap_err();
    let bytes = wire::encode(&refused);
    assert_eq!(wire::decode::<Rejected>(&bytes, 256), Ok(refused.clone()));
    let json = serde_json::to_value(&refused).unwrap();
    assert_eq!(json["insufficient"]["available"], "10");
}
